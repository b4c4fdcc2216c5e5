//! What is not linear in the evidence: networks that learn from many trials how far parameters are off (Blum & François 2010, Statistics
//! and Computing 20, 63: regression adjustment by networks).
//!
//! A few networks learn, each from all trials but a part of its own, so that each trial is judged by one that has not seen it; what is
//! said of a spectrum is the mean of all.
//!
//! Shapes: n = trials, d = what a network looks at: parts of residuals and of the fit along the directions in which they differ most,
//! and p = 7 parameters.

use serde::{Deserialize, Serialize};
use tch::nn::OptimizerConfig;
use tch::{Device, Kind, Tensor, nn};

use super::evidence::Evidence;
use super::principal::{along, directions, moments, standard};
use crate::atmosphere::QUANTITIES;
use crate::rng::{Draw, Stream};

const PARAMETERS: usize = QUANTITIES.len();

/// Networks.
pub const MEMBERS: usize = 4;

/// Fewer trials teach a network less than a line.
pub const LEAST_TRIALS: usize = 4096;

/// Directions of residuals and of fits that are looked at; beyond them there is mostly noise, which networks learn by heart.
const RESIDUAL_DIRECTIONS: usize = 60;
const FIT_DIRECTIONS: usize = 20;

/// Trials by which directions are found.
const DIRECTIONS_OF: usize = 8192;

/// How networks are made and learn.
const HIDDEN: usize = 256;
const EPOCHS: usize = 60;
const BATCH: usize = 256;
const LEARNING_RATE: f64 = 1e-3;
const WEIGHT_DECAY: f64 = 0.3;
/// Share of the updates in which the step size rises to its height, from which it falls along a cosine.
const RISE: f64 = 0.1;

/// How evidence becomes the numbers that networks look at, and what they say becomes shifts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scales {
    residual_directions: Vec<Vec<f32>>,
    fit_directions: Vec<Vec<f32>>,
    /// Mean of each number, `[d]`.
    mean: Vec<f64>,
    /// One over its standard deviation, `[d]`.
    inverse_deviation: Vec<f64>,
    /// Mean and standard deviation of the error of each parameter.
    parameter_error: [(f64, f64); PARAMETERS],
}

/// One network: three dense layers with x sigmoid(x) between them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Member {
    layers: Vec<Layer>,
}

/// `[outputs, inputs]` and `[outputs]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Layer {
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl Scales {
    /// By finite `evidence`, whose parameters are `off` by so much, NaN where nobody knows.
    pub fn of(evidence: &[Evidence], off: &[[f64; PARAMETERS]]) -> Self {
        let some = &evidence[..evidence.len().min(DIRECTIONS_OF)];
        let of = |part: fn(&Evidence) -> &[f64], count: usize| {
            directions(&some.iter().map(part).collect::<Vec<&[f64]>>(), count)
        };
        let residual_directions = of(|evidence| &evidence.residuals, RESIDUAL_DIRECTIONS);
        let fit_directions = of(|evidence| &evidence.fit, FIT_DIRECTIONS);
        let rows: Vec<Vec<f64>> =
            evidence.iter().map(|evidence| numbers(&residual_directions, &fit_directions, evidence)).collect();
        let (mean, inverse_deviation) = moments(&rows);
        let off = std::array::from_fn(|parameter| {
            let known: Vec<f64> = off.iter().map(|off| off[parameter]).filter(|off| off.is_finite()).collect();
            let count = known.len().max(1) as f64;
            let mean = known.iter().sum::<f64>() / count;
            let variance = known.iter().map(|off| (off - mean).powi(2)).sum::<f64>() / count;
            (mean, if variance > 0.0 { variance.sqrt() } else { 1.0 })
        });
        Self { residual_directions, fit_directions, mean, inverse_deviation, parameter_error: off }
    }

    /// What networks look at, `[d]`.
    pub fn numbers(&self, evidence: &Evidence) -> Vec<f32> {
        let raw = numbers(&self.residual_directions, &self.fit_directions, evidence);
        standard(&raw, &self.mean, &self.inverse_deviation).iter().map(|value| *value as f32).collect()
    }

    /// How far parameters are off where a network says `said`.
    pub fn off(&self, said: &[f64; PARAMETERS]) -> [f64; PARAMETERS] {
        std::array::from_fn(|parameter| {
            let (mean, deviation) = self.parameter_error[parameter];
            mean + deviation * said[parameter]
        })
    }
}

fn numbers(residual_directions: &[Vec<f32>], fit_directions: &[Vec<f32>], evidence: &Evidence) -> Vec<f64> {
    let residuals = residual_directions.iter().map(|direction| along(&evidence.residuals, direction));
    let fit = fit_directions.iter().map(|direction| along(&evidence.fit, direction));
    residuals.chain(fit).chain(evidence.contrasts()).collect()
}

