//! Power spectrum of matter: linear (Eisenstein & Hu 1998) and non-linear (halofit of Takahashi et al. 2012).
//!
//! k is a comoving wavenumber in h/Mpc, power is in (Mpc/h)^3, Delta^2 = k^3 P / (2 pi^2).

use std::f64::consts::{E, PI};

use crate::simulate::cosmology::Cosmology;

/// Temperature of the microwave background in K (Fixsen 2009).
const CMB_TEMPERATURE_K: f64 = 2.7255;

/// Wavenumbers of all integrals over the linear spectrum, equally spaced in ln k.
const LN_K_FROM: f64 = -11.5; // 1e-5 h/Mpc
const LN_K_STEP: f64 = 0.02;
const WAVENUMBERS: usize = 1270; // up to 1e6 h/Mpc

/// Matter power of one cosmology. Its linear spectrum at redshift 0 is normalised to `sigma_8`.
#[derive(Clone, Debug)]
pub struct MatterPower {
    cosmology: Cosmology,
    transfer: Transfer,
    amplitude: f64,
    growth_today: f64,
    /// (k, linear Delta^2 at redshift 0) over the wavenumbers above.
    linear: Vec<(f64, f64)>,
}

impl MatterPower {
    /// The spectra of a cosmology that `Cosmology::check` has passed.
    pub fn new(cosmology: &Cosmology) -> Self {
        let mut power = Self {
            cosmology: *cosmology,
            transfer: Transfer::new(cosmology),
            amplitude: 1.0,
            growth_today: cosmology.growth(0.0),
            linear: Vec::new(),
        };
        power.linear = (0..WAVENUMBERS)
            .map(|i| {
                let k = (LN_K_FROM + i as f64 * LN_K_STEP).exp();
                (k, delta_squared(k, power.linear(k, 0.0)))
            })
            .collect();
        let factor = (cosmology.sigma_8 / power.sigma(8.0)).powi(2);
        power.amplitude = factor;
        for (_, delta_squared) in &mut power.linear {
            *delta_squared *= factor;
        }
        power
    }

    /// Linear power at a wavenumber and a redshift: A k^n_s T(k)^2 (D(z)/D(0))^2.
    pub fn linear(&self, k: f64, redshift: f64) -> f64 {
        self.linear_today(k) * self.growth_squared(redshift)
    }

    /// Standard deviation of the linear density today in spheres of `radius_mpc_h`.
    pub fn sigma(&self, radius_mpc_h: f64) -> f64 {
        let variance: f64 = self
            .linear
            .iter()
            .map(|&(k, delta_squared)| {
                let x = k * radius_mpc_h;
                // The top hat loses all digits to cancellation for small x, where it is 1 - x^2/10.
                let window = if x < 1e-2 { 1.0 - x * x / 10.0 } else { 3.0 * (x.sin() - x * x.cos()) / x.powi(3) };
                delta_squared * window * window
            })
            .sum();
        (variance * LN_K_STEP).sqrt()
    }

    /// Non-linear power at one redshift, ready for many wavenumbers.
    pub fn at(&self, redshift: f64) -> NonlinearPower<'_> {
        NonlinearPower { power: self, growth_squared: self.growth_squared(redshift), halofit: self.halofit(redshift) }
    }

    fn linear_today(&self, k: f64) -> f64 {
        self.amplitude * k.powf(self.cosmology.n_s) * self.transfer.at(k).powi(2)
    }

    fn growth_squared(&self, redshift: f64) -> f64 {
        (self.cosmology.growth(redshift) / self.growth_today).powi(2)
    }

    /// Coefficients of halofit at a redshift; none where no scale is non-linear yet.
    fn halofit(&self, redshift: f64) -> Option<Halofit> {
        // The scale R with sigma(R, z) = 1 under a Gaussian window (Smith et al. 2003, eq. C5) by Newton's method in
        // ln R. ln sigma^2 is concave in ln R, so that from large R every step stays on the same side.
        let target = -self.growth_squared(redshift).ln();
        let mut ln_radius = 3.0_f64;
        let mut found = None;
        for _ in 0..100 {
            let [value, slope, curvature] = self.gaussian_variance(ln_radius.exp());
            let step = (target - value) / slope;
            ln_radius += step;
            if !(-11.0..=20.0).contains(&ln_radius) {
                return None; // no scale is non-linear yet, or none is left that is linear
            }
            if step.abs() < 1e-7 {
                found = Some((slope, curvature));
                break;
            }
        }
        let (slope, curvature) = found?;
        Some(Halofit::new((-ln_radius).exp(), -3.0 - slope, -curvature, self.cosmology.omega_m_at(redshift)))
    }

    /// ln of the variance today under a Gaussian window, with its first and second derivative by ln R
    /// (Smith et al. 2003, eqs. C5, C7, C8).
    fn gaussian_variance(&self, radius_mpc_h: f64) -> [f64; 3] {
        let mut moments = [0.0; 3]; // of y^0, y^2, y^4
        for &(k, delta_squared) in &self.linear {
            let y2 = (k * radius_mpc_h).powi(2);
            if y2 > 60.0 {
                break;
            }
            let weight = delta_squared * (-y2).exp() * LN_K_STEP;
            moments[0] += weight;
            moments[1] += weight * y2;
            moments[2] += weight * y2 * y2;
        }
        let slope = -2.0 * moments[1] / moments[0];
        let curvature = 4.0 * (moments[2] - moments[1]) / moments[0] - slope * slope;
        [moments[0].ln(), slope, curvature]
    }
}

