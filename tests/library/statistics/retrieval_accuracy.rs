//! Errors of retrieved parameters, in round numbers.

use skyforge::statistics::ParameterStatistics;
use skyforge::statistics::retrieval_accuracy::{PUBLISHED, Retrieved, published, retrieval_accuracy};

fn retrieved(truth: f64, median: f64, sigma: f64) -> Retrieved {
    let at = |sigmas: f64| sigmas.mul_add(sigma, median);
    Retrieved { truth, p2_5: at(-2.0), p16: at(-1.0), median, p84: at(1.0), p97_5: at(2.0) }
}

#[test]
fn the_formula_gives_round_numbers_for_round_numbers() {
    // (5 - 3)^2 / (3^2 + (s 4)^2): 4/9, 4/25, 4/73.
    let found = retrieval_accuracy(&[retrieved(3.0, 5.0, 4.0)]);
    for (found, wanted) in found.a_error.into_iter().zip([4.0 / 9.0, 4.0 / 25.0, 4.0 / 73.0]) {
        assert!((found - wanted).abs() < 1e-12);
    }
    for (error, accuracy) in found.a_error.into_iter().zip(found.a_accuracy) {
        assert!((error + accuracy - 1.0).abs() < 1e-12);
    }
    assert_eq!((found.mean_absolute_error, found.bias, found.rms_error), (2.0, 2.0, 2.0));
}

#[test]
fn the_error_falls_and_the_accuracy_rises_with_sigma_as_the_published_table_does() {
    let all: Vec<Retrieved> =
        (1..50).map(|i| retrieved(f64::from(i), f64::from(i) * 1.2, 0.3 * f64::from(i))).collect();
    let found = retrieval_accuracy(&all);
    assert!(found.a_error[0] > found.a_error[1] && found.a_error[1] > found.a_error[2]);
    for row in PUBLISHED {
        for table in [row.train, row.test] {
            assert!(table[0] <= table[1] && table[1] <= table[2], "{}", row.name);
        }
    }
    assert_eq!(published("log10_co").expect("it is there").test, [62.8, 72.6, 78.2]);
    assert!(published("log10_nh3").is_none());
}

#[test]
fn errors_that_cancel_are_no_bias() {
    let found = retrieval_accuracy(&[retrieved(10.0, 7.0, 1.0), retrieved(10.0, 14.0, 1.0), retrieved(10.0, 9.0, 1.0)]);
    assert_eq!((found.bias, found.objects), (0.0, 3));
    assert!((found.mean_absolute_error - 8.0 / 3.0).abs() < 1e-12);
    assert!((found.rms_error - (26.0_f64 / 3.0).sqrt()).abs() < 1e-12);
}

#[test]
fn a_truth_that_is_not_known_is_left_out_and_counted() {
    let known = [retrieved(1.0, 2.0, 1.0), retrieved(4.0, 4.0, 1.0)];
    let found = retrieval_accuracy(&[known[0], retrieved(f64::NAN, 100.0, 1.0), known[1]]);
    assert_eq!((found.objects, found.unknown), (2, 1));
    assert_eq!(found.mean_absolute_error, retrieval_accuracy(&known).mean_absolute_error);
}

/// JSON has no word for what is measured on nothing.
#[test]
fn statistics_of_nothing_go_through_json() {
    let nothing = ParameterStatistics::of("log10_co", "dex", &[retrieved(f64::NAN, 1.0, 1.0)], true, Some(Vec::new()));
    let text = serde_json::to_string(&nothing).expect("JSON");
    let read: ParameterStatistics = serde_json::from_str(&text).expect("our own JSON");
    assert!(read.accuracy.bias.is_nan() && read.accuracy.a_error[0].is_nan());
    assert!(read.coverage.expect("it was asked for")[0].share.is_nan());
    assert!(read.ranks.expect("it was given").p_value.is_nan());
}
