//! Which runs may go on from a checkpoint that an older program has written.

use serde::{Deserialize, Serialize};
use skyforge::checkpoint::Identity;
use toml::Table;

/// Settings as an older program had them.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Older {
    width: u32,
    wavelengths: Vec<f64>,
    parts: Vec<Part>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    unit: String,
}

/// The same with a key that came later.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Newer {
    width: u32,
    wavelengths: Vec<f64>,
    parts: Vec<Part>,
    #[serde(default = "one")]
    groups: u32,
}

fn one() -> u32 {
    1
}

fn older(width: u32, wavelengths: Vec<f64>, unit: &str) -> Table {
    let parts = vec![Part { unit: "1".into() }, Part { unit: unit.into() }];
    Table::try_from(Older { width, wavelengths, parts }).expect("a table")
}

fn newer(groups: u32) -> Identity {
    let parts = vec![Part { unit: "1".into() }; 2];
    Identity::of(&Newer { width: 8, wavelengths: vec![1.0, 2.0], parts, groups })
}

#[test]
fn a_new_key_with_its_default_changes_nothing() {
    assert_eq!(newer(1).difference(&older(8, vec![1.0, 2.0], "1"), &[]), None);
}

#[test]
fn a_new_key_with_another_value_is_a_difference() {
    let difference = newer(2).difference(&older(8, vec![1.0, 2.0], "1"), &[]);
    assert_eq!(difference.as_deref(), Some("made with groups = 1, this run has 2"));
    assert_eq!(newer(2).difference(&older(8, vec![1.0, 2.0], "1"), &["groups".into()]), None);
}

#[test]
fn a_difference_is_told_with_its_place_and_both_values() {
    let difference = |width, wavelengths, unit| newer(1).difference(&older(width, wavelengths, unit), &[]);
    assert_eq!(difference(9, vec![1.0, 2.0], "1").as_deref(), Some("made with width = 9, this run has 8"));
    assert_eq!(
        difference(8, vec![1.0, 2.0], "Jy").as_deref(),
        Some("made with parts[1].unit = \"Jy\", this run has \"1\"")
    );
    let many = (0..100).map(f64::from).collect();
    let wanted = "made with wavelengths = [0.0, .., 99.0] (100 values), this run has [1.0, 2.0]";
    assert_eq!(difference(8, many, "1").as_deref(), Some(wanted));
}

#[test]
fn settings_that_this_version_does_not_have_are_named() {
    let mut saved = older(8, vec![1.0, 2.0], "1");
    saved.insert("colour".into(), 3.into());
    let difference = newer(1).difference(&saved, &[]).expect("it is not understood");
    assert!(
        difference
            .starts_with("was made with settings that this version does not have: `colour`: unknown field `colour`"),
        "{difference}"
    );
    let mut saved = older(8, vec![1.0, 2.0], "1");
    saved.remove("width");
    assert!(newer(1).difference(&saved, &[]).expect("it is not whole").contains("missing field `width`"));
}