/// Matter power at one redshift.
#[derive(Clone, Debug)]
pub struct NonlinearPower<'a> {
    power: &'a MatterPower,
    growth_squared: f64,
    halofit: Option<Halofit>,
}

impl NonlinearPower<'_> {
    /// Non-linear power at a wavenumber. Linear at redshifts where no scale above 2e-5 Mpc/h is non-linear.
    pub fn power(&self, k: f64) -> f64 {
        let linear = self.power.linear_today(k) * self.growth_squared;
        match &self.halofit {
            Some(halofit) => halofit.delta_squared(k, delta_squared(k, linear)) * 2.0 * PI * PI / k.powi(3),
            None => linear,
        }
    }
}

fn delta_squared(k: f64, power: f64) -> f64 {
    k.powi(3) * power / (2.0 * PI * PI)
}

/// Halofit with the coefficients of Takahashi et al. 2012, appendix, for w = -1.
#[derive(Clone, Copy, Debug)]
struct Halofit {
    k_sigma: f64,
    a: f64,
    b: f64,
    c: f64,
    gamma: f64,
    alpha: f64,
    beta: f64,
    nu: f64,
    f1: f64,
    f2: f64,
    f3: f64,
}

impl Halofit {
    /// - `k_sigma`: where the density turns non-linear, h/Mpc
    /// - `n`, `curvature`: effective slope and curvature C of the linear spectrum there
    /// - `omega_m`: at the redshift
    fn new(k_sigma: f64, n: f64, curvature: f64, omega_m: f64) -> Self {
        let polynomial = |terms: &[f64]| terms.iter().rev().fold(0.0, |sum, term| sum * n + term);
        Self {
            k_sigma,
            a: 10_f64.powf(polynomial(&[1.5222, 2.8553, 2.3706, 0.9903, 0.2250]) - 0.6038 * curvature), // A6
            b: 10_f64.powf(polynomial(&[-0.5642, 0.5864, 0.5716]) - 1.5474 * curvature),                // A7
            c: 10_f64.powf(polynomial(&[0.3698, 2.0404, 0.8161]) + 0.5869 * curvature),                 // A8
            gamma: polynomial(&[0.1971, -0.0843]) + 0.8460 * curvature,                                 // A9
            alpha: (polynomial(&[6.0835, 1.3373, -0.1959]) - 5.5274 * curvature).abs(),                 // A10
            beta: polynomial(&[2.0379, -0.7354, 0.3157, 1.2490, 0.3980]) - 0.1682 * curvature,          // A11
            nu: 10_f64.powf(polynomial(&[5.2105, 3.6902])), // A13; mu = 0 (A12)
            f1: omega_m.powf(-0.0307),
            f2: omega_m.powf(-0.0585),
            f3: omega_m.powf(0.0743), // A14, as Smith et al. 2003 for flat universes
        }
    }

    /// Non-linear Delta^2 from the linear one: the two-halo term and the one-halo term.
    fn delta_squared(&self, k: f64, linear: f64) -> f64 {
        let y = k / self.k_sigma;
        let two_halo =
            linear * (1.0 + linear).powf(self.beta) / (1.0 + self.alpha * linear) * (-y / 4.0 - y * y / 8.0).exp();
        let one_halo = self.a * y.powf(3.0 * self.f1)
            / (1.0 + self.b * y.powf(self.f2) + (self.c * self.f3 * y).powf(3.0 - self.gamma));
        two_halo + one_halo / (1.0 + self.nu / (y * y))
    }
}

/// Transfer function with baryons and their acoustic oscillations (Eisenstein & Hu 1998, eqs. 2 to 24).
#[derive(Clone, Copy, Debug)]
struct Transfer {
    h: f64,
    baryon_fraction: f64,
    k_equality: f64, // 1/Mpc, as all wavenumbers and lengths in here are without h
    sound_horizon: f64,
    k_silk: f64,
    alpha_c: f64,
    beta_c: f64,
    alpha_b: f64,
    beta_b: f64,
    beta_node: f64,
}

