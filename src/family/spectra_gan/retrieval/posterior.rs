//! What the restarts of an object say of its parameters, each with the weight of its likelihood.
//!
//! Shapes: r = restarts, w = points, p = 7 parameters.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use tch::Tensor;

use crate::atmosphere::QUANTITIES;
use crate::family::spectra_gan::fit::codec_of;
use crate::infer::Networks;
use crate::infer::latent_fit::{Fitted, OffsetFit, place_of_least};
use crate::rng::{Draw, Stream};
use crate::statistics::weighted;

const PARAMETERS: usize = QUANTITIES.len();

/// Shares of the percentiles that are told: 2.5, 16, 50, 84 and 97.5 %.
pub const SHARES: [f64; 5] = [0.025, 0.16, 0.5, 0.84, 0.975];

/// Draws of what the generator itself adds, for each restart.
pub const DRAWS: usize = 4;

/// Restarts whose chi-square is within this of the best agree with it.
const AGREEMENT: f32 = 1.0;

/// Where the restarts of an object have ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Posterior {
    /// Number of the object.
    pub number: u64,
    /// `[r]`, over the observed points.
    pub chi_square: Vec<f32>,
    /// `[r]` of `[g]`, what each restart says of the offsets of groups of points; empty where there are no groups.
    pub offsets: Vec<Vec<OffsetFit>>,
    /// `[r]`
    pub iterations: Vec<u32>,
    /// `[r]`, as the generator makes them, in the units of `QUANTITIES`.
    pub parameters: Vec<[f32; PARAMETERS]>,
    /// The restart that stands for all (`Fitted::reference`).
    pub reference: usize,
    /// Whether it is a sample as the others are. Else it is the nearest to what was observed by its making, and has no weight among others.
    pub reference_is_drawn: bool,
    /// `[w]`, the depths that the generator makes of it.
    pub reference_depths: Vec<f32>,
    /// `[w]`, those of the restart of the least chi-square.
    pub best_depths: Vec<f32>,
    /// `[r]`, those of all restarts; empty where nobody asked for them.
    pub depths: Vec<Vec<f32>>,
}

/// What the generator itself leaves open in each parameter, as measured on spectra whose truth is known.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Widening {
    /// How much wider or narrower restarts lie around their median, at most 1.
    pub scale: f64,
    /// Standard deviation of normal draws that are added, in the parameter's unit.
    pub scatter: f64,
    /// How much further from the 16th and the 84th percentile the outer ones lie than those of the samples: few samples have thin
    /// tails, and errors are not normal.
    pub tails: f64,
}

impl Default for Widening {
    fn default() -> Self {
        Self { scale: 1.0, scatter: 0.0, tails: 1.0 }
    }
}

impl Widening {
    /// Percentiles in the order of `SHARES`, the outer ones as far out as `tails` says.
    pub fn stretch(self, [low, p16, median, p84, high]: [f32; SHARES.len()]) -> [f32; SHARES.len()] {
        let tails = self.tails as f32;
        [p16 - tails * (p16 - low), p16, median, p84, p84 + tails * (high - p84)]
    }
}

/// The posterior as a table tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// `[r]`, adding up to 1.
    pub weights: Vec<f32>,
    /// Percentiles of each parameter, in the order of `SHARES`.
    pub percentiles: [[f32; SHARES.len()]; PARAMETERS],
    /// Samples `[r DRAWS]` of each parameter with what the generator adds.
    pub samples: [Vec<f32>; PARAMETERS],
    /// The weight of each, `[r DRAWS]`, adding up to 1.
    pub sample_weights: Vec<f32>,
    /// Mean and standard deviation of the offset of each group of points, `[g]`.
    pub offsets: Vec<(f64, f64)>,
    /// Samples `[r DRAWS]` of the offset of each group.
    pub offset_samples: Vec<Vec<f32>>,
    /// Share of the samples' restarts that ended within 1 of the best chi-square among them.
    pub agreement: f32,
    /// (sum of weights)^2 over the sum of their squares.
    pub effective_samples: f32,
    /// The restart of the least chi-square.
    pub best: usize,
}

