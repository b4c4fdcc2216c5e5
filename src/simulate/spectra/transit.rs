//! How much light the layers take away: the inner loop of a spectrum.
//!
//! The optical depth of the ray through a layer is a sum over *sources*: the nodes in pressure of the tables, scattering, and
//! collisions. A source has an opacity at each wavenumber and a column along each ray, and their products add up, so that all
//! interpolation in pressure is done on columns, once, and not at each wavenumber.
//!
//! Arithmetic is single precision with fused multiply-adds in a fixed order at each wavenumber, the same bits with any vectors.
//!
//! Shapes: n = layers, s = sources, LANES = wavenumbers side by side.

/// Wavenumbers that are worked on side by side.
pub const LANES: usize = 32;

/// One ray: its columns, and what its layer counts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Ray {
    /// Sources that it meets: the first so many.
    pub sources: usize,
    /// Area of the layer's ring over that of the star.
    pub weight: f32,
}

/// Adds what the rings of all rays take away, at `LANES` wavenumbers.
///
/// - `opacity`: `[s, LANES]`
/// - `columns`: `[n, s]`, of which a ray meets the first `sources`
/// - returns: sum over rays of weight (1 - exp(-opacity columns)), `[LANES]`
pub fn absorbed(opacity: &[[f32; LANES]], columns: &[f32], rays: &[Ray]) -> [f32; LANES] {
    #[cfg(target_arch = "x86_64")]
    {
        if std::arch::is_x86_feature_detected!("avx512f") && std::arch::is_x86_feature_detected!("fma") {
            #[expect(unsafe_code, reason = "the same Rust, compiled for vectors that were asked for one line above")]
            // SAFETY: the processor has AVX-512 and FMA.
            return unsafe { absorbed_avx512(opacity, columns, rays) };
        }
        if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
            #[expect(unsafe_code, reason = "the same Rust, compiled for vectors that were asked for one line above")]
            // SAFETY: the processor has AVX2 and FMA.
            return unsafe { absorbed_avx2(opacity, columns, rays) };
        }
    }
    absorbed_anywhere(opacity, columns, rays)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,fma")]
fn absorbed_avx512(opacity: &[[f32; LANES]], columns: &[f32], rays: &[Ray]) -> [f32; LANES] {
    absorbed_anywhere(opacity, columns, rays)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn absorbed_avx2(opacity: &[[f32; LANES]], columns: &[f32], rays: &[Ray]) -> [f32; LANES] {
    absorbed_anywhere(opacity, columns, rays)
}

#[inline(always)]
fn absorbed_anywhere(opacity: &[[f32; LANES]], columns: &[f32], rays: &[Ray]) -> [f32; LANES] {
    let mut sum = [0.0; LANES];
    for (ray, columns) in rays.iter().zip(columns.chunks_exact(opacity.len())) {
        let mut depth = [0.0; LANES];
        for (opacity, column) in opacity[..ray.sources].iter().zip(columns) {
            for (depth, opacity) in depth.iter_mut().zip(opacity) {
                *depth = column.mul_add(*opacity, *depth);
            }
        }
        for (sum, depth) in sum.iter_mut().zip(depth) {
            *sum = ray.weight.mul_add(1.0 - exp_of_minus(depth), *sum);
        }
    }
    sum
}

/// exp(-x) for x >= 0, to 3e-7 of it; beyond x = 87 what it is there, 1e-38.
#[inline(always)]
fn exp_of_minus(x: f32) -> f32 {
    /// Its sum with a small number has that number's nearest integer in its last bits.
    const MAGIC: f32 = 12_582_912.0;
    /// ln(2) in two parts, the first with few bits.
    const LN2: (f32, f32) = (0.693_359_375, -2.121_944_4e-4);
    let x = x.min(87.0);
    let shifted = x.mul_add(-std::f32::consts::LOG2_E, MAGIC);
    let whole = shifted - MAGIC;
    let rest = whole.mul_add(-LN2.1, whole.mul_add(-LN2.0, -x)); // in -ln(2)/2 .. ln(2)/2
    let mut e = rest.mul_add(1.0 / 720.0, 1.0 / 120.0);
    for c in [1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        e = e.mul_add(rest, c);
    }
    e * f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_is_right_to_single_precision() {
        for i in 0..200_000 {
            let x = i as f32 * 4e-4;
            let (ours, right) = (f64::from(exp_of_minus(x)), (-f64::from(x)).exp());
            assert!((ours / right - 1.0).abs() < 3e-7, "x {x}: {ours} {right}");
        }
        assert_eq!(exp_of_minus(0.0), 1.0);
        assert!(exp_of_minus(1e30) < 1e-37);
    }

    #[test]
    fn all_processors_give_the_same_bits() {
        let opacity: Vec<[f32; LANES]> =
            (0..3).map(|s| std::array::from_fn(|lane| (1.0 + s as f32) * 0.37 * (lane as f32 + 0.1))).collect();
        let columns: Vec<f32> = (0..12).map(|i| 0.03 * (1 + i) as f32).collect();
        let rays: Vec<Ray> = (0..4).map(|i| Ray { sources: 3 - i % 2, weight: 0.1 + i as f32 }).collect();
        assert_eq!(absorbed(&opacity, &columns, &rays), absorbed_anywhere(&opacity, &columns, &rays));
    }
}
