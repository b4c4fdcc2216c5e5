//! Histograms of pixel values, in bins that the reference set fixes.
//!
//! Shapes: n = maps, b = bins inside the range; two more count what lies below and above it.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::maps::Maps;
use super::profiles::Profiles;

/// This share of the reference's pixels is left below the range, and this share above.
const TAIL: f64 = 1e-4;
/// Quantiles are taken from at most this many pixels, evenly spread over the set.
const MOST_PIXELS_FOR_QUANTILES: usize = 1 << 22;

/// Equal bins over a range of pixel values.
///
/// In single precision, bin i holds the x with i <= (x - low) (b / (high - low)) < i+1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PixelBins {
    /// Lower end of the range.
    pub low: f64,
    /// Upper end, not in the range.
    pub high: f64,
    /// b.
    pub bins: usize,
}

impl PixelBins {
    /// Bins over all but the outermost 1 in 10,000 pixels of a reference at each end.
    pub fn from_reference(reference: Maps, bins: usize) -> Self {
        let pixels = reference.pixels();
        let stride = pixels.len().div_ceil(MOST_PIXELS_FOR_QUANTILES);
        // A stride that shares no factor with the side visits every row and column.
        let stride = if stride > 1 { stride | 1 } else { 1 };
        let mut drawn: Vec<f32> = pixels.iter().step_by(stride).copied().collect();
        let last = drawn.len() - 1;
        let below = (TAIL * last as f64) as usize;
        let mut quantile = |rank| f64::from(*drawn.select_nth_unstable_by(rank, f32::total_cmp).1);
        let (low, high) = (quantile(below), quantile(last - below));
        if high > low {
            Self { low, high, bins }
        } else {
            let margin = low.abs().mul_add(0.01, 1e-30); // wide enough for single precision, whatever the unit
            Self { low: low - margin, high: high + margin, bins }
        }
    }

    /// Width of a bin, in the unit of the pixels.
    pub fn width(&self) -> f64 {
        (self.high - self.low) / self.bins as f64
    }

    /// Middles of the bins, `[b]`.
    pub fn centres(&self) -> Vec<f64> {
        (0..self.bins).map(|bin| (bin as f64 + 0.5).mul_add(self.width(), self.low)).collect()
    }
}

/// Pixels of each map in each bin.
///
/// - returns: `[n, b+2]`: below the range, the bins, above it; a row adds up to side^2
pub fn pixel_counts(maps: Maps, bins: PixelBins) -> Profiles {
    let columns = bins.bins + 2;
    let mut counts = vec![0.0; maps.count() * columns];
    counts.par_chunks_exact_mut(columns).zip(maps.par_iter()).for_each_init(
        || vec![[0_u32; LANES]; columns],
        |lanes, (row, map)| {
            count(map, bins, lanes);
            for (out, lane) in row.iter_mut().zip(lanes) {
                // Exact: a map has fewer than 2^24 pixels a bin in any use.
                *out = lane.iter().sum::<u32>() as f32;
            }
        },
    );
    Profiles::new(counts, columns)
}

/// Share of all pixels in each bin, `[b+2]`: adds up to 1.
pub fn pixel_shares(counts: &Profiles) -> Vec<f64> {
    let mean = counts.band(1.0).mean;
    let total: f64 = mean.iter().sum();
    mean.iter().map(|x| x / total).collect()
}

/// Counters a bin has, so that equal neighbours need not wait for each other.
const LANES: usize = 4;
/// Pixels whose bins are computed together.
const RUN: usize = 64;

fn count(map: &[f32], bins: PixelBins, lanes: &mut [[u32; LANES]]) {
    lanes.fill([0; LANES]);
    let (low, scale, top) = (bins.low as f32, (1.0 / bins.width()) as f32, bins.bins as f32 + 1.0);
    let mut columns = [0_u32; RUN];
    for run in map.chunks(RUN) {
        for (column, x) in columns.iter_mut().zip(run) {
            *column = whole(((x - low) * scale + 1.0).clamp(0.0, top));
        }
        for (at, &column) in columns[..run.len()].iter().enumerate() {
            lanes[column as usize][at % LANES] += 1;
        }
    }
}

/// The whole part of 0 <= x < 2^23. A conversion would look after all that is no such number, one pixel after the other; this
/// takes many at once and a quarter of the time.
fn whole(x: f32) -> u32 {
    const LAST_BIT_IS_ONE: f32 = (1 << 23) as f32;
    let nearest = x + LAST_BIT_IS_ONE;
    nearest.to_bits() - LAST_BIT_IS_ONE.to_bits() - u32::from(nearest - LAST_BIT_IS_ONE > x)
}

#[cfg(test)]
mod tests {
    use super::whole;

    #[test]
    fn the_whole_part_is_what_a_conversion_gives() {
        let halves = (0..1000).map(|x| x as f32 / 2.0);
        let near = (1..1000).flat_map(|x| [(x as f32).next_down(), (x as f32).next_up()]);
        for x in halves.chain(near).chain([0.0, f32::MIN_POSITIVE, 8_388_607.0, 8_388_606.5]) {
            assert_eq!(whole(x), x as u32, "{x}");
        }
    }
}
