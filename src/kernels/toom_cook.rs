//! Short products by evaluation and interpolation: 5 taps of stride 2, `m` results at a time, along one axis.
//!
//! Results o_j = sum_k w_k x_(2j+k), j < m, k < 5, are two ordinary correlations, of the even samples with three taps and
//! of the odd ones with two. Each is Toom and Cook's algorithm (Winograd 1980; Lavin and Gray 2016 for networks): data
//! and taps are evaluated at m + 2 and m + 1 points, multiplied point by point, and interpolated. The points of the
//! second are among those of the first, so that products at a point are added before they are interpolated.
//! In two dimensions both axes are treated so: (2m + 3)^2 products for m^2 results, where the plain sum takes 25 m^2.

#![expect(clippy::inline_always, reason = "the processor's features are those of the function that they are part of")]

use super::vector::Vector;

/// The most samples that the results of a tile take along an axis.
pub const LONGEST: usize = 11;

/// Sixteen channels of a tile of samples, or of its values at the points.
pub type Square<V> = [[V; LONGEST]; LONGEST];

/// The algorithm for `M` results, with `P` = M + 2 points and `Q` = M + 1 of them for the odd samples.
pub struct Algorithm<const M: usize, const P: usize, const Q: usize> {
    /// Products at the points to results.
    interpolate: [[f32; P]; M],
    /// Even taps to their values at the points.
    even_taps: [[f32; 3]; P],
    /// Odd taps.
    odd_taps: [[f32; 2]; Q],
    /// Even samples to their values at the points.
    even_samples: [[f32; P]; P],
    /// Odd samples.
    odd_samples: [[f32; Q]; Q],
    /// Which of the points the odd samples have.
    pub odd_points: [usize; Q],
}

/// Points 0, 1, -1 and infinity.
pub const BY_TWO: Algorithm<2, 4, 3> = Algorithm {
    interpolate: [[1.0, 1.0, 1.0, 0.0], [0.0, 1.0, -1.0, 1.0]],
    even_taps: [[1.0, 0.0, 0.0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.0, 0.0, 1.0]],
    odd_taps: [[1.0, 0.0], [1.0, 1.0], [0.0, 1.0]],
    even_samples: [[1.0, 0.0, -1.0, 0.0], [0.0, 1.0, 1.0, 0.0], [0.0, -1.0, 1.0, 0.0], [0.0, -1.0, 0.0, 1.0]],
    odd_samples: [[1.0, -1.0, 0.0], [0.0, 1.0, 0.0], [0.0, -1.0, 1.0]],
    odd_points: [0, 1, 3],
};

/// Points 0, 1, -1, 2, -1/2 and infinity; the odd samples do without -1/2. Of all choices of small points this one has
/// the smallest rounding errors.
pub const BY_FOUR: Algorithm<4, 6, 5> = Algorithm {
    interpolate: [
        [1.0, 1.0, 1.0, 1.0, 1.0, 0.0],
        [0.0, 1.0, -1.0, 2.0, -0.5, 0.0],
        [0.0, 1.0, 1.0, 4.0, 0.25, 0.0],
        [0.0, 1.0, -1.0, 8.0, -0.125, 1.0],
    ],
    even_taps: [
        [2.0, 0.0, 0.0],
        [1.0, 1.0, 1.0],
        [1.0, -1.0, 1.0],
        [0.125, 0.25, 0.5],
        [2.0, -1.0, 0.5],
        [0.0, 0.0, 2.0],
    ],
    odd_taps: [[1.0, 0.0], [1.0, 1.0], [0.5, -0.5], [0.25, 0.5], [0.0, 2.0]],
    even_samples: [
        [0.5, 0.75, -1.0, -0.75, 0.5, 0.0],
        [0.0, 1.0 / 3.0, 5.0 / 6.0, 1.0 / 6.0, -1.0 / 3.0, 0.0],
        [0.0, 1.0 / 3.0, 1.0 / 6.0, -5.0 / 6.0, 1.0 / 3.0, 0.0],
        [0.0, -4.0 / 15.0, -8.0 / 15.0, 4.0 / 15.0, 8.0 / 15.0, 0.0],
        [0.0, -16.0 / 15.0, 8.0 / 15.0, 16.0 / 15.0, -8.0 / 15.0, 0.0],
        [0.0, 0.5, 0.75, -1.0, -0.75, 0.5],
    ],
    odd_samples: [
        [1.0, -0.5, -1.0, 0.5, 0.0],
        [0.0, 1.0, 0.5, -0.5, 0.0],
        [0.0, -2.0 / 3.0, 1.0, -1.0 / 3.0, 0.0],
        [0.0, -2.0 / 3.0, 0.0, 2.0 / 3.0, 0.0],
        [0.0, 1.0, -0.5, -1.0, 0.5],
    ],
    odd_points: [0, 1, 2, 3, 5],
};

// SAFETY of all that follows: the processor has the vectors, which is the caller's.

/// `y = a x`, for vectors of sixteen channels.
#[inline(always)]
unsafe fn apply<V: Vector, const R: usize, const C: usize>(
    a: &[[f32; C]; R],
    x: impl Fn(usize) -> V,
    y: impl FnMut(usize, V),
) {
    unsafe { combine([R, C], |o, i| a[o][i], x, y) }
}

