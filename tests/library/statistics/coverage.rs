//! Intervals and ranks of posteriors that are right, too narrow, too wide or biased.

use skyforge::rng::{Draw, Stream};
use skyforge::statistics::coverage::{Ranks, coverage, rank};
use skyforge::statistics::retrieval_accuracy::Retrieved;
use skyforge::statistics::weighted::percentiles;

const OBJECTS: u64 = 2000;

/// Retrievals of normal truths: the truth is drawn from N(m, 1), the samples from N(m + bias, width^2).
struct Made {
    retrieved: Vec<Retrieved>,
    ranks: Vec<f64>,
}

/// `weigh` gives the density that samples are drawn from too much of, so that weights take it back.
fn made(samples: usize, width: f64, bias: f64, weighted: bool) -> Made {
    let draw = Draw::new(17);
    let (mut retrieved, mut ranks) = (Vec::new(), Vec::new());
    for object in 0..OBJECTS {
        let mut chance = draw.at(Stream::Simulation, object, 0);
        let middle = 10.0 * chance.normal();
        let truth = middle + chance.normal();
        // Twice as wide where weights make up for it.
        let stretch = if weighted { 2.0 } else { 1.0 };
        let away: Vec<f64> = (0..samples).map(|_| stretch * chance.normal()).collect();
        let values: Vec<f32> = away.iter().map(|x| (middle + bias + width * x) as f32).collect();
        let weight = |x: &f64| if weighted { (-0.5 * x * x * (1.0 - 0.25)).exp() as f32 } else { 1.0 };
        let weights: Vec<f32> = away.iter().map(weight).collect();
        let [p2_5, p16, median, p84, p97_5] =
            percentiles(&values, &weights, [0.025, 0.16, 0.5, 0.84, 0.975]).map(f64::from);
        retrieved.push(Retrieved { truth, p2_5, p16, median, p84, p97_5 });
        let pairs = values.iter().copied().zip(weights.iter().copied());
        ranks.push(rank(truth, pairs, chance.uniform()).expect("there is weight"));
    }
    Made { retrieved, ranks }
}

#[test]
fn a_calibrated_posterior_keeps_its_promise_and_has_uniform_ranks() {
    for (samples, weighted) in [(1000, false), (1000, true)] {
        let Made { retrieved, ranks } = made(samples, 1.0, 0.0, weighted);
        for one in coverage(&retrieved) {
            assert!((one.share - one.nominal).abs() < 3.0 * one.error, "{one:?}");
        }
        let ranks = Ranks::of(ranks);
        assert!(ranks.p_value > 0.01, "{ranks:?}");
        assert_eq!(ranks.bins.iter().sum::<u64>(), OBJECTS);
        assert!(ranks.bins.iter().all(|&count| (60..140).contains(&count)), "{ranks:?}");
    }
}

#[test]
fn ranks_among_few_samples_are_uniform_too() {
    for samples in [1, 3, 8, 64] {
        let ranks = Ranks::of(made(samples, 1.0, 0.0, false).ranks);
        assert!(ranks.p_value > 0.01, "{samples} samples: {ranks:?}");
    }
}

#[test]
fn halved_intervals_break_it() {
    let Made { retrieved, ranks } = made(1000, 0.5, 0.0, false);
    let [inner, outer] = coverage(&retrieved);
    // The normal distribution has 38.1 % within half a deviation, and 67.3 % within 0.98.
    assert!((inner.share - 0.381).abs() < 0.04 && inner.share < inner.nominal - 10.0 * inner.error, "{inner:?}");
    assert!((outer.share - 0.673).abs() < 0.04 && outer.share < outer.nominal - 10.0 * outer.error, "{outer:?}");
    let ranks = Ranks::of(ranks);
    assert!(ranks.p_value < 1e-9);
    assert!(ranks.bins[0] > 200 && ranks.bins[19] > 200 && ranks.bins[10] < 100, "heaps at both ends: {ranks:?}");
}

#[test]
fn doubled_intervals_and_biased_ones_show_in_the_ranks() {
    let wide = Ranks::of(made(500, 2.0, 0.0, false).ranks);
    assert!(wide.p_value < 1e-9 && wide.bins[0] < 50 && wide.bins[10] > 130, "a hill: {wide:?}");
    let biased = Ranks::of(made(500, 1.0, 0.5, false).ranks);
    assert!(biased.p_value < 1e-9 && biased.bins[0] > 2 * biased.bins[19], "a slope: {biased:?}");
}

#[test]
fn a_rank_is_the_share_of_weight_below() {
    let samples = [(1.0, 0.5), (2.0, 0.25), (3.0, 0.25)];
    let at = |truth: f64, chance: f64| rank(truth, samples, chance).expect("there is weight");
    let step = 0.375; // 1 / effective samples
    assert!((at(1.5, 0.0) - 0.5 / (1.0 + step)).abs() < 1e-12);
    assert!((at(1.5, 1.0) - (0.5 + step) / (1.0 + step)).abs() < 1e-12);
    assert!((at(2.0, 1.0) - (0.75 + step) / (1.0 + step)).abs() < 1e-12, "what is equal may lie on both sides");
    assert_eq!((at(0.0, 0.0), at(9.0, 1.0)), (0.0, 1.0));
    assert_eq!(rank(1.0, [], 0.5), None);
    assert_eq!(rank(1.0, [(2.0, 0.0)], 0.5), None);
}

/// From d = 0.5 on, the two-sided chance is twice the one-sided one: 2 d sum_j C(5, j) (d + j/5)^(j-1) (1 - d - j/5)^(5-j).
#[test]
fn the_uniformity_test_has_the_exact_chance() {
    let ranks = Ranks::of(vec![0.7, 0.1, 0.25, 0.05, 0.2]);
    assert!((ranks.ks_statistic - 0.55).abs() < 1e-12);
    assert!((ranks.p_value - 0.059_696_25).abs() < 1e-9, "{}", ranks.p_value);
}

#[test]
fn unknown_truths_are_in_no_interval_and_in_no_count() {
    let known = Retrieved { truth: 0.5, p2_5: 0.0, p16: 0.5, median: 1.0, p84: 2.0, p97_5: 3.0 };
    let [inner, outer] = coverage(&[known, Retrieved { truth: f64::NAN, ..known }, Retrieved { truth: 0.1, ..known }]);
    assert_eq!((inner.objects, inner.inside, outer.inside), (2, 1, 2));
    assert!((inner.error - (0.68_f64 * 0.32 / 2.0).sqrt()).abs() < 1e-12);
}
