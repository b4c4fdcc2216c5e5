//! One column of a file: numbers `[points]` or `[objects, points]`, held, packed, or left to HDF5.

use std::ops::Range;

use hdf5::{Hyperslab, SliceOrIndex};

use crate::ingest::hdf5::first_line;
use crate::ingest::pixels::{Number, doubles};

/// Named numbers.
#[derive(Debug)]
pub(super) struct Column {
    /// As the file has it.
    pub name: String,
    /// As the file says it.
    pub unit: Option<String>,
    /// `[points]` or `[objects, points]`.
    pub shape: Vec<usize>,
    /// The numbers.
    pub numbers: Numbers,
}

/// Wherever numbers are.
#[derive(Debug)]
pub(super) enum Numbers {
    /// Here.
    Held(Vec<f64>),
    /// Here, as they were stored.
    Packed(Number, bool, Vec<u8>),
    /// In an open file.
    Hdf5(hdf5::Dataset),
}

impl Column {
    /// One of `[points]`.
    pub(super) fn of(name: &str, values: Vec<f64>) -> Self {
        Self { name: name.to_owned(), unit: None, shape: vec![values.len()], numbers: Numbers::Held(values) }
    }

    /// Whether each object has a row of its own.
    pub(super) fn has_rows(&self) -> bool {
        self.shape.len() == 2
    }

    /// Numbers in a row.
    pub(super) fn points(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }

    /// All numbers of `[points]`.
    pub(super) fn all(&self) -> Result<Vec<f64>, String> {
        self.rows(0..self.shape.iter().rev().nth(1).copied().unwrap_or(1))
    }

    /// Numbers of these objects, `[objects, points]` flat; of `[points]`, which all objects share, always `[points]`.
    pub(super) fn rows(&self, objects: Range<usize>) -> Result<Vec<f64>, String> {
        let part =
            if self.has_rows() { objects.start * self.points()..objects.end * self.points() } else { 0..self.points() };
        match &self.numbers {
            Numbers::Held(values) => Ok(values[part].to_vec()),
            Numbers::Packed(number, big_endian, bytes) => {
                let size = number.bytes();
                Ok(doubles(*number, *big_endian, &bytes[part.start * size..part.end * size]))
            }
            Numbers::Hdf5(dataset) if self.has_rows() => {
                let slab = Hyperslab::from(vec![SliceOrIndex::from(objects), SliceOrIndex::from(..)]);
                let read = dataset.read_slice_2d::<f64, _>(slab).map_err(|error| first_line(&error))?;
                Ok(read.into_iter().collect())
            }
            Numbers::Hdf5(dataset) => dataset.read_raw::<f64>().map_err(|error| first_line(&error)),
        }
    }
}
