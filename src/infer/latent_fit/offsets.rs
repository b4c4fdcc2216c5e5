//! Unknown offsets of groups of measured values, marginalised analytically in chi-square.
//!
//! A value i of group g is model_i + b_g + noise_i, with b_g ~ N(0, S_g^2) and noise_i ~ N(0, 1/w_i); groups share no values. The
//! marginal covariance C + G S G^T of the values (C: the noise, G: a column of ones and zeros for each group) has, with r = values -
//! model, by the formulas of Sherman and Morrison (1950) and of the determinant of a rank-one update,
//!
//! - chi^2 = sum_i w_i r_i^2 - sum_g (sum_g w_i r_i)^2 / (1/S_g^2 + sum_g w_i)
//! - ln det = ln det C + sum_g ln(1 + S_g^2 sum_g w_i)
//!
//! The first equals sum_i w_i (r_i - b_g)^2 + sum_g b_g^2 / S_g^2 at the offsets b_g = sum_g w_i r_i / (1/S_g^2 + sum_g w_i), where it is
//! least; this form is used, since it does not cancel in single precision. Its derivative with respect to b_g is 0 there, so offsets
//! count as constants in the gradient with respect to the model.
//!
//! **Draws.** A restart that is a draw fits values + noise ~ N(0, C) + a draw of each offset from its prior: what is added has the
//! marginal covariance, as randomise-then-optimise asks of the covariance that chi-square is measured with.
//!
//! **Errors of two sides.** w_i is that of the side on which model + offset lies, which depends on the offsets: they are found with the
//! weights of the round before, `ROUNDS` times from offsets of 0, and the weights of the last round are constants in all formulas.
//! With equal errors on both sides the first round is exact.
//!
//! Shapes: b = rows, v = measured values, g = groups.

use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

use crate::rng::Chance;

/// Rounds in which the sides of errors and the offsets are found.
const ROUNDS: usize = 4;

/// Measured values that share an unknown offset.
#[derive(Clone, Debug, PartialEq)]
pub struct OffsetGroup {
    /// `[v]`, whether a value is in the group; none is in two groups.
    pub members: Vec<bool>,
    /// Standard deviation of the offset's normal prior around 0, in the unit of the values, more than 0.
    pub sigma: f64,
}

/// What a fit says of the offset of a group: its normal distribution at the model of the fit, values minus model.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct OffsetFit {
    /// Mean, in the unit of the values.
    pub mean: f32,
    /// Sum of the inverse variances of the group's known values.
    pub weight: f32,
    /// Standard deviation of the prior.
    pub sigma: f32,
}

impl OffsetFit {
    /// Mean and variance of the offset where `correlated` values say as much as one that is independent, so that the likelihood of the
    /// values, but not the prior, is taken to the power 1 / `correlated`.
    pub fn distribution(self, correlated: f64) -> (f64, f64) {
        let (mean, weight, prior) = self.numbers();
        let total = correlated * prior + weight;
        (mean * (prior + weight) / total, correlated / total)
    }

    /// What must be added to the marginal chi-square before it is divided by `correlated`, so that the prior of the offset is not
    /// divided with it; and `correlated` times the logarithm of the determinant's factor 1 + S^2 sum of weights, which differs between
    /// models only where errors have two sides.
    pub fn addition(self, correlated: f64) -> f64 {
        let (mean, weight, prior) = self.numbers();
        let total = correlated * prior + weight;
        let of_prior = mean * mean * prior * (correlated - 1.0) * (prior + weight) / total;
        of_prior + correlated * (weight / (correlated * prior)).ln_1p()
    }

    /// Mean, sum of weights and inverse variance of the prior.
    fn numbers(self) -> (f64, f64, f64) {
        (self.mean.into(), self.weight.into(), f64::from(self.sigma).powi(-2))
    }
}

/// Adds one draw of each group's offset from its prior to the known of its `values`, `[v]`; `known` is 1 where a value is known, else 0.
pub fn add_drawn(groups: &[OffsetGroup], values: &mut [f32], known: &[f32], chance: &mut Chance) {
    for group in groups {
        let offset = (group.sigma * chance.normal()) as f32;
        for ((value, known), member) in values.iter_mut().zip(known).zip(&group.members) {
            *value += if *member { offset * known } else { 0.0 };
        }
    }
}