impl Transfer {
    fn new(cosmology: &Cosmology) -> Self {
        let theta = CMB_TEMPERATURE_K / 2.7;
        let matter = cosmology.omega_m * cosmology.h.powi(2);
        let baryons = cosmology.omega_b * cosmology.h.powi(2);
        let baryon_fraction = baryons / matter;

        let z_equality = 2.5e4 * matter * theta.powi(-4); // 2
        let k_equality = 7.46e-2 * matter * theta.powi(-2); // 3
        let b1 = 0.313 * matter.powf(-0.419) * (1.0 + 0.607 * matter.powf(0.674));
        let b2 = 0.238 * matter.powf(0.223);
        let z_drag = 1291.0 * matter.powf(0.251) / (1.0 + 0.659 * matter.powf(0.828)) * (1.0 + b1 * baryons.powf(b2)); // 4
        let momentum_ratio = |z: f64| 31.5 * baryons * theta.powi(-4) * 1e3 / z; // 5
        let (ratio_drag, ratio_equality) = (momentum_ratio(z_drag), momentum_ratio(z_equality));
        let sound_horizon = 2.0 / (3.0 * k_equality)
            * (6.0 / ratio_equality).sqrt()
            * (((1.0 + ratio_drag).sqrt() + (ratio_drag + ratio_equality).sqrt()) / (1.0 + ratio_equality.sqrt())).ln(); // 6
        let k_silk = 1.6 * baryons.powf(0.52) * matter.powf(0.73) * (1.0 + (10.4 * matter).powf(-0.95)); // 7

        let a1 = (46.9 * matter).powf(0.670) * (1.0 + (32.1 * matter).powf(-0.532)); // 11
        let a2 = (12.0 * matter).powf(0.424) * (1.0 + (45.0 * matter).powf(-0.582));
        let alpha_c = a1.powf(-baryon_fraction) * a2.powf(-baryon_fraction.powi(3));
        let b1 = 0.944 / (1.0 + (458.0 * matter).powf(-0.708)); // 12
        let b2 = (0.395 * matter).powf(-0.0266);
        let beta_c = 1.0 / (1.0 + b1 * ((1.0 - baryon_fraction).powf(b2) - 1.0));

        let y = (1.0 + z_equality) / (1.0 + z_drag);
        let root = (1.0 + y).sqrt();
        let g = y * (-6.0 * root + (2.0 + 3.0 * y) * ((root + 1.0) / (root - 1.0)).ln()); // 15
        let alpha_b = 2.07 * k_equality * sound_horizon * (1.0 + ratio_drag).powf(-0.75) * g; // 14
        let beta_node = 8.41 * matter.powf(0.435); // 23
        let beta_b = 0.5 + baryon_fraction + (3.0 - 2.0 * baryon_fraction) * ((17.2 * matter).powi(2) + 1.0).sqrt(); // 24
        Self {
            h: cosmology.h,
            baryon_fraction,
            k_equality,
            sound_horizon,
            k_silk,
            alpha_c,
            beta_c,
            alpha_b,
            beta_b,
            beta_node,
        }
    }

    /// T(k), 1 at large scales; `k` in h/Mpc.
    fn at(&self, k: f64) -> f64 {
        let k = k * self.h; // now in 1/Mpc
        let q = k / (13.41 * self.k_equality); // 10
        let pressureless = |alpha: f64, beta: f64| {
            let log = (E + 1.8 * beta * q).ln();
            log / (log + (14.2 / alpha + 386.0 / (1.0 + 69.9 * q.powf(1.08))) * q * q) // 19, 20
        };
        let ks = k * self.sound_horizon;
        let f = 1.0 / (1.0 + (ks / 5.4).powi(4)); // 18
        let dark = f * pressureless(1.0, self.beta_c) + (1.0 - f) * pressureless(self.alpha_c, self.beta_c); // 17
        let shifted = ks / (1.0 + (self.beta_node / ks).powi(3)).cbrt(); // 22
        let bessel = if shifted < 1e-4 { 1.0 } else { shifted.sin() / shifted };
        let baryons = (pressureless(1.0, 1.0) / (1.0 + (ks / 5.2).powi(2))
            + self.alpha_b / (1.0 + (self.beta_b / ks).powi(3)) * (-(k / self.k_silk).powf(1.4)).exp())
            * bessel; // 21
        self.baryon_fraction * baryons + (1.0 - self.baryon_fraction) * dark // 16
    }
}