/// Which member has not seen a trial.
pub fn unseen_by(trial: usize) -> usize {
    trial % MEMBERS
}

impl Member {
    /// Number `member`, which learns from rows of `numbers` but those that it is not to see how far parameters are `off`.
    pub fn learn(member: usize, scales: &Scales, rows: &[Vec<f32>], off: &[[f64; PARAMETERS]], draw: Draw) -> Self {
        let mine: Vec<i64> = (0..rows.len()).filter(|row| unseen_by(*row) != member).map(|row| row as i64).collect();
        let x = Tensor::from_slice(&rows.concat()).view([rows.len() as i64, -1]);
        let wanted: Vec<f32> = off
            .iter()
            .flat_map(|off| {
                (0..PARAMETERS)
                    .map(|at| ((off[at] - scales.parameter_error[at].0) / scales.parameter_error[at].1) as f32)
            })
            .collect();
        let y = Tensor::from_slice(&wanted).view([rows.len() as i64, PARAMETERS as i64]);
        let known = y.isfinite().to_kind(Kind::Float);
        let y = y.nan_to_num(0.0, 0.0, 0.0);
        let store = nn::VarStore::new(Device::Cpu);
        let sizes = [x.size()[1] as usize, HIDDEN, HIDDEN, PARAMETERS];
        let layers: Vec<[Tensor; 2]> = sizes
            .windows(2)
            .enumerate()
            .map(|(nth, size)| {
                let (inputs, outputs) = (size[0], size[1]);
                let place = (member * sizes.len() + nth) as u64;
                let mut weights = draw.at(Stream::Weights, place, 0).normals(inputs * outputs);
                for weight in &mut weights {
                    *weight /= (inputs as f32).sqrt();
                }
                let weights = Tensor::from_slice(&weights).view([outputs as i64, inputs as i64]);
                let path = store.root() / nth;
                [path.var_copy("weight", &weights), path.zeros("bias", &[outputs as i64])]
            })
            .collect();
        let say = |x: &Tensor| {
            let [first, rest @ ..] = &layers[..] else { unreachable!("there are layers") };
            let dense = |x: &Tensor, [weight, bias]: &[Tensor; 2]| x.linear(weight, Some(bias));
            rest.iter().fold(dense(x, first), |x, layer| dense(&x.silu(), layer))
        };
        let mut optimiser = nn::AdamW { wd: WEIGHT_DECAY, ..nn::AdamW::default() }
            .build(&store, LEARNING_RATE)
            .expect("libtorch has it");
        let a_pass = mine.len() / BATCH;
        let updates = (EPOCHS * a_pass) as f64;
        for epoch in 0..EPOCHS {
            let order = draw.at(Stream::Shuffle, epoch as u64, member as u32).permutation(mine.len());
            for (nth, batch) in order.chunks_exact(BATCH).enumerate() {
                let done = (epoch * a_pass + nth) as f64 / updates;
                let height = if done < RISE {
                    done / RISE
                } else {
                    ((done - RISE) / (1.0 - RISE) * std::f64::consts::PI).cos().midpoint(1.0)
                };
                optimiser.set_lr(LEARNING_RATE * height);
                let rows = Tensor::from_slice(&batch.iter().map(|at| mine[*at as usize]).collect::<Vec<i64>>());
                let far = (say(&x.index_select(0, &rows)) - y.index_select(0, &rows)) * known.index_select(0, &rows);
                optimiser.zero_grad();
                far.abs().mean(Kind::Float).backward();
                optimiser.step(); // where that led is judged by trials that were not seen
            }
        }
        let numbers = |tensor: &Tensor| Vec::<f32>::try_from(tensor.detach().flatten(0, -1)).expect("they are numbers");
        Self {
            layers: layers
                .iter()
                .map(|[weight, bias]| Layer { weight: numbers(weight), bias: numbers(bias) })
                .collect(),
        }
    }

    /// What it says of `numbers`, `[d]`: plain sums, so that neither neighbours nor threads change a bit.
    pub fn says(&self, numbers: &[f32]) -> [f64; PARAMETERS] {
        let mut x: Vec<f32> = numbers.to_vec();
        for (nth, Layer { weight, bias }) in self.layers.iter().enumerate() {
            if nth > 0 {
                for x in &mut x {
                    *x /= 1.0 + (-*x).exp();
                }
            }
            let sum =
                |(row, bias): (&[f32], &f32)| row.iter().zip(&x).map(|(weight, x)| weight * x).sum::<f32>() + bias;
            x = weight.chunks_exact(x.len()).zip(bias).map(sum).collect();
        }
        std::array::from_fn(|parameter| f64::from(x[parameter]))
    }
}