/// `values`, `[v]`, without the offsets of the groups, in their order: those that are known become what a model without offsets is
/// compared with.
pub fn without(groups: &[OffsetGroup], values: &[f32], known: &[f32], offsets: &[OffsetFit]) -> Vec<f32> {
    let mut values = values.to_vec();
    for (group, offset) in groups.iter().zip(offsets) {
        for ((value, known), member) in values.iter_mut().zip(known).zip(&group.members) {
            *value -= if *member { offset.mean * known } else { 0.0 };
        }
    }
    values
}

/// Groups on a device.
#[derive(Debug)]
pub struct Offsets {
    groups: Vec<OffsetGroup>,
    /// `[1, v]` of each: 1 where a value is in the group, else 0.
    members: Vec<Tensor>,
}

/// Chi-square with the offsets marginalised.
pub struct Marginal {
    /// Half of chi-square, `[b]`.
    pub half_chi_square: Tensor,
    /// Logarithm of the factor by which the offsets enlarge the determinant of the covariance, `[b]`.
    pub log_determinant: Tensor,
    /// Means of the offsets, values minus model, `[b]` of each group.
    pub means: Vec<Tensor>,
    /// Sums of weights, `[b]` of each group.
    pub weights: Vec<Tensor>,
    /// The mean of its group's offset for each value, 0 for those in none, `[b, v]`.
    pub at_values: Tensor,
}

impl Offsets {
    /// Of these groups, whose tensors have `kind`.
    pub fn new(groups: &[OffsetGroup], kind: Kind, device: Device) -> Self {
        let on_device = |group: &OffsetGroup| {
            let members: Vec<f32> = group.members.iter().map(|member| f32::from(u8::from(*member))).collect();
            Tensor::from_slice(&members).to_kind(kind).to_device(device).view([1, -1])
        };
        Self { groups: groups.to_vec(), members: groups.iter().map(on_device).collect() }
    }

    /// The groups.
    pub fn groups(&self) -> &[OffsetGroup] {
        &self.groups
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// Marginalises the offsets in chi-square.
    ///
    /// - `difference`: model minus values, `[b, v]`
    /// - `below`, `above`: what a squared difference weighs where model + offset lies below the values and above them, `[b, v]` or
    ///   `[1, v]`; 0 where a value is not known
    pub fn marginal(&self, difference: &Tensor, below: &Tensor, above: &Tensor) -> Marginal {
        let sum = |tensor: &Tensor| tensor.sum_dim_intlist(1, false, difference.kind());
        let (at_values, weight, means, weights) = tch::no_grad(|| {
            let difference = difference.detach();
            let mut at_values = difference.zeros_like();
            let mut weight = difference.zeros_like();
            let (mut means, mut weights) = (Vec::new(), Vec::new());
            for _ in 0..ROUNDS {
                weight = above.where_self(&(&difference + &at_values).gt(0.0), below);
                let weighted = &weight * &difference;
                at_values = difference.zeros_like();
                (means, weights) = (Vec::new(), Vec::new());
                for (group, members) in self.groups.iter().zip(&self.members) {
                    let total = sum(&(&weight * members));
                    let mean = -sum(&(&weighted * members)) / (&total + group.sigma.powi(-2));
                    at_values += mean.unsqueeze(1) * members;
                    means.push(mean);
                    weights.push(total);
                }
            }
            (at_values, weight, means, weights)
        });
        let mut half_chi_square = sum(&((difference + &at_values).square() * &weight)) * 0.5;
        let mut log_determinant = half_chi_square.detach().zeros_like();
        for (group, (mean, weight)) in self.groups.iter().zip(means.iter().zip(&weights)) {
            half_chi_square += mean.square() * (0.5 * group.sigma.powi(-2));
            log_determinant += (weight * group.sigma.powi(2)).log1p();
        }
        Marginal { half_chi_square, log_determinant, means, weights, at_values }
    }
}

impl Marginal {
    /// What each row says of the offset of each of `groups`, `[b]` of `[g]`.
    pub(super) fn fits(&self, groups: &[OffsetGroup]) -> Vec<Vec<OffsetFit>> {
        let host = |tensor: &Tensor| -> Vec<f32> { Vec::try_from(tensor).expect("offsets are numbers") };
        let rows = self.half_chi_square.size()[0] as usize;
        let mut fits = vec![Vec::with_capacity(groups.len()); rows];
        for (group, (means, weights)) in groups.iter().zip(self.means.iter().zip(&self.weights)) {
            for (fits, (mean, weight)) in fits.iter_mut().zip(host(means).into_iter().zip(host(weights))) {
                fits.push(OffsetFit { mean, weight, sigma: group.sigma as f32 });
            }
        }
        fits
    }
}
