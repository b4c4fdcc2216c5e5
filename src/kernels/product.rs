//! Matrix products on panels of sixteen columns.

use std::arch::x86_64::__m512;

use super::vector::{LANES, Pair, Vector};

/// Rows come in multiples of this.
pub const ROWS: usize = 8;

/// A left factor `[rows, columns]`. Its columns come in segments of chunks of a few.
#[derive(Clone, Copy)]
pub struct Left {
    /// Where it begins.
    pub from: *const f32,
    /// How far it is from a row to the next.
    pub row: usize,
    /// How far from a column of a chunk to the next, and how many a chunk has.
    pub column: usize,
    /// Columns of a chunk.
    pub columns: usize,
    /// How far from a chunk of a segment to the next, and how many a segment has.
    pub chunk: usize,
    /// Chunks of a segment.
    pub chunks: usize,
    /// How far from a segment to the next.
    pub segment: usize,
    /// Segments.
    pub segments: usize,
}

/// A right factor: panels `[columns of the left factor, 16]`, in the same segments.
#[derive(Clone, Copy)]
pub struct Right {
    /// Where it begins.
    pub from: *const f32,
    /// How far it is from a panel to the next.
    pub panel: usize,
    /// Panels.
    pub panels: usize,
    /// How far from a segment to the next.
    pub segment: usize,
}

/// A result: panels `[rows, 16]`.
#[derive(Clone, Copy)]
pub struct Target {
    /// Where it begins.
    pub to: *mut f32,
    /// How far it is from a panel to the next.
    pub panel: usize,
    /// Whether the product is added to what is there.
    pub add: bool,
}

/// Vectors of which products are made.
pub trait Product: Vector {
    /// The product of `a` and `b` for `rows` rows, a multiple of `ROWS`.
    ///
    /// # Safety
    /// All that is addressed is the caller's, and the processor has these vectors.
    unsafe fn product(a: Left, rows: usize, b: Right, c: Target);
}

/// Thirty-two registers hold 8 rows of 3 panels.
macro_rules! eight_rows {
    ($block:ident, $left:expr, $panels:expr, ($($factor:ident),*)) => {
        match $panels {
            3 => $block::<8, 3>($($factor),*),
            2 => $block::<8, 2>($($factor),*),
            _ => $block::<8, 1>($($factor),*),
        }
    };
}

/// Sixteen registers of half the width hold 6 rows of a panel. A multiple of 8 is sixes and at most two fours.
macro_rules! six_rows {
    ($block:ident, $left:expr, $panels:expr, ($($factor:ident),*)) => {
        if $left == 6 || $left >= 10 { $block::<6, 1>($($factor),*) } else { $block::<4, 1>($($factor),*) }
    };
}
macro_rules! product {
    ($vector:ty, $features:literal, $block:ident, $blocks:ident) => {
        impl Product for $vector {
            #[target_feature(enable = $features)]
            unsafe fn product(a: Left, rows: usize, b: Right, c: Target) {
                let mut panel = 0;
                while panel < b.panels {
                    let left = b.panels - panel;
                    // Three together are better than two and one, but two and two than three and one.
                    let some = if left == 3 { left.min(Self::PANELS) } else { left.min(2).min(Self::PANELS) };
                    let mut row = 0;
                    while row < rows {
                        // SAFETY: the caller's.
                        row += unsafe {
                            let a = Left { from: a.from.add(row * a.row), ..a };
                            let b = Right { from: b.from.add(panel * b.panel), ..b };
                            let c = Target { to: c.to.add(panel * c.panel + row * LANES), ..c };
                            $blocks!($block, rows - row, some, (a, b, c))
                        };
                    }
                    panel += some;
                }
            }
        }

        /// `COUNT` rows and `PANELS` panels of the result, which stay in registers; gives back how many rows.
        #[inline]
        #[target_feature(enable = $features)]
        unsafe fn $block<const COUNT: usize, const PANELS: usize>(a: Left, b: Right, c: Target) -> usize {
            // SAFETY: the caller's.
            unsafe {
                let mut sums = [[<$vector>::of(0.0); PANELS]; COUNT];
                for segment in 0..a.segments {
                    let mut right = b.from.add(segment * b.segment);
                    for chunk in 0..a.chunks {
                        let mut left = a.from.add(segment * a.segment + chunk * a.chunk);
                        for _ in 0..a.columns {
                            let line: [$vector; PANELS] =
                                std::array::from_fn(|panel| <$vector>::load(right.add(panel * b.panel)));
                            for (row, sums) in sums.iter_mut().enumerate() {
                                let factor = <$vector>::of(*left.add(row * a.row));
                                for (sum, line) in sums.iter_mut().zip(line) {
                                    *sum = factor.times_plus(line, *sum);
                                }
                            }
                            left = left.add(a.column);
                            right = right.add(LANES);
                        }
                    }
                }
                for (row, sums) in sums.into_iter().enumerate() {
                    for (panel, sum) in sums.into_iter().enumerate() {
                        let to = c.to.add(panel * c.panel + row * LANES);
                        let sum = if c.add { sum.plus(<$vector>::load(to)) } else { sum };
                        sum.store(to);
                    }
                }
            }
            COUNT
        }
    };
}

product!(__m512, "avx512f", block_of_avx512, eight_rows);
product!(Pair, "avx2,fma", block_of_avx2, six_rows);