/// `y = a^T x`.
#[inline(always)]
unsafe fn apply_transposed<V: Vector, const R: usize, const C: usize>(
    a: &[[f32; C]; R],
    x: impl Fn(usize) -> V,
    y: impl FnMut(usize, V),
) {
    unsafe { combine([C, R], |o, i| a[i][o], x, y) }
}

/// Sums of inputs by the factors of each output, but for those that are zero.
#[inline(always)]
unsafe fn combine<V: Vector>(
    [outputs, inputs]: [usize; 2],
    factor: impl Fn(usize, usize) -> f32,
    x: impl Fn(usize) -> V,
    mut y: impl FnMut(usize, V),
) {
    for o in 0..outputs {
        let mut sum = unsafe { V::of(0.0) };
        let mut begun = false;
        for i in 0..inputs {
            let factor = factor(o, i);
            if factor != 0.0 {
                sum = unsafe {
                    let factor = V::of(factor);
                    if begun { factor.times_plus(x(i), sum) } else { factor.times(x(i)) }
                };
                begun = true;
            }
        }
        y(o, sum);
    }
}

/// What a size of tile can do; all matrices are constants of it, so that the compiler drops their zeros.
pub trait Tiling {
    /// Results along an axis.
    const RESULTS: usize;
    /// Points along an axis.
    const POINTS: usize;
    /// Samples, and values of samples at points, along an axis.
    const SAMPLES: usize = 2 * Self::RESULTS + 3;
    /// Which of the points the odd samples have.
    const ODD_POINTS: &'static [usize];
    /// Samples to values at the points, even ones first.
    unsafe fn samples<V: Vector>(x: impl Fn(usize) -> V, y: impl FnMut(usize, V));
    /// The adjoint of `samples`.
    unsafe fn samples_back<V: Vector>(x: impl Fn(usize) -> V, y: impl FnMut(usize, V));
    /// Taps to values at the points, even ones first.
    unsafe fn taps<V: Vector>(x: impl Fn(usize) -> V, y: impl FnMut(usize, V));
    /// The adjoint of `taps`.
    unsafe fn taps_back<V: Vector>(x: impl Fn(usize) -> V, y: impl FnMut(usize, V));
    /// Products at the points to results.
    unsafe fn results<V: Vector>(x: impl Fn(usize) -> V, y: impl FnMut(usize, V));
    /// The adjoint of `results`.
    unsafe fn results_back<V: Vector>(x: impl Fn(usize) -> V, y: impl FnMut(usize, V));
}

macro_rules! tiling {
    ($name:ident, $algorithm:ident, $m:expr, $doc:expr) => {
        #[doc = $doc]
        pub struct $name;
        impl Tiling for $name {
            const RESULTS: usize = $m;
            const POINTS: usize = $m + 2;
            const ODD_POINTS: &'static [usize] = &$algorithm.odd_points;
            #[inline(always)]
            unsafe fn samples<V: Vector>(x: impl Fn(usize) -> V, mut y: impl FnMut(usize, V)) {
                unsafe {
                    apply(const { &$algorithm.even_samples }, |i| x(2 * i), |i, v| y(i, v));
                    apply(const { &$algorithm.odd_samples }, |i| x(2 * i + 1), |i, v| y($m + 2 + i, v));
                }
            }
            #[inline(always)]
            unsafe fn samples_back<V: Vector>(x: impl Fn(usize) -> V, mut y: impl FnMut(usize, V)) {
                unsafe {
                    apply_transposed(const { &$algorithm.even_samples }, |i| x(i), |i, v| y(2 * i, v));
                    apply_transposed(const { &$algorithm.odd_samples }, |i| x($m + 2 + i), |i, v| y(2 * i + 1, v));
                }
            }
            #[inline(always)]
            unsafe fn taps<V: Vector>(x: impl Fn(usize) -> V, mut y: impl FnMut(usize, V)) {
                unsafe {
                    apply(const { &$algorithm.even_taps }, |i| x(2 * i), |i, v| y(i, v));
                    apply(const { &$algorithm.odd_taps }, |i| x(2 * i + 1), |i, v| y($m + 2 + i, v));
                }
            }
            #[inline(always)]
            unsafe fn taps_back<V: Vector>(x: impl Fn(usize) -> V, mut y: impl FnMut(usize, V)) {
                unsafe {
                    apply_transposed(const { &$algorithm.even_taps }, |i| x(i), |i, v| y(2 * i, v));
                    apply_transposed(const { &$algorithm.odd_taps }, |i| x($m + 2 + i), |i, v| y(2 * i + 1, v));
                }
            }
            #[inline(always)]
            unsafe fn results<V: Vector>(x: impl Fn(usize) -> V, y: impl FnMut(usize, V)) {
                unsafe { apply(const { &$algorithm.interpolate }, x, y) }
            }
            #[inline(always)]
            unsafe fn results_back<V: Vector>(x: impl Fn(usize) -> V, y: impl FnMut(usize, V)) {
                unsafe { apply_transposed(const { &$algorithm.interpolate }, x, y) }
            }
        }
    };
}
tiling!(ByTwo, BY_TWO, 2, "Tiles of 2 x 2 results: 49 products for what takes 100.");
tiling!(ByFour, BY_FOUR, 4, "Tiles of 4 x 4 results: 121 products for what takes 400.");
