//! Words of the command line to masks of maps.

use std::ops::RangeInclusive;

use super::fault::MaskError;
use super::map::{Hole, MapMask};

/// Before a hole that is turned over.
const NOT: &str = "not:";

impl MapMask {
    /// Whether `word` begins as the words for holes in maps do.
    pub fn is_meant_by(word: &str) -> bool {
        let first = word.strip_prefix(NOT).unwrap_or(word).split([',', ':']).next().unwrap_or_default();
        ["center", "left", "random", "grid", "rows", "columns"].contains(&first)
    }

    /// What the word says.
    pub fn parse(word: &str) -> Result<Self, MaskError> {
        map(word)
    }
}

fn map(word: &str) -> Result<MapMask, MaskError> {
    let (turned, hole) = match word.strip_prefix(NOT) {
        Some(hole) => (true, hole),
        None => (false, word),
    };
    let fault = |fault: &str| MaskError::word(&word, fault);
    let hole = match hole.split_once(':') {
        None if hole == "center" => Hole::Center,
        None if hole == "left" => Hole::Left,
        Some(("random", share)) => {
            let share: Option<f64> = share.parse().ok().filter(|share| *share > 0.0 && *share < 1.0);
            Hole::Random(share.ok_or_else(|| fault("has no share of pixels, expected more than 0 and less than 1"))?)
        }
        Some(("grid", every)) => {
            let every: Option<usize> = every.parse().ok().filter(|every| *every >= 2);
            Hole::Grid(every.ok_or_else(|| fault("has no spacing of pixels, expected a whole number from 2 on"))?)
        }
        Some(("rows" | "columns", _)) => rectangle(hole).map_err(|what| MaskError::word(&word, what))?,
        _ => {
            return Err(fault(
                "is no hole in a map, expected center, left, random:0.2, grid:4, or rows:10-20,columns:5-30",
            ));
        }
    };
    Ok(MapMask { hole, turned })
}

/// `rows:10-20,columns:5-30`, or one of them.
fn rectangle(text: &str) -> Result<Hole, String> {
    let (mut rows, mut columns) = (None, None);
    for part in text.split(',') {
        let side = match part.trim().split_once(':') {
            Some(("rows", range)) => rows.replace(span(range)?),
            Some(("columns", range)) => columns.replace(span(range)?),
            _ => return Err(format!("has `{part:.30}`, expected rows:10-20,columns:5-30")),
        };
        if side.is_some() {
            return Err("names a side twice, expected one rectangle".into());
        }
    }
    Ok(Hole::Rectangle { rows, columns })
}

fn span(text: &str) -> Result<RangeInclusive<usize>, String> {
    let wrong = || format!("has `{text:.30}`, expected whole numbers from 0, the smaller first, as in 10-20");
    let (from, to) = text.split_once('-').ok_or_else(wrong)?;
    let (from, to) = (from.parse().map_err(|_| wrong())?, to.parse().map_err(|_| wrong())?);
    if from > to { Err(wrong()) } else { Ok(from..=to) }
}
