//! One row of numbers a map, and what is said of them over maps.
//!
//! Shapes: n = maps, b = bins (of wavenumber, lag or pixel value).

use serde::{Deserialize, Serialize};

use super::number;

/// A profile a map: `[n, b]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Profiles {
    bins: usize,
    values: Vec<f32>,
}

/// Mean and spread over maps, `[b]` each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Band {
    /// Mean over maps.
    #[serde(with = "number::many")]
    pub mean: Vec<f64>,
    /// Standard deviation over maps (divided by n).
    #[serde(with = "number::many")]
    pub spread: Vec<f64>,
}

/// Mean and spread of one number a map.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scatter {
    /// Mean over maps; NaN where the number is defined for none.
    #[serde(with = "number::one")]
    pub mean: f64,
    /// Standard deviation over maps (divided by n).
    #[serde(with = "number::one")]
    pub spread: f64,
}

impl Scatter {
    /// Over the numbers that are finite.
    pub fn of(numbers: impl IntoIterator<Item = f64>) -> Self {
        let finite: Vec<f64> = numbers.into_iter().filter(|x| x.is_finite()).collect();
        let average = |term: &dyn Fn(f64) -> f64| finite.iter().map(|&x| term(x)).sum::<f64>() / finite.len() as f64;
        let mean = average(&|x| x);
        Self { mean, spread: average(&|x| (x - mean).powi(2)).sqrt() }
    }
}

impl Profiles {
    /// `values` is `[n, bins]`.
    pub(super) fn new(values: Vec<f32>, bins: usize) -> Self {
        assert!(bins > 0 && values.len().is_multiple_of(bins), "profiles are [n, bins]");
        Self { bins, values }
    }

    /// n.
    pub fn count(&self) -> usize {
        self.values.len() / self.bins
    }

    /// b.
    pub fn bins(&self) -> usize {
        self.bins
    }

    /// The profile of one map, `[b]`.
    pub fn of_map(&self, map: usize) -> &[f32] {
        &self.values[map * self.bins..][..self.bins]
    }

    /// One bin over all maps, `[n]`.
    pub fn of_bin(&self, bin: usize) -> Vec<f32> {
        self.values.iter().skip(bin).step_by(self.bins).copied().collect()
    }

    /// Those of the first `count` maps, or all where there are fewer.
    #[must_use]
    pub fn first(&self, count: usize) -> Self {
        Self { bins: self.bins, values: self.values[..count.min(self.count()) * self.bins].to_vec() }
    }

    /// Those of the first half of the maps, and the rest.
    pub fn halves(&self) -> (Self, Self) {
        let (first, second) = self.values.split_at(self.count() / 2 * self.bins);
        let of = |values: &[f32]| Self { bins: self.bins, values: values.to_vec() };
        (of(first), of(second))
    }

    /// Mean and spread over maps, every number multiplied by `scale`.
    pub fn band(&self, scale: f64) -> Band {
        let over_maps = |term: &dyn Fn(usize, f64) -> f64| -> Vec<f64> {
            let mut total = vec![0.0; self.bins];
            for row in self.values.chunks_exact(self.bins) {
                for (bin, (sum, &x)) in total.iter_mut().zip(row).enumerate() {
                    *sum += term(bin, f64::from(x) * scale);
                }
            }
            total.iter().map(|sum| sum / self.count() as f64).collect()
        };
        let mean = over_maps(&|_, x| x);
        let spread = over_maps(&|bin, x| (x - mean[bin]).powi(2)).iter().map(|x| x.sqrt()).collect();
        Band { mean, spread }
    }
}
