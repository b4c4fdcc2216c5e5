//! A model of how the time of a step grows with the number of ranks under weak scaling.
//!
//! Letters: R = ranks, n = numbers of a sum, alpha = latency of a message in seconds, beta = seconds per byte.
//! A sum over ranks is an all-reduce by recursive halving and doubling (Thakur et al. 2005, sec. 4.4).

use serde::Serialize;

/// Bytes of an f32.
const BYTES: f64 = 4.0;

/// Costs of a step, as measured on a few ranks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Model {
    /// Seconds of compute of a rank in a step, the same on any number of ranks.
    pub compute_seconds: f64,
    /// Count of f32 numbers of each sum over ranks in a step.
    pub sums: Vec<usize>,
    /// Latency of a message in seconds.
    pub alpha_seconds: f64,
    /// Transfer time of a byte in seconds.
    pub beta_seconds: f64,
    /// Share of the time of the sums that overlaps with compute, 0 to 1.
    pub hidden: f64,
    /// Standard deviation of `compute_seconds` from rank to rank and step to step, over its mean.
    pub jitter: f64,
}

/// Prediction of the model for a number of ranks.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Forecast {
    /// R.
    pub ranks: usize,
    /// Duration of a step in seconds.
    pub step_seconds: f64,
    /// Samples per second and rank, over those of one rank alone.
    pub efficiency: f64,
    /// Efficiency if no sum overlapped with compute.
    pub efficiency_without_overlap: f64,
}

/// Messages one after the other in a sum over R ranks.
fn messages(ranks: usize) -> f64 {
    2.0 * (ranks as f64).log2().ceil()
}

/// Bytes that a rank sends in a sum of n numbers: a half, a quarter and so on, and the same back.
fn bytes(ranks: usize, numbers: usize) -> f64 {
    2.0 * (ranks as f64 - 1.0) / ranks as f64 * BYTES * numbers as f64
}

impl Model {
    /// Seconds of all sums of a step on R ranks: the sum over n of 2 ceil(log2 R) alpha + 2 (R - 1) / R 4 n beta.
    pub fn sum_seconds(&self, ranks: usize) -> f64 {
        let one = |&n: &usize| messages(ranks) * self.alpha_seconds + bytes(ranks, n) * self.beta_seconds;
        self.sums.iter().map(one).sum()
    }

    /// Seconds by which the slowest of R ranks is expected to be later than their mean.
    ///
    /// The maximum of R independent normal variables tends to sqrt(2 ln R) standard deviations above the mean, from below.
    pub fn late_seconds(&self, ranks: usize) -> f64 {
        self.compute_seconds * self.jitter * (2.0 * (ranks as f64).ln()).sqrt()
    }

    /// Duration and efficiency of a step on R ranks.
    pub fn forecast(&self, ranks: usize) -> Forecast {
        let (alone, sums) = (self.compute_seconds, self.sum_seconds(ranks));
        let without = alone + self.late_seconds(ranks) + sums;
        let step_seconds = without - self.hidden * sums;
        let efficiency = alone / step_seconds;
        Forecast { ranks, step_seconds, efficiency, efficiency_without_overlap: alone / without }
    }
}

/// Fits latency and transfer time to measured sums on R ranks: least squares of relative errors, neither below 0.
///
/// - `ranks`: R, at least 2
/// - `measured`: (n, seconds) of sums of at least two sizes
/// - returns: (alpha, beta) in seconds and seconds per byte
pub fn fit(ranks: usize, measured: &[(usize, f64)]) -> (f64, f64) {
    let (mut xx, mut xy, mut yy, mut x1, mut y1) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for &(numbers, seconds) in measured {
        let (x, y) = (messages(ranks) / seconds, bytes(ranks, numbers) / seconds);
        (xx, xy, yy, x1, y1) = (xx + x * x, xy + x * y, yy + y * y, x1 + x, y1 + y);
    }
    let determinant = xx * yy - xy * xy;
    let (alpha, beta) = ((x1 * yy - y1 * xy) / determinant, (y1 * xx - x1 * xy) / determinant);
    match (alpha >= 0.0, beta >= 0.0) {
        (true, true) => (alpha, beta),
        (false, _) => (0.0, y1 / yy),
        (_, false) => (x1 / xx, 0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model() -> Model {
        let sums = vec![1_000_000, 3_000_000];
        Model { compute_seconds: 0.5, sums, alpha_seconds: 2e-5, beta_seconds: 1e-9, hidden: 0.25, jitter: 0.02 }
    }

    #[test]
    fn a_fit_finds_what_times_were_made_of() {
        for (alpha, beta) in [(2e-5, 1e-9), (0.0, 1e-9), (3e-6, 0.0)] {
            for ranks in [2, 4, 64] {
                let of = |n| Model { sums: vec![n], alpha_seconds: alpha, beta_seconds: beta, ..model() };
                let sizes = [1_000, 30_000, 1_000_000, 5_000_000];
                let measured = sizes.map(|n| (n, of(n).sum_seconds(ranks)));
                let (a, b) = fit(ranks, &measured);
                assert!((a - alpha).abs() <= 1e-9 * alpha.max(1e-6), "{a} for {alpha}");
                assert!((b - beta).abs() <= 1e-9 * beta.max(1e-9), "{b} for {beta}");
            }
        }
    }

    #[test]
    fn one_rank_is_what_was_measured_and_more_are_slower() {
        let one = model().forecast(1);
        assert_eq!((one.step_seconds, one.efficiency, one.efficiency_without_overlap), (0.5, 1.0, 1.0));
        let all: Vec<Forecast> = (0..=10).map(|power| model().forecast(1 << power)).collect();
        assert!(all.windows(2).all(|pair| pair[1].efficiency < pair[0].efficiency));
        assert!(all[1..].iter().all(|one| one.efficiency_without_overlap < one.efficiency));
    }

    #[test]
    fn bytes_of_a_sum_tend_to_twice_its_size_and_messages_to_the_logarithm() {
        let perfect = Model { alpha_seconds: 0.0, jitter: 0.0, hidden: 0.0, ..model() };
        let bytes = |ranks| perfect.sum_seconds(ranks) / perfect.beta_seconds;
        assert_eq!(bytes(1), 0.0);
        assert_eq!(bytes(2), 16e6);
        assert!((bytes(1024) / 32e6 - 1.0).abs() < 2e-3);
        let starts = Model { alpha_seconds: 2e-5, beta_seconds: 0.0, ..perfect };
        assert!((starts.sum_seconds(1024) / starts.sum_seconds(2) - 10.0).abs() < 1e-12);
    }
}
