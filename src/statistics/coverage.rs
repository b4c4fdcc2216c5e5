//! Whether intervals hold the truth as often as they say, and whether the truth is just one more of the samples.
//!
//! Shapes: n = objects, s = samples of an object.

use serde::{Deserialize, Serialize};

use super::ks::ks_p_value_of_one;
use super::number;
use super::retrieval_accuracy::Retrieved;

/// How often an interval holds the truth.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Coverage {
    /// The share that it promises.
    pub nominal: f64,
    /// Objects whose truth is known.
    pub objects: u64,
    /// Those whose interval holds it, both ends included.
    pub inside: u64,
    /// Their share.
    #[serde(with = "number::one")]
    pub share: f64,
    /// One standard deviation of the share of so many objects where the promise is kept: binomial.
    #[serde(with = "number::one")]
    pub error: f64,
}

/// Coverage of the intervals from 16 to 84 % and from 2.5 to 97.5 %, of objects whose truth is known.
pub fn coverage(retrieved: &[Retrieved]) -> [Coverage; 2] {
    let of = |nominal: f64, holds: &dyn Fn(&Retrieved) -> bool| {
        let known = retrieved.iter().filter(|one| !one.truth.is_nan());
        let (objects, inside) = known.fold((0, 0), |(all, inside), one| (all + 1, inside + u64::from(holds(one))));
        Coverage {
            nominal,
            objects,
            inside,
            share: inside as f64 / objects as f64,
            error: (nominal * (1.0 - nominal) / objects as f64).sqrt(),
        }
    };
    [
        of(0.68, &|one| (one.p16..=one.p84).contains(&one.truth)),
        of(0.95, &|one| (one.p2_5..=one.p97_5).contains(&one.truth)),
    ]
}

/// Ranks of truths among their objects' samples: uniform where samples and truth have one distribution (Talts et al. 2018,
/// "Validating Bayesian inference algorithms with simulation-based calibration").
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ranks {
    /// Objects with samples whose truth is known.
    pub objects: u64,
    /// How many ranks lie in each of [`RANK_BINS`] equal bins from 0 to 1.
    pub bins: Vec<u64>,
    /// Largest distance of their distribution from the uniform one (Kolmogorov and Smirnov).
    #[serde(with = "number::one")]
    pub ks_statistic: f64,
    /// Chance of a larger one where ranks are uniform.
    #[serde(with = "number::one")]
    pub p_value: f64,
}

/// Bins of the histogram of ranks.
pub const RANK_BINS: usize = 20;

/// The rank of a truth among weighted samples, in 0..1: the share of weight below it.
///
/// With s equal weights a rank is one of s + 1 numbers; `chance`, uniform in 0..1, spreads it over its step, so that ranks are
/// uniform whatever s. The step is that of as many equal samples as the weights are worth. None where there is no weight.
pub fn rank(truth: f64, samples: impl IntoIterator<Item = (f32, f32)>, chance: f64) -> Option<f64> {
    let (mut below, mut at, mut total, mut squares) = (0.0, 0.0, 0.0, 0.0);
    for (value, weight) in samples {
        let (value, weight) = (f64::from(value), f64::from(weight));
        total += weight;
        squares += weight * weight;
        if value < truth {
            below += weight;
        } else if value == truth {
            at += weight;
        }
    }
    let step = squares / total; // the weight of one of the equal samples
    (total > 0.0).then(|| chance.mul_add(at + step, below) / (total + step))
}

impl Ranks {
    /// What ranks in 0..1 say.
    pub fn of(mut ranks: Vec<f64>) -> Self {
        ranks.sort_unstable_by(f64::total_cmp);
        let n = ranks.len();
        let mut bins = vec![0; RANK_BINS];
        for rank in &ranks {
            bins[((rank * RANK_BINS as f64) as usize).min(RANK_BINS - 1)] += 1;
        }
        let distance = |(at, rank): (usize, &f64)| {
            let (before, after) = (at as f64 / n as f64, (at + 1) as f64 / n as f64);
            (rank - before).max(after - rank)
        };
        let ks_statistic = ranks.iter().enumerate().map(distance).fold(f64::NAN, f64::max);
        let p_value = if n == 0 { f64::NAN } else { ks_p_value_of_one(ks_statistic, n) };
        Self { objects: n as u64, bins, ks_statistic, p_value }
    }
}
