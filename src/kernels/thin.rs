//! The strided convolution where the wide side has one channel: plain sums, with the narrow side's channels in vectors.
//!
//! Images are framed with zeros first, so that no tap needs to look where it falls.

use std::arch::x86_64::__m512;
use std::ops::Range;

use super::product::{Left, Product, ROWS, Right, Target};
use super::vector::{LANES, Pair, Vector, Vectors};
use super::{PADDING, SIDE, Shape, TAPS};

/// Pixels of the narrow side that are worked on at once.
const PIXELS: usize = 4;

/// One image of the wide side in its frame.
struct Framed {
    values: Vec<f32>,
    width: usize,
}

impl Framed {
    fn new(shape: &Shape) -> Self {
        let (height, width) = (2 * shape.rows() + SIDE - 2, 2 * shape.columns() + SIDE - 2);
        Self { values: vec![0.0; height * width], width }
    }

    /// Where row `y` of the image of `shape` lies.
    fn row(&self, shape: &Shape, y: usize) -> Range<usize> {
        let start = (y + PADDING) * self.width + PADDING;
        start..start + shape.width
    }

    /// Takes image number `image` of `x`.
    fn take(&mut self, shape: &Shape, x: &[f32], image: usize) {
        for y in 0..shape.height {
            let row = self.row(shape, y);
            self.values[row].copy_from_slice(&x[(image * shape.height + y) * shape.width..][..shape.width]);
        }
    }
}

/// `[N, 1, 5, 5]` to `[25, N]`.
fn by_tap(weight: &[f32], narrow: usize) -> Vec<f32> {
    (0..TAPS).flat_map(|tap| (0..narrow).map(move |n| weight[n * TAPS + tap])).collect()
}

/// Calls a function with these vectors.
macro_rules! with_vectors {
    ($vectors:expr, $function:ident($($argument:expr),*)) => {
        match $vectors {
            Vectors::Avx512 => $function::<__m512>($($argument),*),
            Vectors::Avx2 => $function::<Pair>($($argument),*),
        }
    };
}

/// The narrow side `y` of the wide side `x`.
pub fn to_narrow(vectors: Vectors, shape: Shape, x: &[f32], weight: &[f32], bias: Option<&[f32]>, y: &mut [f32]) {
    assert!(shape.fits(vectors) && shape.wide == 1 && x.len() == shape.wide_numbers(), "the caller has looked");
    assert!(weight.len() == shape.narrow * TAPS, "the caller has looked");
    assert!(bias.is_none_or(|bias| bias.len() == shape.narrow), "the caller has looked");
    with_vectors!(vectors, narrow_of(shape, x, weight, bias, y));
}

fn narrow_of<V: Thin>(shape: Shape, x: &[f32], weight: &[f32], bias: Option<&[f32]>, y: &mut [f32]) {
    let (rows, columns, narrow) = (shape.rows(), shape.columns(), shape.narrow);
    let weight = by_tap(weight, narrow);
    let none = vec![0.0; narrow];
    let bias = bias.unwrap_or(&none);
    let mut framed = Framed::new(&shape);
    for (image, y) in y.chunks_exact_mut(rows * columns * narrow).enumerate() {
        framed.take(&shape, x, image);
        for (row, y) in y.chunks_exact_mut(columns * narrow).enumerate() {
            let lines = &framed.values[2 * row * framed.width..];
            let mut panel = 0;
            while panel < narrow / LANES {
                let some = V::together(narrow / LANES - panel);
                let mut column = 0;
                while column < columns {
                    let several = columns - column >= PIXELS;
                    // SAFETY: the processor has these vectors; the frame has all pixels that the taps of these columns fall
                    // on, and `weight`, `bias` and `y` all channels of these panels.
                    unsafe {
                        let from = lines[2 * column..].as_ptr();
                        let weight = weight[panel * LANES..].as_ptr();
                        let bias = bias[panel * LANES..].as_ptr();
                        let to = y[column * narrow + panel * LANES..].as_mut_ptr();
                        let one = Pixels { from, width: framed.width, weight, bias, narrow, to };
                        match (some, several) {
                            (4, true) => V::sum::<4, PIXELS>(&one),
                            (4, false) => V::sum::<4, 1>(&one),
                            (2, true) => V::sum::<2, PIXELS>(&one),
                            (2, false) => V::sum::<2, 1>(&one),
                            (_, true) => V::sum::<1, PIXELS>(&one),
                            (_, false) => V::sum::<1, 1>(&one),
                        }
                    }
                    column += if several { PIXELS } else { 1 };
                }
                panel += some;
            }
        }
    }
}

