//! Matrix products on panels of sixteen columns.

use std::arch::x86_64::{
    __m512, _mm512_add_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps,
};

/// Numbers of a vector, and columns of a panel.
pub const LANES: usize = 16;

/// Rows of a result that are worked on at once.
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

/// The product of `a` and `b` for `rows` rows, a multiple of `ROWS`.
///
/// # Safety
/// All that is addressed is the caller's, and the processor has AVX-512F.
#[target_feature(enable = "avx512f")]
pub unsafe fn product(a: Left, rows: usize, b: Right, c: Target) {
    let mut panel = 0;
    while panel < b.panels {
        let some = if b.panels - panel == 3 { 3 } else { (b.panels - panel).min(2) };
        for row in (0..rows).step_by(ROWS) {
            // SAFETY: the caller's.
            unsafe {
                let a = Left { from: a.from.add(row * a.row), ..a };
                let b = Right { from: b.from.add(panel * b.panel), ..b };
                let c = Target { to: c.to.add(panel * c.panel + row * LANES), ..c };
                match some {
                    3 => block::<3>(a, b, c),
                    2 => block::<2>(a, b, c),
                    _ => block::<1>(a, b, c),
                }
            }
        }
        panel += some;
    }
}

/// `ROWS` rows and `PANELS` panels of the result, which stay in registers.
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn block<const PANELS: usize>(a: Left, b: Right, c: Target) {
    let mut sums: [[__m512; PANELS]; ROWS] = [[_mm512_setzero_ps(); PANELS]; ROWS];
    // SAFETY: the caller's.
    unsafe {
        for segment in 0..a.segments {
            let mut right = b.from.add(segment * b.segment);
            for chunk in 0..a.chunks {
                let mut left = a.from.add(segment * a.segment + chunk * a.chunk);
                for _ in 0..a.columns {
                    let line: [__m512; PANELS] =
                        std::array::from_fn(|panel| _mm512_loadu_ps(right.add(panel * b.panel)));
                    for (row, sums) in sums.iter_mut().enumerate() {
                        let factor = _mm512_set1_ps(*left.add(row * a.row));
                        for (sum, line) in sums.iter_mut().zip(line) {
                            *sum = _mm512_fmadd_ps(factor, line, *sum);
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
                _mm512_storeu_ps(to, if c.add { _mm512_add_ps(sum, _mm512_loadu_ps(to)) } else { sum });
            }
        }
    }
}
