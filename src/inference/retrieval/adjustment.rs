//! What a spectrum says of its parameters beyond the fit: the generator is within its own error of a spectrum and no nearer, and what
//! it leaves over is not noise alone. Regression adjustment (Beaumont, Zhang & Balding 2002, their equation for the shift of samples)
//! learns on retrievals whose truth is known how far medians are off, from what is there of any retrieval, and moves them.
//!
//! What a residual says depends on where among atmospheres a spectrum lies, so beside what is linear there are products of medians with
//! the k directions in which residuals differ most.
//!
//! Shapes: n = trials, w = points, p = 7 parameters, f = features: w residuals, w depths of the fit, p medians, p (p + 1) / 2
//! products of two of them, and k p products of a median and a residual's part along one of k directions.

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

use super::calibration::Trial;
use super::posterior::Posterior;
use crate::data::atmosphere::QUANTITIES;
use crate::statistics::weighted;

const PARAMETERS: usize = QUANTITIES.len();

/// How strongly slopes may be held back, in mean eigenvalues of the features' covariance.
const STRENGTHS: usize = 41;
const STRENGTH_RANGE: (f64, f64) = (1e-7, 1e3);

/// So many trials allow of one direction, which is p more features; more than so many directions say nothing new.
const TRIALS_PER_DIRECTION: usize = 100;
const MOST_DIRECTIONS: usize = 80;

/// How far medians are off, linear in the features.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Adjustment {
    /// In which residuals of the trials differ most, `[k, w]`, orthonormal.
    directions: Vec<Vec<f32>>,
    /// Mean of each feature, `[f]`.
    mean: Vec<f64>,
    /// One over the standard deviation of each feature, 0 where it has none, `[f]`.
    per_deviation: Vec<f64>,
    /// Of each parameter, `[f]` in its unit over a standard deviation; without those of products where these do not help.
    slopes: [Vec<f32>; PARAMETERS],
    /// Of each parameter at the mean of all features.
    offsets: [f64; PARAMETERS],
}

impl Adjustment {
    /// Learns from `trials`, whose restarts weigh by `correlated`. Beside it the shift of each trial as it would be if it had not been
    /// learned from (leave one out), by which strengths are chosen: those of the least mean absolute error.
    ///
    /// A parameter that fewer than two trials know, or whose errors nothing makes smaller, is left as it is.
    pub fn learn(trials: &[Trial], correlated: f64) -> (Self, Vec<[f32; PARAMETERS]>) {
        let medians: Vec<[f64; PARAMETERS]> =
            trials.iter().map(|trial| medians(&trial.posterior, correlated)).collect();
        let residuals: Vec<Vec<f64>> =
            trials.iter().map(|trial| residuals(&trial.depths, &trial.observed, &trial.posterior)).collect();
        let directions = directions(&residuals, (trials.len() / TRIALS_PER_DIRECTION).min(MOST_DIRECTIONS));
        let raw: Vec<Vec<f64>> = trials
            .iter()
            .zip(&residuals)
            .zip(&medians)
            .map(|((trial, residuals), medians)| features(&directions, residuals, &trial.posterior, medians))
            .collect();
        let (mean, per_deviation) = moments(&raw);
        let scaled: Vec<Vec<f64>> = raw.iter().map(|row| standard(row, &mean, &per_deviation)).collect();
        let all = mean.len();
        let alone = all.saturating_sub(directions.len() * PARAMETERS); // no trial ended: there are no features
        let (slopes, offsets) = (std::array::from_fn(|_| Vec::new()), [0.0; PARAMETERS]);
        let mut learned = Self { directions, mean, per_deviation, slopes, offsets };
        let mut shifts = vec![[0.0; PARAMETERS]; trials.len()];
        let mut ridges: Vec<Ridge> = Vec::new();
        let ended: Vec<bool> = scaled.iter().map(|row| row.iter().all(|value| value.is_finite())).collect();
        for parameter in 0..PARAMETERS {
            let off = |trial: usize| f64::from(trials[trial].truth[parameter]) - medians[trial][parameter];
            let known = (0..trials.len()).filter(|trial| ended[*trial] && off(*trial).is_finite());
            let known: Vec<usize> = known.collect();
            let wanted: Vec<f64> = known.iter().map(|trial| off(*trial)).collect();
            if known.len() < 2 {
                continue;
            }
            // The parameters of simulated spectra are known together, mostly.
            if ridges.first().is_none_or(|there| there.rows != known) {
                let columns = if all > alone { &[alone, all][..] } else { &[alone] };
                ridges = columns.iter().map(|columns| Ridge::of(&scaled, &known, *columns)).collect();
            }
            let solutions = ridges.iter().filter_map(|ridge| ridge.solve(&wanted));
            let Some(solution) = solutions.min_by(|a, b| a.off.total_cmp(&b.off)) else { continue };
            learned.slopes[parameter] = solution.slopes.iter().map(|slope| *slope as f32).collect();
            learned.offsets[parameter] = solution.offset;
            for (trial, shift) in known.iter().zip(&solution.left_out) {
                shifts[*trial][parameter] = within(parameter, medians[*trial][parameter], *shift);
            }
        }
        (learned, shifts)
    }