/// Neighbouring pixels of the narrow side, and what they are made of.
struct Pixels {
    from: *const f32,
    width: usize,
    weight: *const f32,
    bias: *const f32,
    narrow: usize,
    to: *mut f32,
}

/// Vectors of which these sums are made.
trait Thin: Product {
    /// How many panels are worked on at once where `left` are still to come.
    fn together(left: usize) -> usize;
    /// `PANELS` panels of `COUNT` pixels.
    unsafe fn sum<const PANELS: usize, const COUNT: usize>(pixels: &Pixels);
    /// What a row of pixels adds to the gradient of a row of taps, in `PANELS` panels.
    unsafe fn add_row<const PANELS: usize>(
        from: *const f32,
        y: *const f32,
        columns: usize,
        narrow: usize,
        to: *mut f32,
    );
}

macro_rules! thin {
    ($vector:ty, $features:literal, $most:literal) => {
        impl Thin for $vector {
            fn together(left: usize) -> usize {
                if left >= 4 { $most } else { left.min(2).min($most) }
            }

            #[target_feature(enable = $features)]
            unsafe fn sum<const PANELS: usize, const COUNT: usize>(pixels: &Pixels) {
                // SAFETY: the caller's.
                unsafe {
                    let bias: [$vector; PANELS] =
                        std::array::from_fn(|panel| <$vector>::load(pixels.bias.add(panel * LANES)));
                    let mut sums = [bias; COUNT];
                    for tap in 0..TAPS {
                        let from = pixels.from.add(tap / SIDE * pixels.width + tap % SIDE);
                        let weight = pixels.weight.add(tap * pixels.narrow);
                        let weight: [$vector; PANELS] =
                            std::array::from_fn(|panel| <$vector>::load(weight.add(panel * LANES)));
                        for (pixel, sums) in sums.iter_mut().enumerate() {
                            let value = <$vector>::of(*from.add(2 * pixel));
                            for (sum, weight) in sums.iter_mut().zip(weight) {
                                *sum = value.times_plus(weight, *sum);
                            }
                        }
                    }
                    for (pixel, sums) in sums.into_iter().enumerate() {
                        for (panel, sum) in sums.into_iter().enumerate() {
                            sum.store(pixels.to.add(pixel * pixels.narrow + panel * LANES));
                        }
                    }
                }
            }

            #[target_feature(enable = $features)]
            unsafe fn add_row<const PANELS: usize>(
                from: *const f32,
                y: *const f32,
                columns: usize,
                narrow: usize,
                to: *mut f32,
            ) {
                // SAFETY: the caller's.
                unsafe {
                    let mut sums: [[$vector; PANELS]; SIDE] = [[<$vector>::of(0.0); PANELS]; SIDE];
                    for (tap, sums) in sums.iter_mut().enumerate() {
                        for (panel, sum) in sums.iter_mut().enumerate() {
                            *sum = <$vector>::load(to.add(tap * narrow + panel * LANES));
                        }
                    }
                    for column in 0..columns {
                        let y = y.add(column * narrow);
                        let y: [$vector; PANELS] = std::array::from_fn(|panel| <$vector>::load(y.add(panel * LANES)));
                        for (tap, sums) in sums.iter_mut().enumerate() {
                            let value = <$vector>::of(*from.add(2 * column + tap));
                            for (sum, y) in sums.iter_mut().zip(y) {
                                *sum = value.times_plus(y, *sum);
                            }
                        }
                    }
                    for (tap, sums) in sums.into_iter().enumerate() {
                        for (panel, sum) in sums.into_iter().enumerate() {
                            sum.store(to.add(tap * narrow + panel * LANES));
                        }
                    }
                }
            }
        }
    };
}
thin!(__m512, "avx512f", 4);
thin!(Pair, "avx2,fma", 1);

/// The wide side of the narrow side `y`, added to what is in `x`.
pub fn to_wide(vectors: Vectors, shape: Shape, y: &[f32], weight: &[f32], x: &mut [f32]) {
    assert!(shape.fits(vectors) && shape.wide == 1 && y.len() == shape.narrow_numbers(), "the caller has looked");
    assert!(weight.len() == shape.narrow * TAPS, "the caller has looked");
    with_vectors!(vectors, wide_of(shape, y, weight, x));
}

