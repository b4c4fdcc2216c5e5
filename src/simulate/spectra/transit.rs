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

/// What sources absorb: each a sum of rows of tables with factors.
#[derive(Clone, Debug, Default)]
pub struct Sources<'a> {
    terms: Vec<(&'a [f32], f32)>,
    /// Where the terms of each source end.
    ends: Vec<usize>,
}

impl<'a> Sources<'a> {
    /// One more source.
    pub fn push(&mut self, terms: impl IntoIterator<Item = (&'a [f32], f32)>) {
        self.terms.extend(terms.into_iter().filter(|(_, factor)| *factor != 0.0));
        self.ends.push(self.terms.len());
    }
}

/// All that a spectrum's light meets.
#[derive(Clone, Debug)]
pub struct Transit<'a> {
    sources: Sources<'a>,
    columns: &'a [f32],
    rays: &'a [Ray],
    /// Sources that any ray meets: none meets pressures beyond the deepest one's.
    met: usize,
}

impl<'a> Transit<'a> {
    /// - `columns`: `[n, s]`, of which a ray meets the first `Ray::sources`
    pub fn new(sources: Sources<'a>, columns: &'a [f32], rays: &'a [Ray]) -> Self {
        let met = rays.iter().map(|ray| ray.sources).max().unwrap_or(0);
        Self { sources, columns, rays, met }
    }

    /// What the rings of all rays take away, at `LANES` wavenumbers from `start` on.
    ///
    /// - `opacity`: room for `[s, LANES]`
    /// - returns: sum over rays of weight (1 - exp(-opacity columns)), `[LANES]`
    pub fn absorbed(&self, start: usize, opacity: &mut Vec<[f32; LANES]>) -> [f32; LANES] {
        #[cfg(target_arch = "x86_64")]
        {
            if std::arch::is_x86_feature_detected!("avx512f") && std::arch::is_x86_feature_detected!("fma") {
                #[expect(
                    unsafe_code,
                    reason = "the same Rust, compiled for vectors that were asked for one line above"
                )]
                // SAFETY: the processor has AVX-512 and FMA.
                return unsafe { self.with_avx512(start, opacity) };
            }
            if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
                #[expect(
                    unsafe_code,
                    reason = "the same Rust, compiled for vectors that were asked for one line above"
                )]
                // SAFETY: the processor has AVX2 and FMA.
                return unsafe { self.with_avx2(start, opacity) };
            }
        }
        self.anywhere(start, opacity)
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,fma")]
    fn with_avx512(&self, start: usize, opacity: &mut Vec<[f32; LANES]>) -> [f32; LANES] {
        self.anywhere(start, opacity)
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    fn with_avx2(&self, start: usize, opacity: &mut Vec<[f32; LANES]>) -> [f32; LANES] {
        self.anywhere(start, opacity)
    }

    #[expect(clippy::inline_always, reason = "it has the vectors of who calls it")]
    #[inline(always)]
    fn anywhere(&self, start: usize, opacity: &mut Vec<[f32; LANES]>) -> [f32; LANES] {
        let Self { sources, columns, rays, met } = self;
        opacity.clear();
        let mut from = 0;
        for &to in &sources.ends[..*met] {
            let mut sum = [0.0; LANES];
            for (row, factor) in &sources.terms[from..to] {
                let row: &[f32; LANES] = row[start..start + LANES].try_into().expect("as many as that");
                for (sum, value) in sum.iter_mut().zip(row) {
                    *sum = factor.mul_add(*value, *sum);
                }
            }
            opacity.push(sum);
            from = to;
        }
        let mut sum = [0.0; LANES];
        for (ray, columns) in rays.iter().zip(columns.chunks_exact(sources.ends.len())) {
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
}

/// exp(-x) for x >= 0, to 3e-7 of it; beyond x = 87 what it is there, 1e-38.
#[inline(always)]
fn exp_of_minus(x: f32) -> f32 {
    /// Its sum with a small number has that number's nearest integer in its last bits.
    const MAGIC: f32 = 12_582_912.0;
    /// ln(2) in two parts, the first with few bits.
    const LN2: (f32, f32) = (0.693_359_4, -2.121_944_4e-4);
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
        let rows: Vec<Vec<f32>> =
            (0..3).map(|s| (0..2 * LANES).map(|i| (1.0 + s as f32) * 0.37 * (i as f32 + 0.1)).collect()).collect();
        let mut sources = Sources::default();
        for (i, row) in rows.iter().enumerate() {
            sources.push([(row.as_slice(), 0.3), (rows[0].as_slice(), i as f32)]);
        }
        let columns: Vec<f32> = (0..12).map(|i| 0.03 * (1 + i) as f32).collect();
        let rays: Vec<Ray> = (0..4).map(|i| Ray { sources: 3 - i % 2, weight: 0.1 + i as f32 }).collect();
        let mut room = Vec::new();
        let transit = Transit::new(sources, &columns, &rays);
        let fast = transit.absorbed(LANES, &mut room);
        assert_eq!(fast, transit.anywhere(LANES, &mut room));
    }
}
