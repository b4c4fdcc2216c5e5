//! Rows to columns, in blocks that stay in the first-level cache.

const BLOCK: usize = 16;

/// `from` is `[rows, columns]`; `to` becomes `[columns, rows]`.
pub fn transpose<T: Copy>(from: &[T], rows: usize, columns: usize, to: &mut [T]) {
    assert!(from.len() == rows * columns && to.len() == from.len(), "both planes hold rows x columns numbers");
    for top in (0..rows).step_by(BLOCK) {
        let bottom = (top + BLOCK).min(rows);
        for left in (0..columns).step_by(BLOCK) {
            for column in left..(left + BLOCK).min(columns) {
                let line = &mut to[column * rows + top..column * rows + bottom];
                for (target, row) in line.iter_mut().zip(top..) {
                    *target = from[row * columns + column];
                }
            }
        }
    }
}
