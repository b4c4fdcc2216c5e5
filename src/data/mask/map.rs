//! What is known of a map.
//!
//! Shapes: h, w = rows and columns.

use std::fmt;
use std::ops::RangeInclusive;

use super::fault::MaskError;
use crate::rng::{Draw, Stream};

/// What is missing.
#[derive(Clone, Debug, PartialEq)]
pub enum Hole {
    /// The middle half of the rows and columns.
    Center,
    /// The left half.
    Left,
    /// Each pixel with this chance, more than 0 and less than 1.
    Random(f64),
    /// All but each so many-th pixel of each so many-th row, from the first; 2 or more.
    Grid(usize),
    /// Rows and columns from 0, both ends included; all where they are not said.
    Rectangle {
        /// Which rows.
        rows: Option<RangeInclusive<usize>>,
        /// Which columns.
        columns: Option<RangeInclusive<usize>>,
    },
}

/// Which pixels of a map are known: all outside the hole.
#[derive(Clone, Debug, PartialEq)]
pub struct MapMask {
    /// What is missing.
    pub hole: Hole,
    /// Turned over: the hole is what is known.
    pub turned: bool,
}

impl MapMask {
    /// Which pixels are known, `[h, w]` row by row; one at least, and not all.
    ///
    /// - `draw`, `record`: where the chance of `Hole::Random` comes from; each record has a hole of its own
    pub fn pixels(&self, h: usize, w: usize, draw: Draw, record: u64) -> Result<Vec<bool>, MaskError> {
        let mut chance = draw.at(Stream::Mask, record, 0);
        let middle = |at: usize, length: usize| (length / 4..length * 3 / 4).contains(&at);
        let within = |range: &Option<RangeInclusive<usize>>, at| range.as_ref().is_none_or(|range| range.contains(&at));
        let mut missing = |row: usize, column: usize| match &self.hole {
            Hole::Center => middle(row, h) && middle(column, w),
            Hole::Left => column < w / 2,
            Hole::Random(share) => chance.uniform() < *share,
            Hole::Grid(every) => !(row.is_multiple_of(*every) && column.is_multiple_of(*every)),
            Hole::Rectangle { rows, columns } => within(rows, row) && within(columns, column),
        };
        let pixels = (0..h * w).map(|pixel| missing(pixel / w, pixel % w) == self.turned).collect::<Vec<bool>>();
        let fault = match (pixels.contains(&true), pixels.contains(&false)) {
            (true, true) => return Ok(pixels),
            (false, _) => "knows nothing of",
            (true, false) => "leaves nothing to fill in",
        };
        let fault = format!("{fault} a map of {h} x {w} pixels, expected a part of it");
        Err(MaskError::Misfit { word: self.to_string(), fault })
    }
}

/// The word that says the same.
impl fmt::Display for MapMask {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        if self.turned {
            out.write_str("not:")?;
        }
        match &self.hole {
            Hole::Center => out.write_str("center"),
            Hole::Left => out.write_str("left"),
            Hole::Random(share) => write!(out, "random:{share}"),
            Hole::Grid(every) => write!(out, "grid:{every}"),
            Hole::Rectangle { rows, columns } => {
                let side = |name: &str, range: &Option<RangeInclusive<usize>>| {
                    range.as_ref().map(|range| format!("{name}:{}-{}", range.start(), range.end()))
                };
                let sides: Vec<String> = side("rows", rows).into_iter().chain(side("columns", columns)).collect();
                out.write_str(&sides.join(","))
            }
        }
    }
}
