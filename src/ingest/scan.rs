//! One look at every pixel before anything is written: which patches hold bad ones, and how the others are spread.

use serde::{Deserialize, Serialize};

use super::patches::{Part, Survey};
use super::spread::{Spread, SpreadCounter};
use super::{IngestError, Reader};
use crate::data::Transform;

/// Read at once.
const BAND_BYTES: usize = 1 << 20;
/// Sums that run side by side, always added in the same order.
const LANES: usize = 8;
/// The default transforms put the value farthest from the mean a little inside [-1, 1].
const MARGIN: f64 = 1.05;

/// What was found in a map.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MapScan {
    /// Pixels that are no finite number.
    pub bad_pixels: u64,
    /// Patches that hold any, as row x columns + column, ascending.
    pub bad_patches: Vec<u32>,
    /// Of the good pixels that training sees.
    pub moments: Option<Moments>,
}

/// How values are spread.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    /// How many.
    pub count: u64,
    /// Their mean.
    pub mean: f64,
    /// Sum of squares about the mean.
    pub squares: f64,
    /// The least.
    pub least: f32,
    /// The greatest.
    pub greatest: f32,
}

/// Looks through one map of an input: what is in it, and how all its good pixels are spread.
pub fn scan(reader: &mut Reader, survey: &Survey, map: u64) -> Result<(MapScan, Spread), IngestError> {
    let (input, number) = survey.place_of(map);
    let grid = &survey.grids[input];
    let width = grid.width;
    let train = survey.pixel_rows(&survey.rows_for(Part::Train, map));
    let mut found = MapScan::default();
    let mut spread = SpreadCounter::default();
    let mut bad = Vec::new();
    let (mut bad_columns, mut good) = (Vec::new(), Vec::new());
    let rows_at_once = (BAND_BYTES / 4 / width).max(1);
    let mut band = vec![0.0; rows_at_once.min(grid.height) * width];
    for start in (0..grid.height).step_by(rows_at_once) {
        let rows = start..(start + rows_at_once).min(grid.height);
        let band = &mut band[..rows.len() * width];
        reader.read_rows(number, rows.clone(), band)?;
        for (y, row) in rows.zip(band.chunks_exact(width)) {
            let finite = row.iter().fold(true, |finite, x| finite & x.is_finite());
            let values = if finite {
                row
            } else {
                good.clear();
                good.extend(row.iter().filter(|x| x.is_finite()));
                found.bad_pixels += (width - good.len()) as u64;
                bad_columns.clear();
                bad_columns.resize(grid.columns, false);
                for (x, _) in row.iter().enumerate().filter(|(_, value)| !value.is_finite()) {
                    bad_columns[survey.lines_with(x, grid.columns)].fill(true);
                }
                bad.resize(grid.rows * grid.columns, false);
                for patch_row in survey.lines_with(y, grid.rows) {
                    let marks = &mut bad[patch_row * grid.columns..][..grid.columns];
                    marks.iter_mut().zip(&bad_columns).for_each(|(mark, is_bad)| *mark |= is_bad);
                }
                &good
            };
            spread.count(values);
            if train.contains(&y) {
                found.moments =
                    Moments::of(values).into_iter().chain(found.moments).reduce(|row, before| before.and(&row));
            }
        }
    }
    found.bad_patches = bad.iter().zip(0..).filter(|(is_bad, _)| **is_bad).map(|(_, patch)| patch).collect();
    Ok((found, spread.spread()))
}

impl Moments {
    /// Of some finite values; none of none.
    pub fn of(values: &[f32]) -> Option<Self> {
        // Squares are summed about a value that is near them all.
        let about = f64::from(*values.first()?);
        let (mut sums, mut squares) = ([0.0; LANES], [0.0; LANES]);
        let (mut least, mut greatest) = ([f32::INFINITY; LANES], [f32::NEG_INFINITY; LANES]);
        for values in values.chunks(LANES) {
            for (lane, &value) in values.iter().enumerate() {
                let distance = f64::from(value) - about;
                sums[lane] += distance;
                squares[lane] += distance * distance;
                least[lane] = least[lane].min(value);
                greatest[lane] = greatest[lane].max(value);
            }
        }
        let (count, sum) = (values.len() as u64, sums.iter().sum::<f64>());
        Some(Self {
            count,
            mean: about + sum / count as f64,
            squares: (squares.iter().sum::<f64>() - sum * sum / count as f64).max(0.0),
            least: least.into_iter().fold(f32::INFINITY, f32::min),
            greatest: greatest.into_iter().fold(f32::NEG_INFINITY, f32::max),
        })
    }

    /// Of these values and more (Chan, Golub & LeVeque 1983).
    #[must_use]
    pub fn and(&self, more: &Self) -> Self {
        let count = self.count + more.count;
        let (share, apart) = (more.count as f64 / count as f64, more.mean - self.mean);
        Self {
            count,
            mean: self.mean + apart * share,
            squares: self.squares + more.squares + apart * apart * self.count as f64 * share,
            least: self.least.min(more.least),
            greatest: self.greatest.max(more.greatest),
        }
    }

    /// Standard deviation.
    pub fn deviation(&self) -> f64 {
        (self.squares / self.count as f64).sqrt()
    }

    /// Linear up to a standard deviation, logarithmic beyond: the mean goes to 0, and no value that was seen out of [-1, 1].
    pub fn asinh(&self) -> Transform {
        let softening = self.unit();
        let (scale, offset) = self.fit(|x| (x / softening).asinh());
        Transform::Asinh { softening, scale, offset }
    }

    /// The mean goes to 0, and no value that was seen out of [-1, 1].
    pub fn linear(&self) -> Transform {
        let (scale, offset) = self.fit(|x| x);
        Transform::Linear { scale, offset }
    }

    /// The standard deviation, or 1 where all values are the same.
    fn unit(&self) -> f64 {
        let deviation = self.deviation();
        if deviation > 0.0 { deviation } else { 1.0 }
    }

    fn fit(&self, shape: impl Fn(f64) -> f64) -> (f64, f64) {
        let centre = shape(self.mean);
        let farthest =
            [self.least, self.greatest].map(|x| (shape(f64::from(x)) - centre).abs()).into_iter().fold(0.0, f64::max);
        let scale = if farthest > 0.0 { 1.0 / (MARGIN * farthest) } else { 1.0 };
        (scale, -scale * centre)
    }
}
