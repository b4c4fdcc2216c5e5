//! The main job from end to end: simulate, train, sample, evaluate, report.

use std::fs;

use crate::program::{CONFIG, arg, must, simulated, word};

#[test]
fn from_nothing_to_a_report() {
    let folder = tempfile::tempdir().expect("a folder");
    let (maps, run) = (folder.path().join("maps"), folder.path().join("run"));
    simulated(&maps, 512);
    must(1, &["train", CONFIG, "--run", arg(&run), "--data", arg(&maps)]);
    assert_eq!(word(&run, "status"), "done");
    assert!(must(1, &["inspect", arg(&maps)]).contains("count  512"));
    let newest = run.join("checkpoints").join(word(&run, "checkpoint"));
    assert!(must(1, &["inspect", arg(&newest), "--json"]).contains(&word(&run, "checksum")));
    assert!(must(1, &["inspect", arg(&run)]).contains("step  40"));

    must(1, &["sample", arg(&run), "--count", "70"]);
    let out = folder.path().join("statistics.json");
    let table = must(1, &["evaluate", arg(&run), "--against", arg(&maps), "--out", arg(&out)]);
    assert!(table.starts_with("70 maps against 64 of the reference, 64 px"), "{table}");
    assert_eq!(fs::read(&out).expect("written"), fs::read(run.join("statistics.json")).expect("left in the run"));
    must(1, &["report", arg(&run)]);
    let report = fs::read_to_string(run.join("report.html")).expect("written");
    for piece in ["<svg", "data:image/png;base64", &word(&run, "checksum")] {
        assert!(report.contains(piece), "the report has {piece}");
    }
    // Finished is finished: the same command says so and changes nothing.
    let records =
        || ["outcome.toml", "provenance.toml", "metrics.jsonl"].map(|name| fs::read(run.join(name)).expect("there"));
    let before = records();
    must(1, &["train", CONFIG, "--run", arg(&run), "--data", arg(&maps)]);
    assert!(records() == before);
}

#[test]
fn samples_elsewhere_leave_their_statistics_in_the_run_that_made_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let (maps, run, samples) = (folder.path().join("maps"), folder.path().join("run"), folder.path().join("s"));
    simulated(&maps, 128);
    must(1, &["train", CONFIG, "--run", arg(&run), "--data", arg(&maps), "--set", "trainer.steps=2"]);
    must(1, &["sample", arg(&run), "--count", "10", "--out", arg(&samples), "--weights", "live"]);
    must(1, &["evaluate", arg(&samples), "--against", arg(&maps)]);
    assert!(run.join("statistics.json").is_file());
    assert!(run.join("examples/reference/manifest.toml").is_file());
}