fn wide_of<V: Thin>(shape: Shape, y: &[f32], weight: &[f32], x: &mut [f32]) {
    /// Panels that hold all taps.
    const PANELS: usize = TAPS.div_ceil(LANES);
    let (pixels, columns, narrow) = (shape.rows() * shape.columns(), shape.columns(), shape.narrow);
    let mut taps = vec![0.0; PANELS * narrow * LANES]; // [panel][N][16]
    for n in 0..narrow {
        for tap in 0..TAPS {
            taps[(tap / LANES * narrow + n) * LANES + tap % LANES] = weight[n * TAPS + tap];
        }
    }
    let room = pixels.next_multiple_of(ROWS);
    let mut products = vec![0.0; PANELS * room * LANES];
    let mut last_rows = vec![0.0; ROWS * narrow];
    let mut framed = Framed::new(&shape);
    for (image, x) in x.chunks_exact_mut(shape.height * shape.width).enumerate() {
        let y = &y[image * pixels * narrow..][..pixels * narrow];
        let whole = pixels / ROWS * ROWS;
        last_rows[..(pixels - whole) * narrow].copy_from_slice(&y[whole * narrow..]);
        for (from, first, rows) in [(y.as_ptr(), 0, whole), (last_rows.as_ptr(), whole, room - whole)] {
            let left =
                Left { from, row: narrow, column: 1, columns: narrow, chunk: 0, chunks: 1, segment: 0, segments: 1 };
            let right = Right { from: taps.as_ptr(), panel: narrow * LANES, panels: PANELS, segment: 0 };
            let to = products[first.min(room - ROWS) * LANES..].as_mut_ptr();
            // SAFETY: the processor has these vectors; `rows` rows of pixels and their products are there.
            unsafe { V::product(left, rows, right, Target { to, panel: room * LANES, add: false }) };
        }
        framed.values.fill(0.0);
        for tap in 0..TAPS {
            let products = &products[tap / LANES * room * LANES + tap % LANES..];
            let to = &mut framed.values[tap / SIDE * framed.width + tap % SIDE..];
            for row in 0..shape.rows() {
                let to = to[2 * row * framed.width..].iter_mut().step_by(2);
                let products = products[row * columns * LANES..].iter().step_by(LANES);
                for (to, value) in to.zip(products).take(columns) {
                    *to += value;
                }
            }
        }
        for (y, x) in x.chunks_exact_mut(shape.width).enumerate() {
            for (to, value) in x.iter_mut().zip(&framed.values[framed.row(&shape, y)]) {
                *to += value;
            }
        }
    }
}

/// The gradient `[N, 1, 5, 5]` of the taps, given both sides.
pub fn to_taps(vectors: Vectors, shape: Shape, x: &[f32], y: &[f32], weight: &mut [f32]) {
    assert!(shape.fits(vectors) && shape.wide == 1 && weight.len() == shape.narrow * TAPS, "the caller has looked");
    assert!(x.len() == shape.wide_numbers() && y.len() == shape.narrow_numbers(), "the caller has looked");
    with_vectors!(vectors, taps_of(shape, x, y, weight));
}

fn taps_of<V: Thin>(shape: Shape, x: &[f32], y: &[f32], weight: &mut [f32]) {
    let (rows, columns, narrow) = (shape.rows(), shape.columns(), shape.narrow);
    let mut sums = vec![0.0; TAPS * narrow]; // [tap][N]
    let mut framed = Framed::new(&shape);
    for (image, y) in y.chunks_exact(rows * columns * narrow).enumerate() {
        framed.take(&shape, x, image);
        for (row, y) in y.chunks_exact(columns * narrow).enumerate() {
            let mut panel = 0;
            while panel < narrow / LANES {
                let some = V::together(narrow / LANES - panel);
                for tap_row in 0..SIDE {
                    let from = framed.values[(2 * row + tap_row) * framed.width..].as_ptr();
                    let y = y[panel * LANES..].as_ptr();
                    let to = sums[tap_row * SIDE * narrow + panel * LANES..].as_mut_ptr();
                    // SAFETY: the processor has these vectors; the frame has all pixels that these taps fall on.
                    unsafe {
                        match some {
                            4 => V::add_row::<4>(from, y, columns, narrow, to),
                            2 => V::add_row::<2>(from, y, columns, narrow, to),
                            _ => V::add_row::<1>(from, y, columns, narrow, to),
                        }
                    }
                }
                panel += some;
            }
        }
    }
    for (n, kernel) in weight.chunks_exact_mut(TAPS).enumerate() {
        for (tap, value) in kernel.iter_mut().enumerate() {
            *value = sums[tap * narrow + n];
        }
    }
}
