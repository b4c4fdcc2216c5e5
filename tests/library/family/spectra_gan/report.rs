//! The report of a run whose network retrieved parameters.

use std::fs;

use skyforge::family::spectra_gan::report::Findings;
use skyforge::family::spectra_gan::report::examples::{ExampleObject, RetrievalExamples};
use skyforge::family::{FamilySettings, RunFolder};
use skyforge::report::{ReportInputs, render};

use super::made_retrieval::{examples, retrieved};
use crate::report::made::trained;
use crate::report::page::{assert_balanced, keep};

fn page(findings: Findings) -> String {
    render(&ReportInputs { family: findings.report(), ..trained() })
}

#[test]
fn a_retrieval_has_its_sections_and_nothing_of_maps() {
    let page = page(retrieved());
    keep("report_retrieval.html", &page);
    assert_balanced(&page);
    for id in ["accuracy", "calibration", "example-1", "example-2", "training", "timings", "record"] {
        assert!(page.contains(&format!("<section id=\"{id}\">")), "no section {id}");
    }
    for id in ["maps", "spectrum", "histogram", "tests", "pixels", "distances"] {
        assert!(!page.contains(&format!("<section id=\"{id}\">")), "section {id} is of maps");
    }
    assert!(!page.contains("class=\"missing\"") && !page.contains("NaN") && !page.contains("undefined"));
    for shown in ["Object 1", "log H\u{2082}O", "restart 4", "62.8", "Compared: retrieved parameters", "KS p "] {
        assert!(page.contains(shown), "{shown} is not shown");
    }
    assert!(page.len() < 3 << 20, "{} bytes are too many to mail", page.len());
}

#[test]
fn what_is_missing_of_a_retrieval_is_said() {
    let of_examples = page(Findings { statistics: None, ..retrieved() });
    assert!(of_examples.contains("have not been compared with true ones in this run yet"));
    let mut findings = Findings { examples: None, ..retrieved() };
    let found = findings.statistics.as_mut().expect("there are statistics");
    found.parameters.iter_mut().for_each(|row| row.ranks = None);
    assert!(page(findings.clone()).contains("there are no ranks"));
    let found = findings.statistics.as_mut().expect("there are statistics");
    found.parameters.iter_mut().for_each(|row| row.coverage = None);
    assert!(page(findings).contains("Coverage was not asked for"));
    let mut bare = retrieved();
    let object = &mut bare.examples.as_mut().expect("there are examples").objects[0];
    object.samples.clear();
    object.paths.clear();
    let page = page(bare);
    assert_balanced(&page);
    assert!(page.contains("No samples of this object") && page.contains("No latent paths of this object"));
}

/// `examples.json` may have been cut or edited by hand.
#[test]
fn examples_whose_arrays_do_not_fit_are_said_to_be_damaged() {
    let spoil: [fn(&mut ExampleObject); 6] = [
        |object| object.depth.truncate(3),
        |object| object.observed.clear(),
        |object| object.truth.truncate(2),
        |object| object.samples[3].parameters.clear(),
        |object| object.samples[3].weight = -1.0,
        |object| object.paths[0].chi_square.clear(),
    ];
    for spoil in spoil {
        let mut findings = retrieved();
        spoil(&mut findings.examples.as_mut().expect("there are examples").objects[1]);
        let page = page(findings);
        assert_balanced(&page);
        assert!(page.contains("The retrieved examples in this run are damaged"));
        assert!(!page.contains("<section id=\"example-1\">"));
    }
}

#[test]
fn examples_go_through_json_with_what_is_not_known_as_null() {
    let text = serde_json::to_string(&examples()).expect("JSON");
    assert!(text.contains("null") && !text.contains("NaN"));
    let read: RetrievalExamples = serde_json::from_str(&text).expect("our own JSON");
    assert_eq!(serde_json::to_string(&read).expect("JSON"), text);
    assert!(read.fits() && read.objects[1].truth[4].is_nan());
}

/// Simulated spectra may have no errors: then nothing can be told in standard deviations, but all points entered the fit.
#[test]
fn points_without_errors_are_counted_as_observed() {
    let mut findings = retrieved();
    let object = &mut findings.examples.as_mut().expect("there are examples").objects[0];
    object.error.fill(0.0);
    object.observed.fill(true);
    object.observed[3] = false;
    let (seen, all) = (object.observed.len() - 1, object.observed.len());
    assert!(page(findings).contains(&format!("{seen} of {all} points were observed")));
}

/// One sample with all the weight, samples that are all alike, chi-squares that are no numbers.
#[test]
fn collapsed_samples_are_drawn_all_the_same() {
    let mut findings = retrieved();
    let objects = &mut findings.examples.as_mut().expect("there are examples").objects;
    objects[0].samples.iter_mut().skip(1).for_each(|sample| sample.weight = 0.0);
    let first = objects[1].samples[0].parameters.clone();
    objects[1].samples.iter_mut().for_each(|sample| sample.parameters.clone_from(&first));
    objects[1].truth.fill(f64::NAN);
    objects[1].observed.fill(false);
    objects[1].paths[0].chi_square.fill(f64::NAN);
    let page = page(findings);
    keep("report_collapsed.html", &page);
    assert_balanced(&page);
    assert!(!page.contains("NaN") && !page.contains("inf"));
}

#[test]
fn hostile_names_in_a_retrieval_are_shown_and_not_obeyed() {
    let hostile = "</svg><script>alert(1)</script>&\"'";
    let mut findings = retrieved();
    let examples = findings.examples.as_mut().expect("there are examples");
    examples.objects[0].title = hostile.into();
    examples.parameters[2].name = hostile.into();
    examples.parameters[3].unit = hostile.into();
    let found = findings.statistics.as_mut().expect("there are statistics");
    found.parameters[1].name = hostile.into();
    found.parameters[1].unit = hostile.into();
    let page = page(findings);
    assert_balanced(&page);
    assert!(!page.contains("<script"));
}

/// Examples lie beside the table that they are of.
#[test]
fn examples_are_read_beside_the_table() {
    let folder = tempfile::tempdir().expect("a folder");
    let within = folder.path().join("retrieval");
    fs::create_dir(&within).expect("the disk has room");
    let mut examples = examples();
    examples.objects.truncate(1);
    examples.objects[0].title = "object 7".into();
    let text = serde_json::to_string(&examples).expect("JSON");
    fs::write(within.join("table.examples.json"), text).expect("the disk has room");
    let run = RunFolder::new(folder.path(), "spectra_gan", &toml::Table::new());
    let told = FamilySettings::report("spectra_gan", &run).expect("the kind is there").expect("it can be read");
    assert_eq!(told.sections.last().expect("there are sections").title, "object 7");
}
