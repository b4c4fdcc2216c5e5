//! From the wavenumbers at which opacities are known to the bins in which a spectrum is wanted.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::data::spectral_axis::edges;

/// Wavelengths at which radiative transfer is computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Sampling {
    /// The wavenumbers of the finest opacity table; transit depths are then averaged over each bin. As accurate as the
    /// table.
    #[default]
    Native,
    /// The bins of the grid, with opacities averaged over each bin. Ten times faster, but absorption is too strong
    /// where lines do not overlap, since the mean of exp(-x) is more than exp(-mean of x).
    Binned,
}

/// Resolving power between points that no table gives.
const RESOLVING_POWER: f64 = 1000.0;

/// Wavenumbers in 1/cm, ascending, that cover all of `axis_um`'s bins: those of `table` where it has some, and others of the same
/// kind of spacing beyond its ends.
pub fn work_grid(table: Option<&[f64]>, axis_um: &[f64]) -> Vec<f64> {
    let borders = edges(axis_um);
    let (one, other) = (1e4 / borders[0], 1e4 / borders[borders.len() - 1]);
    let (low, high) = (one.min(other), one.max(other));
    let step = 1.0 + 1.0 / RESOLVING_POWER;
    let Some(table) = table else {
        let points = ((high / low).ln() / step.ln()).ceil() as i32;
        return (0..=points).map(|i| low * step.powi(i)).collect();
    };
    // One point beyond each end, so that the outer bins are covered.
    let from = table.partition_point(|nu| *nu < low).saturating_sub(1);
    let to = (table.partition_point(|nu| *nu <= high) + 1).min(table.len());
    let inside = &table[from.min(to)..to];
    let (first, last) = match inside {
        [] => (high * step, high * step),
        _ => (inside[0], inside[inside.len() - 1]),
    };
    let below = (1..).map(|i| first / step.powi(i)).take_while(|nu| *nu > low / step);
    let mut grid: Vec<f64> = below.collect();
    grid.reverse();
    grid.extend(inside);
    grid.extend((1..).map(|i| last * step.powi(i)).take_while(|nu| *nu < high * step));
    grid
}

/// Means over bins: each a run of neighbours with weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Binning {
    /// First neighbour of each bin.
    first: Vec<u32>,
    /// Where the weights of each bin begin, and where the last ones end.
    starts: Vec<u32>,
    weights: Vec<f32>,
}

impl Binning {
    /// From cells around ascending wavenumbers to the bins of an axis of wavelengths: a cell counts by the width in wavelength that it
    /// shares with the bin. A bin that meets no cell is 0.
    pub fn new(wavenumbers_cm: &[f64], axis_um: &[f64]) -> Self {
        // Borders in wavelength, descending as wavenumbers ascend.
        let cells: Vec<f64> = edges(wavenumbers_cm).into_iter().map(|nu| 1e4 / nu).collect();
        let bins = edges(axis_um);
        let mut binning = Self { first: Vec::new(), starts: vec![0], weights: Vec::new() };
        for pair in bins.windows(2) {
            let (low, high) = (pair[0].min(pair[1]), pair[0].max(pair[1]));
            // The first cell whose lower border is below the bin's upper one.
            let first = cells[1..].partition_point(|border| *border >= high).min(wavenumbers_cm.len());
            let shared = |cell: usize| (cells[cell].min(high) - cells[cell + 1].max(low)).max(0.0);
            let last = cells[..wavenumbers_cm.len()].partition_point(|border| *border > low).max(first);
            let total: f64 = (first..last).map(shared).sum();
            binning.first.push(first as u32);
            if total > 0.0 {
                binning.weights.extend((first..last).map(|cell| (shared(cell) / total) as f32));
            }
            binning.starts.push(binning.weights.len() as u32);
        }
        binning
    }

    /// `to` gets the mean of each bin.
    pub fn apply(&self, from: &[f32], to: &mut [f32]) {
        for (bin, mean) in to.iter_mut().enumerate() {
            let weights = &self.weights[self.starts[bin] as usize..self.starts[bin + 1] as usize];
            let values = &from[self.first[bin] as usize..][..weights.len()];
            *mean = weights.iter().zip(values).map(|(weight, value)| weight * value).sum();
        }
    }
}

/// Values between ascending points, linear, and 0 beyond them.
pub fn interpolate(points: &[f64], values: &[f32], at: &[f64], to: &mut [f32]) {
    for (nu, to) in at.iter().zip(to) {
        let above = points.partition_point(|point| point <= nu);
        *to = if above == 0 || (above == points.len() && *nu > points[above - 1]) {
            0.0
        } else if above == points.len() {
            values[above - 1]
        } else {
            let share = ((nu - points[above - 1]) / (points[above] - points[above - 1])) as f32;
            values[above - 1] + share * (values[above] - values[above - 1])
        };
    }
}
