//! Percentiles of samples with weights.

use skyforge::rng::{Draw, Stream};
use skyforge::statistics::weighted::{effective_samples, percentiles};

const SHARES: [f64; 5] = [0.025, 0.16, 0.5, 0.84, 0.975];

#[test]
fn percentiles_of_a_normal_distribution_are_its_own() {
    let values = Draw::new(1).at(Stream::Simulation, 0, 0).normals(200_000);
    let found = percentiles(&values, &vec![0.3; values.len()], SHARES);
    for (found, wanted) in found.iter().zip([-1.959_964, -0.994_458, 0.0, 0.994_458, 1.959_964]) {
        assert!((found - wanted).abs() < 0.015, "{found} for {wanted}");
    }
}

/// Samples of a wide distribution, weighted by the ratio of the two densities, are samples of the narrow one.
#[test]
fn weights_make_another_distribution_of_it() {
    let values: Vec<f32> = Draw::new(2).at(Stream::Simulation, 0, 0).normals(400_000).iter().map(|x| 2.0 * x).collect();
    let weights: Vec<f32> = values.iter().map(|x| (-0.5 * (x - 1.0).powi(2) + 0.125 * x * x).exp()).collect();
    let found = percentiles(&values, &weights, SHARES);
    for (found, wanted) in found.iter().zip([-0.959_964, 0.005_542, 1.0, 1.994_458, 2.959_964]) {
        assert!((found - wanted).abs() < 0.02, "{found} for {wanted}");
    }
}

#[test]
fn equal_weights_give_hazens_percentiles() {
    // numpy.percentile([1, 2, 4, 8], [0, 12.5, 25, 50, 80, 100], method="hazen")
    let found = percentiles(&[8.0, 1.0, 4.0, 2.0], &[0.25; 4], [0.0, 0.125, 0.25, 0.5, 0.8, 1.0]);
    assert_eq!(found, [1.0, 1.0, 1.5, 3.0, 6.8, 8.0]);
}

#[test]
fn a_sample_twice_is_a_sample_of_twice_the_weight_and_none_counts_for_nothing() {
    let doubled = percentiles(&[1.0, 5.0], &[2.0, 2.0], [0.1, 0.5, 0.9]);
    assert_eq!(percentiles(&[1.0, 5.0, 99.0], &[0.5, 0.5, 0.0], [0.1, 0.5, 0.9]), doubled);
    assert_eq!(percentiles(&[1.0, 5.0, 9.0], &[0.0, 1.0, 0.0], SHARES), [5.0; 5]);
    assert!(percentiles(&[1.0], &[0.0], SHARES).iter().all(|x| x.is_nan()));
    assert!(percentiles(&[], &[], SHARES).iter().all(|x| x.is_nan()));
}

#[test]
fn effective_samples_are_all_where_equal_and_one_where_one_has_it_all() {
    assert!((effective_samples(&[0.1; 64]) - 64.0).abs() < 1e-9);
    assert_eq!(effective_samples(&[0.0, 3.0, 0.0]), 1.0);
    assert!((effective_samples(&[1.0, 1.0, 2.0]) - 16.0 / 6.0).abs() < 1e-12);
    assert_eq!((effective_samples(&[]), effective_samples(&[0.0])), (0.0, 0.0));
}
