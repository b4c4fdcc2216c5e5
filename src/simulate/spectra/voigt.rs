//! The Voigt profile: a Doppler-broadened line whose atoms are disturbed by collisions.

/// The profile at `x` Doppler widths from the centre, for a Lorentz half width of `y` of them: the real part of the complex error
/// function, by the four rational approximations of Humlicek 1982 (relative error below 1e-4).
///
/// With s = ln(2)^1/2 and a Doppler half width at half maximum a_D, x = s (nu - nu0) / a_D and y = s a_L / a_D; the profile over
/// wavenumber is that value times s / (pi^1/2 a_D).
pub(super) fn voigt(x: f64, y: f64) -> f64 {
    let t = Complex(y, -x);
    let s = x.abs() + y;
    if s >= 15.0 {
        return (t * 0.564_189_6 / (t * t + 0.5)).0;
    }
    let u = t * t;
    if s >= 5.5 {
        return (t * (u * 0.564_189_6 + 1.410_474) / (u * (u + 3.0) + 0.75)).0;
    }
    if y >= 0.195 * x.abs() - 0.176 {
        let above = t * (t * (t * (t * 0.564_223_6 + 3.778_987) + 11.964_82) + 20.209_33) + 16.495_5;
        let below = t * (t * (t * (t * (t + 6.699_398) + 21.692_74) + 39.271_21) + 38.823_63) + 16.495_5;
        return (above / below).0;
    }
    let mut above = u * -0.564_19 + 1.320_522;
    for c in [35.766_8, 219.031, 1_540.787, 3_321.99, 36_183.31] {
        above = flip(above, u, c);
    }
    let mut below = flip(Complex(1.0, 0.0), u, 1.841_439);
    for c in [61.570_37, 364.219_1, 2_186.181, 9_022.228, 24_322.84, 32_066.6] {
        below = flip(below, u, c);
    }
    let wing = t * above / below;
    u.0.exp() * u.1.cos() - wing.0
}

/// c - u p: the next of Humlicek's polynomials in -u.
fn flip(p: Complex, u: Complex, c: f64) -> Complex {
    u * p * -1.0 + c
}

#[derive(Clone, Copy)]
struct Complex(f64, f64);

impl std::ops::Add<f64> for Complex {
    type Output = Self;
    fn add(self, other: f64) -> Self {
        Self(self.0 + other, self.1)
    }
}

impl std::ops::Mul<f64> for Complex {
    type Output = Self;
    fn mul(self, other: f64) -> Self {
        Self(self.0 * other, self.1 * other)
    }
}

impl std::ops::Mul for Complex {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        Self(self.0 * other.0 - self.1 * other.1, self.0 * other.1 + self.1 * other.0)
    }
}

impl std::ops::Div for Complex {
    type Output = Self;
    fn div(self, other: Self) -> Self {
        let norm = other.0 * other.0 + other.1 * other.1;
        Self((self.0 * other.0 + self.1 * other.1) / norm, (self.1 * other.0 - self.0 * other.1) / norm)
    }
}

#[cfg(test)]
mod tests {
    use super::voigt;

    /// The convolution of a Gaussian and a Lorentzian, added up.
    fn convolution(x: f64, y: f64) -> f64 {
        let (step, reach) = (1e-3, 8.0);
        let n = (2.0 * reach / step) as usize;
        let at = |i: usize| -reach + i as f64 * step;
        let value = |t: f64| (-t * t).exp() * y / ((x - t).powi(2) + y * y);
        (0..=n).map(|i| value(at(i))).sum::<f64>() * step / std::f64::consts::PI
    }

    #[test]
    fn the_profile_is_a_convolution() {
        for y in [0.01, 0.1, 0.5, 2.0, 20.0] {
            for x in [0.0, 0.3, 1.0, 2.5, 4.0, 6.0, 14.0, 40.0] {
                let (ours, wanted) = (voigt(x, y), convolution(x, y));
                assert!((ours / wanted - 1.0).abs() < 2e-3, "x {x} y {y}: {ours} {wanted}");
            }
        }
    }
}