impl Posterior {
    /// What `fitted` says by the networks that it was fitted with, with the depths of all restarts where they are `asked` for.
    pub fn of(networks: &Networks, fitted: &Fitted, asked: bool) -> Self {
        let codec = codec_of(networks);
        let rows = |tensor: Tensor| -> Vec<f32> { Vec::try_from(tensor.flatten(0, -1)).expect("they are numbers") };
        let _guard = tch::no_grad_guard();
        let parameters = rows(codec.in_units(&codec.parameter_pixels(&fitted.maps)));
        let (parameters, rest) = parameters.as_chunks::<PARAMETERS>();
        assert!(rest.is_empty(), "parameters are [r, p]");
        let depths = rows(codec.depths(&fitted.maps));
        let mut depths: Vec<Vec<f32>> = depths.chunks_exact(codec.points() as usize).map(<[f32]>::to_vec).collect();
        let [reference_depths, best_depths] = [fitted.reference, fitted.best()].map(|restart| depths[restart].clone());
        if !asked {
            depths.clear();
        }
        Self {
            number: fitted.number,
            chi_square: fitted.misfit.clone(),
            offsets: fitted.offsets.clone(),
            iterations: fitted.iterations.clone(),
            parameters: parameters.to_vec(),
            reference: fitted.reference,
            reference_is_drawn: fitted.reference_is_drawn,
            reference_depths,
            best_depths,
            depths,
        }
    }

    /// Moves the parameters of all restarts, each in its unit.
    pub fn shift(&mut self, shift: [f32; PARAMETERS]) {
        for parameters in &mut self.parameters {
            for (value, shift) in parameters.iter_mut().zip(shift) {
                *value += shift;
            }
        }
    }

    /// The restart of the least chi-square.
    pub fn best(&self) -> usize {
        place_of_least(&self.chi_square)
    }

    /// Likelihoods exp(-chi-square / 2) of the restarts that are samples, adding up to 1; 0 of one that is not. Points whose residuals go together say less than as many
    /// that do not: chi-square is divided by `correlated`, points over independent ones; the priors of offsets are not, and the determinant
    /// of their marginal covariance counts ([`OffsetFit::addition`]).
    pub fn weights(&self, correlated: f64) -> Vec<f32> {
        let samples = self.samples();
        let of_offsets = |restart: usize| -> f64 {
            let offsets = self.offsets.get(restart).into_iter().flatten();
            offsets.map(|offset| offset.addition(correlated)).sum()
        };
        let chi_square: Vec<f64> =
            samples.clone().map(|restart| f64::from(self.chi_square[restart]) + of_offsets(restart)).collect();
        let least = chi_square.iter().copied().min_by(f64::total_cmp).expect("there is a restart");
        let of = |chi_square: &f64| (-(chi_square - least) / (2.0 * correlated)).exp();
        let likelihoods: Vec<f64> = chi_square.iter().map(of).collect();
        // A restart that ended nowhere has no weight; where all did, none is better.
        let total: f64 = likelihoods.iter().filter(|value| value.is_finite()).sum();
        let count = likelihoods.len() as f64;
        let share =
            |value: f64| if total > 0.0 { if value.is_finite() { value / total } else { 0.0 } } else { 1.0 / count };
        let mut weights = vec![0.0; samples.start];
        weights.extend(likelihoods.into_iter().map(|value| share(value) as f32));
        weights
    }

    /// Mean and standard deviation of the offset of each group, `[g]`: those of the distributions at the restarts' models, mixed by their
    /// `weights`. Restarts that ended nowhere have none.
    pub fn offsets(&self, weights: &[f32], correlated: f64) -> Vec<(f64, f64)> {
        let groups = self.offsets.first().map_or(0, Vec::len);
        let of_group = |group: usize| {
            let all = self.offsets.iter().zip(weights).filter(|(_, weight)| **weight > 0.0);
            let (mut mean, mut square) = (0.0, 0.0);
            for (offsets, weight) in all {
                let (here, variance) = offsets[group].distribution(correlated);
                mean += f64::from(*weight) * here;
                square += f64::from(*weight) * (variance + here * here);
            }
            (mean, (square - mean * mean).max(0.0).sqrt())
        };
        (0..groups).map(of_group).collect()
    }

