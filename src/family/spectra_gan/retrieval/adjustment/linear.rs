//! What is linear in the evidence: ridge regression, whose strength leaves the least error of trials that were left out.
//!
//! What a residual says depends on where among atmospheres a spectrum lies, so there are products of parameters with the k directions in
//! which residuals differ most.
//!
//! Shapes: n = trials, w = points, p = 7 parameters, f = features: w residuals, w depths of the fit, p parameters, p (p + 1) / 2
//! products of two of them, and k p products of a parameter and a residual's part along one of k directions.

use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::evidence::Evidence;
use super::principal::{Principal, along, directions, moments, standard};
use crate::atmosphere::QUANTITIES;

const PARAMETERS: usize = QUANTITIES.len();

/// How strongly slopes may be held back, in mean eigenvalues of the features' covariance.
const STRENGTHS: usize = 41;
const STRENGTH_RANGE: (f64, f64) = (1e-7, 1e3);

/// So many trials allow of one direction, which is p more features; more than so many directions say nothing new.
const TRIALS_PER_DIRECTION: usize = 100;
const MOST_DIRECTIONS: usize = 80;

/// Trials that are learned from at the most: more say little that is linear.
const MOST_TRIALS: usize = 8192;

/// How far parameters are off, linear in the features.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Linear {
    /// In which residuals of the trials differ most, `[k, w]`, orthonormal.
    directions: Vec<Vec<f32>>,
    /// Mean of each feature, `[f]`.
    mean: Vec<f64>,
    /// One over the standard deviation of each feature, 0 where it has none, `[f]`.
    inverse_deviation: Vec<f64>,
    /// Of each parameter, `[f]` in its unit over a standard deviation; without those of products with residuals where these do not help.
    slopes: [Vec<f32>; PARAMETERS],
    /// Of each parameter at the mean of all features; none where nothing was learned.
    offsets: [Option<f64>; PARAMETERS],
}

impl Linear {
    /// Learns from finite `evidence` how far parameters are `off`, NaN where nobody knows. Beside it what it says of each trial as if it
    /// had not been learned from (leave one out), by which strengths are chosen: those of the least mean absolute error.
    ///
    /// Of a parameter that fewer than two trials know, or whose errors nothing makes smaller, it says nothing, which is NaN.
    pub fn learn(evidence: &[Evidence], off: &[[f64; PARAMETERS]]) -> (Self, Vec<[f64; PARAMETERS]>) {
        let learned_from = evidence.len().min(MOST_TRIALS);
        let some = &evidence[..learned_from];
        let residuals: Vec<&[f64]> = some.iter().map(|evidence| &evidence.residuals[..]).collect();
        let directions = directions(&residuals, (learned_from / TRIALS_PER_DIRECTION).min(MOST_DIRECTIONS));
        let mut scaled: Vec<Vec<f64>> = some.iter().map(|evidence| features(&directions, evidence)).collect();
        let (mean, inverse_deviation) = moments(&scaled);
        for row in &mut scaled {
            *row = standard(row, &mean, &inverse_deviation);
        }
        let all = mean.len();
        let alone = all.saturating_sub(directions.len() * PARAMETERS); // no trial ended: there are no features
        let (slopes, offsets) = (std::array::from_fn(|_| Vec::new()), [None; PARAMETERS]);
        let mut learned = Self { directions, mean, inverse_deviation, slopes, offsets };
        let mut left_out = vec![[f64::NAN; PARAMETERS]; learned_from];
        let mut ridges: Vec<Ridge> = Vec::new();
        for parameter in 0..PARAMETERS {
            let known: Vec<usize> = (0..learned_from).filter(|trial| off[*trial][parameter].is_finite()).collect();
            let wanted: Vec<f64> = known.iter().map(|trial| off[*trial][parameter]).collect();
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
            learned.offsets[parameter] = Some(solution.offset);
            for (trial, says) in known.iter().zip(&solution.left_out) {
                left_out[*trial][parameter] = *says;
            }
        }
        left_out.extend(evidence[learned_from..].iter().map(|evidence| learned.says(evidence)));
        (learned, left_out)
    }

    /// How far parameters are off, NaN where it has learned nothing.
    pub fn says(&self, evidence: &Evidence) -> [f64; PARAMETERS] {
        let row = standard(&features(&self.directions, evidence), &self.mean, &self.inverse_deviation);
        std::array::from_fn(|parameter| {
            let slopes = &self.slopes[parameter];
            let linear: f64 = slopes.iter().zip(&row).map(|(slope, value)| f64::from(*slope) * value).sum();
            self.offsets[parameter].map_or(f64::NAN, |offset| offset + linear)
        })
    }
}

/// `[f]`
fn features(directions: &[Vec<f32>], evidence: &Evidence) -> Vec<f64> {
    let mut row = evidence.residuals.clone();
    row.extend(&evidence.fit);
    let contrasts = evidence.contrasts();
    row.extend(contrasts);
    for (at, one) in contrasts.iter().enumerate() {
        row.extend(contrasts[at..].iter().map(|other| one * other));
    }
    for direction in directions {
        let part = along(&evidence.residuals, direction);
        row.extend(contrasts.map(|contrast| contrast * part));
    }
    row
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
