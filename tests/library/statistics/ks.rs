use serde::Deserialize;
use skyforge::rng::{Draw, Stream};
use skyforge::statistics::Maps;
use skyforge::statistics::ks::{THRESHOLDS, ks_p_value, ks_statistic, ks_tests};
use skyforge::statistics::power_spectrum::power_spectra;

use crate::statistics::fields::white_noise;

/// What `reference/ks.py` wrote.
#[derive(Deserialize)]
struct Reference {
    cases: Vec<(usize, usize, f64, f64)>,
    samples: Vec<Sample>,
}

#[derive(Deserialize)]
struct Sample {
    a: Vec<f32>,
    b: Vec<f32>,
    statistic: f64,
    p_value: f64,
}

fn reference() -> Reference {
    serde_json::from_str(include_str!("reference/ks.json")).expect("the reference is JSON")
}

#[test]
fn p_values_are_those_of_scipy() {
    let cases = reference().cases;
    assert!(cases.len() > 100);
    for (n_1, n_2, d, expected) in cases {
        let p = ks_p_value(d, n_1, n_2);
        assert!((p - expected).abs() < 1e-9 + 1e-7 * expected, "n {n_1} {n_2}, d {d}: {p}, scipy {expected}");
    }
}

#[test]
fn samples_with_ties_are_tested_as_by_scipy() {
    for mut sample in reference().samples {
        let (n_1, n_2) = (sample.a.len(), sample.b.len());
        let d = ks_statistic(&mut sample.a, &mut sample.b);
        assert!((d - sample.statistic).abs() < 1e-12, "{d}, scipy {}", sample.statistic);
        let p = ks_p_value(d, n_1, n_2);
        assert!((p - sample.p_value).abs() < 1e-9, "{p}, scipy {}", sample.p_value);
    }
}

#[test]
fn the_statistic_is_0_for_equal_and_1_for_separate_samples() {
    let d = |mut a: Vec<f32>, mut b: Vec<f32>| ks_statistic(&mut a, &mut b);
    assert!(d(vec![3.0, 1.0, 2.0, 2.0], vec![2.0, 3.0, 1.0, 2.0]).abs() < 1e-15);
    assert!((d(vec![1.0, 2.0], vec![3.0, 4.0, 5.0]) - 1.0).abs() < 1e-15);
    assert!((d(vec![0.0; 4], vec![0.0, 0.0, 0.0, 1.0]) - 0.25).abs() < 1e-15);
}

/// `P(D_1 > d)` = 2 (1 - d) from d = 1/2, and `P(D_n > d)` = 2 (1 - d)^n from d = 1 - 1/n.
#[test]
fn closed_forms_are_met() {
    assert!((ks_p_value(0.7, 2, 2) - 0.6).abs() < 1e-12);
    assert!((ks_p_value(0.95, 10, 10) - 2.0 * 0.05_f64.powi(5)).abs() < 1e-15);
    assert!((ks_p_value(0.0, 10, 10) - 1.0).abs() < 1e-15);
    assert!(ks_p_value(1.0, 10, 10).abs() < 1e-15);
    // The limit for many: 2 sum (-1)^(j-1) exp(-2 j^2 z^2).
    let (n, z) = (4_000_000, 0.9_f64);
    let limit: f64 = (1..20).map(|j| (-1.0_f64).powi(j - 1) * 2.0 * (-2.0 * f64::from(j * j) * z * z).exp()).sum();
    let d = z / (n as f64 / 2.0).sqrt();
    assert!((ks_p_value(d, n, n) - limit).abs() < 1e-3);
}

#[test]
fn a_larger_statistic_has_a_smaller_p() {
    for n in [5, 100, 281, 1024] {
        let mut last = 1.0;
        for step in 1..1000 {
            let p = ks_p_value(f64::from(step) / 1000.0, n, n);
            assert!(p <= last + 1e-9 && p >= 0.0, "n {n}, d {step}/1000: {p} after {last}");
            last = p;
        }
    }
}

/// Tests of one truth against itself: p is uniform, so the table counts a share of 1 - threshold.
#[test]
fn equal_truths_pass_as_often_as_they_should() {
    let (a, b) = (white_noise(300, 32, 1), white_noise(300, 32, 2));
    let spectra = |pixels| power_spectra(Maps::new(pixels, 32).expect("whole maps"));
    let tests = ks_tests(&spectra(&a), &spectra(&b));
    assert_eq!(tests.p_value.len(), 16);
    assert!(tests.above[6] >= 12, "p > 0.05 in {} of 16", tests.above[6]);
    assert!(tests.above.is_sorted());
    let other: Vec<f32> = b.iter().map(|x| 1.2 * x).collect();
    let tests = ks_tests(&spectra(&a), &spectra(&other));
    assert!(tests.above[6] <= 2, "a power 44 % too high is found: {:?}", tests.p_value);
}

#[test]
fn p_is_uniform_for_equal_truths() {
    let draw = Draw::new(11);
    let trials = 400;
    let mut above = [0_u32; 7];
    for trial in 0..trials {
        let sample = |part| draw.at(Stream::Simulation, trial, part).normals(200);
        let (mut a, mut b) = (sample(0), sample(1));
        let p = ks_p_value(ks_statistic(&mut a, &mut b), 200, 200);
        above.iter_mut().zip(THRESHOLDS).for_each(|(count, threshold)| *count += u32::from(p > threshold));
    }
    for (count, threshold) in above.into_iter().zip(THRESHOLDS) {
        let (share, expected) = (f64::from(count) / trials as f64, 1.0 - threshold);
        let spread = (expected * threshold / trials as f64).sqrt();
        assert!((share - expected).abs() < 4.0 * spread + 0.03, "p > {threshold}: {share}, expected {expected}");
    }
}
