//! Scores that are no numbers.

use skyforge::train::validation::Measured;

#[test]
fn the_first_score_that_is_no_number_is_named() {
    let measured =
        |scores: [f64; 2]| Measured { scores: vec![("a", scores[0]), ("b", scores[1])], ..Measured::default() };
    assert_eq!(measured([0.5, 1e300]).missing(), None);
    assert_eq!(measured([0.5, f64::INFINITY]).missing(), Some("b"));
    assert_eq!(measured([f64::NAN, f64::NAN]).missing(), Some("a"));
    assert_eq!(Measured::default().missing(), None);
    // Only what the run can be judged by counts.
    assert_eq!(Measured { beside: vec![("c", f64::NAN)], ..measured([1.0, 2.0]) }.missing(), None);
}
