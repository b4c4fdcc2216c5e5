//! A set of square maps of one channel: a checked view of a flat slice.
//!
//! Shapes: n = maps, side = pixels along an edge.

use rayon::prelude::*;

use crate::exit::{Ends, Exit};

/// The smallest side on which every statistic is defined.
pub const SMALLEST_SIDE: usize = 8;

/// What a set of maps can have wrong.
#[derive(Debug, thiserror::Error)]
pub enum StatisticsError {
    /// The slice does not hold whole maps.
    #[error("{values} pixels, expected a positive multiple of {side} x {side}")]
    Shape {
        /// Pixels found.
        values: usize,
        /// Side asked for.
        side: usize,
    },
    /// Too few pixels for a spectrum.
    #[error("maps of side {side}, expected at least {SMALLEST_SIDE}")]
    Small {
        /// Side found.
        side: usize,
    },
    /// A pixel that is no number.
    #[error("map {map}, row {row}, column {column} is {value}, expected a finite number")]
    NotFinite {
        /// Map in the set.
        map: usize,
        /// Row in the map.
        row: usize,
        /// Column in the map.
        column: usize,
        /// What was found.
        value: f32,
    },
    /// Two sets that cannot be compared.
    #[error("{what} maps of side {found}, expected {expected} as in the reference")]
    Side {
        /// Which set.
        what: &'static str,
        /// Its side.
        found: usize,
        /// The reference's side.
        expected: usize,
    },
    /// Too few maps to speak of a spread.
    #[error("{found} {what} maps, expected at least {expected}")]
    Few {
        /// Which set.
        what: &'static str,
        /// Its maps.
        found: usize,
        /// Maps wanted.
        expected: usize,
    },
}

impl Ends for StatisticsError {
    fn exit(&self) -> Exit {
        Exit::Data
    }
}

/// A set of square maps, `[n, side, side]`, every pixel finite, n >= 1.
#[derive(Clone, Copy, Debug)]
pub struct Maps<'a> {
    values: &'a [f32],
    side: usize,
}

impl<'a> Maps<'a> {
    /// Looks at `values`, `[n, side, side]` in any unit, as maps.
    pub fn new(values: &'a [f32], side: usize) -> Result<Self, StatisticsError> {
        if side < SMALLEST_SIDE {
            return Err(StatisticsError::Small { side });
        }
        if values.is_empty() || !values.len().is_multiple_of(side * side) {
            return Err(StatisticsError::Shape { values: values.len(), side });
        }
        let first = values.par_chunks_exact(side * side).position_first(|map| !all_finite(map));
        if let Some(map) = first {
            let pixels = &values[map * side * side..][..side * side];
            let at = pixels.iter().position(|x| !x.is_finite()).expect("this map has a pixel that is no number");
            return Err(StatisticsError::NotFinite { map, row: at / side, column: at % side, value: pixels[at] });
        }
        Ok(Self { values, side })
    }

    /// n, at least 1.
    pub fn count(&self) -> usize {
        self.values.len() / (self.side * self.side)
    }

    /// Pixels along an edge.
    pub fn side(&self) -> usize {
        self.side
    }

    /// All pixels, `[n, side, side]`.
    pub fn pixels(&self) -> &'a [f32] {
        self.values
    }

    /// The maps one after another, over threads: `[side, side]` each.
    pub fn par_iter(&self) -> rayon::slice::ChunksExact<'a, f32> {
        self.values.par_chunks_exact(self.side * self.side)
    }

    /// The first `count` maps, or all where there are fewer.
    #[must_use]
    pub fn first(&self, count: usize) -> Self {
        let kept = count.clamp(1, self.count());
        Self { values: &self.values[..kept * self.side * self.side], side: self.side }
    }

    /// The first half and the rest: a reference, and the floor that the same truth leaves.
    pub fn halves(&self) -> Result<(Self, Self), StatisticsError> {
        if self.count() < 2 {
            return Err(StatisticsError::Few { what: "reference", found: self.count(), expected: 2 });
        }
        let (first, second) = self.values.split_at(self.count() / 2 * self.side * self.side);
        Ok((Self { values: first, side: self.side }, Self { values: second, side: self.side }))
    }
}

/// Without branches, many pixels at a time: infinities and NaN have the largest exponent.
fn all_finite(map: &[f32]) -> bool {
    map.iter().fold(0, |largest, x| largest.max(x.to_bits() & 0x7fff_ffff)) < f32::INFINITY.to_bits()
}