    /// How far a retrieval's parameters are to be moved: one of `depths`, `[w]`, of which points with an `observed` of 1 are known. A
    /// median stays within the parameter's range.
    pub fn shift(&self, depths: &[f32], observed: &[f32], posterior: &Posterior, correlated: f64) -> [f32; PARAMETERS] {
        let medians = medians(posterior, correlated);
        let row = features(&self.directions, &residuals(depths, observed, posterior), posterior, &medians);
        let row = standard(&row, &self.mean, &self.per_deviation);
        std::array::from_fn(|parameter| {
            let slopes = &self.slopes[parameter];
            let linear: f64 = slopes.iter().zip(&row).map(|(slope, value)| f64::from(*slope) * value).sum();
            let shift = within(parameter, medians[parameter], self.offsets[parameter] + linear);
            // A fit that ended nowhere is not moved anywhere.
            if shift.is_finite() { shift } else { 0.0 }
        })
    }
}

/// The part of `shift` that brings a median no further than the end of the parameter's range.
fn within(parameter: usize, median: f64, shift: f64) -> f32 {
    let (low, high) = QUANTITIES[parameter].range;
    ((median + shift).clamp(low.min(median), high.max(median)) - median) as f32
}

fn medians(posterior: &Posterior, correlated: f64) -> [f64; PARAMETERS] {
    let weights = posterior.weights(correlated);
    std::array::from_fn(|parameter| {
        let values: Vec<f32> = posterior.parameters.iter().map(|parameters| parameters[parameter]).collect();
        let [median] = weighted::percentiles(&values, &weights, [0.5]);
        f64::from(median)
    })
}

/// `[w]`; a point that was not observed leaves none.
fn residuals(depths: &[f32], observed: &[f32], posterior: &Posterior) -> Vec<f64> {
    let all = depths.iter().zip(observed).zip(&posterior.best_depths);
    all.map(|((depth, seen), fit)| if *seen == 1.0 { f64::from(*depth) - f64::from(*fit) } else { 0.0 }).collect()
}

/// The first `count` principal components of `residuals`, `[n, w]`; those that are not finite do not count.
fn directions(residuals: &[Vec<f64>], count: usize) -> Vec<Vec<f32>> {
    let finite: Vec<&Vec<f64>> = residuals.iter().filter(|row| row.iter().all(|value| value.is_finite())).collect();
    let count = count.min(finite.first().map_or(0, |row| row.len()));
    if count == 0 {
        return Vec::new();
    }
    let flat: Vec<f64> = finite.iter().flat_map(|row| row.iter().copied()).collect();
    let Principal { eigenvectors, .. } = Principal::of(&flat, finite.len());
    let columns = eigenvectors.size()[1];
    (1..=count as i64)
        .map(|from_end| Vec::try_from(eigenvectors.select(1, columns - from_end).to_kind(Kind::Float)))
        .map(|direction| direction.expect("a vector of numbers"))
        .collect()
}

/// `[f]`
fn features(
    directions: &[Vec<f32>],
    residuals: &[f64],
    posterior: &Posterior,
    medians: &[f64; PARAMETERS],
) -> Vec<f64> {
    let mut row = residuals.to_vec();
    row.extend(posterior.best_depths.iter().map(|depth| f64::from(*depth)));
    // In units of their ranges around their middles, so that products are products of contrasts.
    let contrasts: [f64; PARAMETERS] = std::array::from_fn(|parameter| {
        let (low, high) = QUANTITIES[parameter].range;
        (medians[parameter] - f64::midpoint(low, high)) / (high - low)
    });
    row.extend(contrasts);
    for (at, one) in contrasts.iter().enumerate() {
        row.extend(contrasts[at..].iter().map(|other| one * other));
    }
    for direction in directions {
        let part: f64 = residuals.iter().zip(direction).map(|(residual, along)| residual * f64::from(*along)).sum();
        row.extend(contrasts.map(|contrast| contrast * part));
    }
    row
}

/// Mean of each column, and one over its standard deviation; rows that are not finite do not count.
fn moments(rows: &[Vec<f64>]) -> (Vec<f64>, Vec<f64>) {
    let rows: Vec<&Vec<f64>> = rows.iter().filter(|row| row.iter().all(|value| value.is_finite())).collect();
    let columns = rows.first().map_or(0, |row| row.len());
    let count = rows.len() as f64;
    let mean: Vec<f64> = (0..columns).map(|at| rows.iter().map(|row| row[at]).sum::<f64>() / count).collect();
    let per_deviation = (0..columns).map(|at| {
        let variance = rows.iter().map(|row| (row[at] - mean[at]).powi(2)).sum::<f64>() / count;
        // What varies by rounding alone says nothing.
        if variance.sqrt() > 1e-9 * mean[at].abs() { variance.sqrt().recip() } else { 0.0 }
    });
    let per_deviation = per_deviation.collect();
    (mean, per_deviation)
}

