use skyforge::statistics::{Comparison, ComparisonSettings, Maps, compare};

use crate::statistics::fields::{smooth_noise, white_noise};

const SIDE: usize = 32;

fn compared(generated: &[f32], reference: &[f32], settings: &ComparisonSettings) -> Comparison {
    let (reference, floor) = Maps::new(reference, SIDE).and_then(|maps| maps.halves()).expect("whole maps");
    let generated = Maps::new(generated, SIDE).expect("whole maps");
    compare(generated, reference, floor, settings).expect("sets that can be compared")
}

#[test]
fn maps_of_the_same_truth_are_as_near_as_the_floor() {
    let found = compared(&smooth_noise(200, SIDE, 1), &smooth_noise(400, SIDE, 2), &ComparisonSettings::default());
    let (generated, floor) = (&found.generated_distance, &found.floor_distance);
    assert_eq!(found.judged_wavenumbers, 4..12);
    assert!(generated.spectrum_worst < 0.1 && floor.spectrum_worst < 0.1);
    assert!(generated.histogram_total_variation < 2.0 * floor.histogram_total_variation);
    assert!(generated.mean_map_rms < 2.0 * floor.mean_map_rms);
    assert!(generated.spectrum_ks.above[6] >= 12, "{:?}", generated.spectrum_ks);
    assert_eq!(generated.spectrum_ks.maps, 200);
}

#[test]
fn every_distance_sees_another_truth() {
    let mut other = white_noise(200, SIDE, 1);
    other.iter_mut().enumerate().for_each(|(i, x)| *x = *x * (1.0 + (i % SIDE) as f32 / 32.0) + 0.5);
    let found = compared(&other, &smooth_noise(400, SIDE, 2), &ComparisonSettings::default());
    let (generated, floor) = (&found.generated_distance, &found.floor_distance);
    for (what, far, near) in [
        ("spectrum", generated.spectrum_worst, floor.spectrum_worst),
        ("histogram", generated.histogram_total_variation, floor.histogram_total_variation),
        ("histogram tails", generated.histogram_log_rms, floor.histogram_log_rms),
        ("correlation", generated.correlation_worst, floor.correlation_worst),
        ("mean map", generated.mean_map_rms, floor.mean_map_rms),
        ("variance map", generated.variance_map_rms, floor.variance_map_rms),
    ] {
        assert!(far > 2.0 * near, "{what}: {far}, floor {near}");
    }
    assert!(generated.spectrum_ks.above[6] < floor.spectrum_ks.above[6]);
    assert!(generated.histogram_ks.above[6] < floor.histogram_ks.above[6]);
}

#[test]
fn a_field_twice_as_high_has_four_times_the_power_at_the_worst_k() {
    let reference = smooth_noise(20, SIDE, 2);
    let twice: Vec<f32> = reference[..10 * SIDE * SIDE].iter().map(|x| 2.0 * x).collect();
    let found = compared(&twice, &reference, &ComparisonSettings::default()).generated_distance;
    assert!(found.spectrum_ratio.iter().all(|x| (x - 4.0).abs() < 1e-4));
    assert!((found.spectrum_worst - 3.0).abs() < 1e-4);
    assert!((4..12).contains(&found.spectrum_worst_k));
    assert!((found.variance_map_rms) > 2.9);
}

#[test]
fn tests_use_as_many_maps_as_asked_on_every_side() {
    let settings = ComparisonSettings { most_maps_for_ks: 30, side_deg: Some(5.0), ..ComparisonSettings::default() };
    let found = compared(&smooth_noise(50, SIDE, 1), &smooth_noise(80, SIDE, 2), &settings);
    assert!(found.fits());
    assert_eq!(found.generated_distance.spectrum_ks.maps, 30);
    assert_eq!(found.floor_distance.histogram_ks.maps, 30);
    assert_eq!((found.generated.maps, found.reference.maps, found.floor.maps), (50, 40, 40));
    assert!((found.multipole.expect("a width was given")[9] - 720.0).abs() < 1e-9);
}

#[test]
fn a_comparison_survives_json_even_where_it_is_undefined() {
    let found = compared(&[1.5; 4 * SIDE * SIDE], &[1.5; 4 * SIDE * SIDE], &ComparisonSettings::default());
    assert!(found.generated_distance.spectrum_worst.is_nan());
    let text = serde_json::to_string(&found).expect("a comparison is JSON");
    let again: Comparison = serde_json::from_str(&text).expect("a comparison is read back");
    assert!(again.generated_distance.spectrum_worst.is_nan());
    assert_eq!(serde_json::to_string(&again).expect("a comparison is JSON"), text);

    let found = compared(&white_noise(4, SIDE, 1), &white_noise(4, SIDE, 2), &ComparisonSettings::default());
    let text = serde_json::to_string(&found).expect("a comparison is JSON");
    let again: Comparison = serde_json::from_str(&text).expect("a comparison is read back");
    let (a, b) = (again.generated_distance.spectrum_worst, found.generated_distance.spectrum_worst);
    assert!((a / b - 1.0).abs() < 1e-12);
}

#[test]
fn sets_that_cannot_be_compared_are_refused() {
    let (small, large) = (white_noise(4, 16, 0), white_noise(4, SIDE, 0));
    let (small, large) = (Maps::new(&small, 16).expect("whole maps"), Maps::new(&large, SIDE).expect("whole maps"));
    let settings = ComparisonSettings::default();
    let error = compare(small, large, large, &settings).expect_err("sides differ");
    assert_eq!(error.to_string(), "generated maps of side 16, expected 32 as in the reference");
    let error = compare(large.first(1), large, large, &settings).expect_err("one map has no spread");
    assert_eq!(error.to_string(), "1 generated maps, expected at least 2");
}

#[test]
fn one_thread_and_four_compare_to_the_same_bits() {
    let (generated, reference) = (smooth_noise(37, SIDE, 1), smooth_noise(70, SIDE, 2));
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads start");
        pool.install(|| compared(&generated, &reference, &ComparisonSettings::default()))
    };
    assert_eq!(run(1), run(4));
}
