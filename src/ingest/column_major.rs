//! Arrays whose first index runs fastest, as Fortran stores them, brought into row-major order.

use std::io;

use serde::{Deserialize, Serialize};

use super::bytes::Bytes;

/// An array whose first index runs fastest, as Fortran stores it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnMajor {
    /// Its first byte.
    pub start: u64,
    /// Lengths of its axes.
    pub shape: Vec<usize>,
    /// Bytes of a number.
    pub size: usize,
}

/// The numbers of an array in row-major order; they have been found to be there.
pub(super) fn row_major(bytes: &Bytes, array: &ColumnMajor) -> io::Result<Vec<u8>> {
    let ColumnMajor { start, shape, size } = array;
    let size = *size;
    let mut stored = vec![0; shape.iter().product::<usize>() * size];
    bytes.read_exact_at(&mut stored, *start)?;
    let mut ordered = Vec::with_capacity(stored.len());
    let strides: Vec<usize> = shape
        .iter()
        .scan(size, |stride, length| {
            let this = *stride;
            *stride *= length;
            Some(this)
        })
        .collect();
    let mut index = vec![0; shape.len()];
    let mut place = 0;
    while ordered.len() < stored.len() {
        ordered.extend_from_slice(&stored[place..place + size]);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            place += strides[axis];
            if index[axis] < shape[axis] {
                break;
            }
            place -= strides[axis] * shape[axis];
            index[axis] = 0;
        }
    }
    Ok(ordered)
}