fn standard(row: &[f64], mean: &[f64], per_deviation: &[f64]) -> Vec<f64> {
    row.iter().zip(mean).zip(per_deviation).map(|((value, mean), scale)| (value - mean) * scale).collect()
}

/// Along which directions rows differ.
struct Principal {
    /// Mean of each column.
    centre: Tensor,
    /// The rows without it.
    x: Tensor,
    /// Of the sum of products of columns, ascending.
    eigenvalues: Tensor,
    /// A column each.
    eigenvectors: Tensor,
}

impl Principal {
    /// Of so many `rows`, one after the other in `flat`.
    fn of(flat: &[f64], rows: usize) -> Self {
        let x = Tensor::from_slice(flat).view([rows as i64, -1]);
        let centre = x.mean_dim(0_i64, false, Kind::Double);
        let x = x - &centre;
        let (eigenvalues, eigenvectors) = x.transpose(0, 1).matmul(&x).linalg_eigh("L");
        Self { centre, x, eigenvalues, eigenvectors }
    }
}

/// Ridge regression on some rows of all strengths at once, by the eigenvectors of the features' covariance.
struct Ridge {
    /// Which trials.
    rows: Vec<usize>,
    /// Mean of each feature over them, `[f]`.
    centre: Vec<f64>,
    /// `[f]`, ascending, not negative.
    eigenvalues: Vec<f64>,
    /// `[f, f]`, a column each.
    eigenvectors: Tensor,
    /// Features of the rows along the eigenvectors, `[rows, f]`.
    along: Tensor,
}

struct Solution {
    slopes: Vec<f64>,
    offset: f64,
    /// What is predicted of each row by all others.
    left_out: Vec<f64>,
    /// By how much that is off, over all rows.
    off: f64,
}

impl Ridge {
    /// On `rows` and the first `columns` features.
    fn of(scaled: &[Vec<f64>], rows: &[usize], columns: usize) -> Self {
        let flat: Vec<f64> = rows.iter().flat_map(|row| scaled[*row][..columns].iter().copied()).collect();
        let Principal { centre, x, eigenvalues, eigenvectors } = Principal::of(&flat, rows.len());
        let along = x.matmul(&eigenvectors);
        let eigenvalues = numbers(&eigenvalues.clamp_min(0.0));
        Self { rows: rows.to_vec(), centre: numbers(&centre), eigenvalues, eigenvectors, along }
    }

    /// The solution for `wanted`, one a row, whose mean absolute error of rows that are left out is least; none where no strength makes
    /// it less than that of `wanted` itself.
    fn solve(&self, wanted: &[f64]) -> Option<Solution> {
        let count = wanted.len() as f64;
        let offset = wanted.iter().sum::<f64>() / count;
        let centred = Tensor::from_slice(wanted) - offset;
        let projected = self.along.transpose(0, 1).mv(&centred);
        let squares = self.along.square();
        let eigenvalues = Tensor::from_slice(&self.eigenvalues);
        let scale = self.eigenvalues.iter().sum::<f64>() / self.eigenvalues.len() as f64;
        let mut best: Option<(f64, f64, Vec<f64>)> = None;
        for step in 0..STRENGTHS {
            let (low, high) = STRENGTH_RANGE;
            let strength = scale * low * (high / low).powf(step as f64 / (STRENGTHS - 1) as f64);
            let held_back = (&eigenvalues + strength).reciprocal();
            let predicted = numbers(&self.along.mv(&(&projected * &held_back)));
            let leverages = numbers(&squares.mv(&held_back));
            let left_out: Vec<f64> = wanted
                .iter()
                .zip(predicted.iter().zip(&leverages))
                .map(|(wanted, (predicted, leverage))| {
                    let error = (wanted - offset - predicted) / (1.0 - leverage - 1.0 / count).max(1e-6);
                    wanted - error
                })
                .collect();
            let off: f64 = wanted.iter().zip(&left_out).map(|(wanted, found)| (wanted - found).abs()).sum();
            if best.as_ref().is_none_or(|(least, ..)| off < *least) {
                best = Some((off, strength, left_out));
            }
        }
        let (off, strength, left_out) = best?;
        if off.is_nan() || off >= wanted.iter().map(|wanted| wanted.abs()).sum() {
            return None;
        }
        let slopes = numbers(&self.eigenvectors.mv(&(projected / (eigenvalues + strength))));
        let at_centre: f64 = slopes.iter().zip(&self.centre).map(|(slope, centre)| slope * centre).sum();
        Some(Solution { slopes, offset: offset - at_centre, left_out, off })
    }
}

fn numbers(tensor: &Tensor) -> Vec<f64> {
    Vec::try_from(tensor).expect("a vector of numbers")
}
