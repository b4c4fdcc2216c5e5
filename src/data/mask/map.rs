//! What is known of a map.
//!
//! Shapes: h, w = rows and columns.

use std::fmt;
use std::ops::{Range, RangeInclusive};

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
        let pixels: Vec<bool> = self.each(h, w, draw, record).collect();
        self.fault(h, w, record, pixels.iter().copied()).map_or(Ok(pixels), Err)
    }

    /// Whether something is known and something missing of each of `records`, by as few pixels as it takes.
    pub fn check(&self, h: usize, w: usize, draw: Draw, records: Range<u64>) -> Result<(), MaskError> {
        let alike = !matches!(self.hole, Hole::Random(_));
        let mut faults = records
            .take(if alike { 1 } else { usize::MAX })
            .filter_map(|record| self.fault(h, w, record, self.each(h, w, draw, record)));
        faults.next().map_or(Ok(()), Err)
    }

    fn each(&self, h: usize, w: usize, draw: Draw, record: u64) -> impl Iterator<Item = bool> {
        let mut chance = draw.at(Stream::Mask, record, 0);
        let middle = |at: usize, length: usize| (length / 4..length * 3 / 4).contains(&at);
        let within = |range: &Option<RangeInclusive<usize>>, at| range.as_ref().is_none_or(|range| range.contains(&at));
        let mut missing = move |row: usize, column: usize| match &self.hole {
            Hole::Center => middle(row, h) && middle(column, w),
            Hole::Left => column < w / 2,
            Hole::Random(share) => chance.uniform() < *share,
            Hole::Grid(every) => !(row.is_multiple_of(*every) && column.is_multiple_of(*every)),
            Hole::Rectangle { rows, columns } => within(rows, row) && within(columns, column),
        };
        (0..h * w).map(move |pixel| missing(pixel / w, pixel % w) == self.turned)
    }

    fn fault(&self, h: usize, w: usize, record: u64, mut pixels: impl Iterator<Item = bool>) -> Option<MaskError> {
        let first = pixels.next()?;
        if pixels.any(|known| known != first) {
            return None;
        }
        let fault = if first { "leaves nothing to fill in" } else { "knows nothing of" };
        let (which, wanted) = match self.hole {
            Hole::Random(_) => (format!(", number {record}"), "a share that leaves a part of each"),
            Hole::Center | Hole::Left | Hole::Grid(_) | Hole::Rectangle { .. } => (String::new(), "a part of it"),
        };
        let fault = format!("{fault} a map of {h} x {w} pixels{which}, expected {wanted}");
        Some(MaskError::Misfit { word: self.to_string(), fault })
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
