//! How good the generator itself is, measured on simulated spectra that it has not learned from: without it a fit takes the
//! generator's faults for noise that is not there, one restart gets all the weight, and intervals are too narrow.
//!
//! Letters: R = residuals of best fits, `[n, w]`; n = spectra, w = points; p = 7 parameters.

use serde::{Deserialize, Serialize};

use super::adjustment::Adjustment;
use super::posterior::{SHARES, Widening};
use super::trial::Trial;
use crate::atmosphere::QUANTITIES;
use crate::rng::Draw;

const PARAMETERS: usize = QUANTITIES.len();

/// Standard deviation of depths that a generator is taken to have of which it has not been measured.
pub const UNMEASURED: f32 = 50e-6;

/// Beyond which tails are not stretched.
const MOST_TAILS: f64 = 8.0;

/// A measured calibration: `RUN/retrieval/calibration-HASH.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Checkpoint, weights, fit settings, mask and errors for which it is valid, long ones by their checksums.
    pub valid_for: std::collections::BTreeMap<String, String>,
    /// Spectra that it was measured on.
    pub spectra: u64,
    /// Spectra that the adjustment was learned on, these among them.
    pub adjustment_spectra: u64,
    /// Variance of the depths that the generator makes, at each point of the axis.
    pub variance: Vec<f32>,
    /// Observed points over independent ones, at least 1: residuals of neighbours are correlated.
    pub points_per_independent_point: f64,
    /// How medians are moved, where they are to be.
    pub adjustment: Option<Adjustment>,
    /// What the generator leaves open in each parameter.
    pub widening: [Widening; PARAMETERS],
    /// 99th percentile over spectra of chi-square over the number of observed points.
    pub chi_square_per_point_p99: f64,
}

/// Mean square of residuals at each point, `[w]`.
pub fn model_variance(residuals: &[Vec<f32>]) -> Vec<f32> {
    let points = residuals.first().map_or(0, Vec::len);
    let mean = |point: usize| {
        let squares = residuals.iter().map(|residual| f64::from(residual[point]).powi(2));
        (squares.sum::<f64>() / residuals.len() as f64) as f32
    };
    (0..points).map(mean).collect()
}

/// How many of the points are independent: (trace of C)^2 over the sum of squares of C, with C the covariance of residuals in units
/// of their total error, to which `errors`, `[w]`, of the observation add alone (Bretherton et al. 1999, eq. 5). Points that were not
/// `observed` count for nothing.
pub fn effective_points(residuals: &[Vec<f32>], errors: &[f32], observed: &[bool]) -> f64 {
    let points: Vec<usize> = (0..observed.len()).filter(|point| observed[*point]).collect();
    let variance = model_variance(residuals);
    let total = |point: usize| f64::from(variance[point]) + f64::from(errors[point]).powi(2);
    let scaled: Vec<Vec<f64>> = points
        .iter()
        .map(|&point| {
            let scale = total(point).max(f64::MIN_POSITIVE).sqrt().recip();
            residuals.iter().map(|residual| f64::from(residual[point]) * scale).collect()
        })
        .collect();
    let mut squares = 0.0;
    for (a, row) in scaled.iter().enumerate() {
        for (b, other) in scaled.iter().enumerate().skip(a) {
            let product: f64 = row.iter().zip(other).map(|(x, y)| x * y).sum::<f64>() / residuals.len() as f64;
            // Each point's total error is its unit.
            squares += if a == b { 1.0 } else { 2.0 * product * product };
        }
    }
    (points.len() as f64).powi(2) / squares
}

/// For each parameter what brings the truth into the interval from 16 to 84 % in 68 % of the trials, and into that from 2.5 to 97.5 %
/// in 95 %.
///
/// Restarts that lie too wide around their median are drawn together; else normal draws are added. Then the tails are stretched.
pub fn widen(trials: &[Trial], correlated: f64, draw: Draw) -> [Widening; PARAMETERS] {
    std::array::from_fn(|parameter| {
        let known: Vec<&Trial> = trials.iter().filter(|trial| !trial.truth[parameter].is_nan()).collect();
        if known.is_empty() {
            return Widening::default();
        }
        let weights: Vec<Vec<f32>> = known.iter().map(|trial| trial.posterior.weights(correlated)).collect();
        let read = |widening: Widening| -> Vec<[f32; SHARES.len()]> {
            let all = known.iter().zip(&weights);
            all.map(|(trial, weights)| trial.posterior.percentiles(parameter, weights, widening, draw).0).collect()
        };
        // Whether more truths than should lie between two percentiles.
        let more = |[from, to]: [usize; 2], percentiles: &[[f32; SHARES.len()]]| {
            let all = known.iter().zip(percentiles);
            let holds = all.filter(|(trial, here)| (here[from]..=here[to]).contains(&trial.truth[parameter]));
            holds.count() as f64 / known.len() as f64 > SHARES[to] - SHARES[from]
        };
        let (middle, whole) = ([1, 3], [0, 4]);
        let as_it_is = Widening::default();
        let (low, high) = QUANTITIES[parameter].range;
        let widening = if more(middle, &read(as_it_is)) {
            let scale = bisect(0.0, 1.0, |scale| more(middle, &read(Widening { scale, ..as_it_is })));
            Widening { scale, ..as_it_is }
        } else {
            let scatter = bisect(0.0, high - low, |scatter| more(middle, &read(Widening { scatter, ..as_it_is })));
            Widening { scatter, ..as_it_is }
        };
        let unstretched = read(widening);
        let stretched = |tails: f64| -> Vec<[f32; SHARES.len()]> {
            unstretched.iter().map(|percentiles| Widening { tails, ..widening }.stretch(*percentiles)).collect()
        };
        Widening { tails: bisect(0.0, MOST_TAILS, |tails| more(whole, &stretched(tails))), ..widening }
    })
}

/// Where `above`, false at `low` and true at `high`, turns.
fn bisect(mut low: f64, mut high: f64, above: impl Fn(f64) -> bool) -> f64 {
    for _ in 0..24 {
        let middle = f64::midpoint(low, high);
        if above(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    f64::midpoint(low, high)
}