    /// Draws of the offset of `group`, `[r DRAWS]`, in the order of [`Self::widened`]. Chance follows from (`draw`, the object's number, the
    /// group).
    pub fn drawn_offsets(&self, group: usize, correlated: f64, draw: Draw) -> Vec<f32> {
        let mut chance = draw.at(Stream::Scatter, self.number, (PARAMETERS + group) as u32);
        let mut samples = Vec::with_capacity(self.offsets.len() * DRAWS);
        for offsets in &self.offsets {
            let (mean, variance) = offsets[group].distribution(correlated);
            samples.extend((0..DRAWS).map(|_| (mean + variance.sqrt() * chance.normal()) as f32));
        }
        samples
    }

    /// The restarts that are samples: without a first one that is not drawn, unless it is alone.
    fn samples(&self) -> Range<usize> {
        let all = self.chi_square.len();
        usize::from(!self.reference_is_drawn && all > 1)..all
    }

    /// Samples of one parameter with what the generator itself leaves open, `[r DRAWS]`, and the weight of each. Standard normal
    /// draws follow from (`draw`, the object's number, the parameter).
    pub fn widened(&self, parameter: usize, weights: &[f32], widening: Widening, draw: Draw) -> (Vec<f32>, Vec<f32>) {
        let values: Vec<f32> = self.parameters.iter().map(|parameters| parameters[parameter]).collect();
        let [median] = weighted::percentiles(&values, weights, [0.5]);
        let mut chance = draw.at(Stream::Scatter, self.number, parameter as u32);
        let (scale, scatter) = (widening.scale as f32, widening.scatter as f32);
        let mut samples = Vec::with_capacity(values.len() * DRAWS);
        for value in values {
            let here = median + scale * (value - median);
            samples.extend((0..DRAWS).map(|_| here + scatter * chance.normal() as f32));
        }
        let weights = weights.iter().flat_map(|weight| [weight / DRAWS as f32; DRAWS]).collect();
        (samples, weights)
    }

    /// Percentiles of one parameter, in the order of `SHARES`, beside the samples that they are of and their weights.
    pub fn percentiles(
        &self,
        parameter: usize,
        weights: &[f32],
        widening: Widening,
        draw: Draw,
    ) -> ([f32; SHARES.len()], Vec<f32>, Vec<f32>) {
        let (values, each) = self.widened(parameter, weights, widening, draw);
        (widening.stretch(weighted::percentiles(&values, &each, SHARES)), values, each)
    }

    /// The whole as a table tells it.
    pub fn read(&self, correlated: f64, widening: &[Widening; PARAMETERS], draw: Draw) -> Reading {
        let weights = self.weights(correlated);
        let best = self.best();
        let mut percentiles = [[0.0; SHARES.len()]; PARAMETERS];
        let mut drawn = [const { Vec::new() }; PARAMETERS];
        let mut sample_weights = Vec::new();
        for parameter in 0..PARAMETERS {
            let (here, values, each) = self.percentiles(parameter, &weights, widening[parameter], draw);
            percentiles[parameter] = here;
            drawn[parameter] = values;
            sample_weights = each; // the same for all
        }
        let samples = &self.chi_square[self.samples()];
        let least = samples[place_of_least(samples)];
        let agree = samples.iter().filter(|value| **value - least <= AGREEMENT).count();
        let offsets = self.offsets(&weights, correlated);
        let offset_samples = (0..offsets.len()).map(|group| self.drawn_offsets(group, correlated, draw)).collect();
        Reading {
            offsets,
            offset_samples,
            percentiles,
            samples: drawn,
            sample_weights,
            agreement: agree as f32 / samples.len() as f32,
            effective_samples: weighted::effective_samples(&weights) as f32,
            weights,
            best,
        }
    }
}
