//! The main job from end to end: simulate, train, sample, evaluate, report.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

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
    assert!(table.starts_with("70 maps against 51 of the reference, 64 px"), "{table}");
    assert_eq!(fs::read(&out).expect("written"), fs::read(run.join("statistics.json")).expect("left in the run"));
    let told: serde_json::Value = serde_json::from_slice(&fs::read(&out).expect("written")).expect("JSON");
    assert_eq!(
        (&told["family"], &told["sets"]["unit"], &told["sets"]["records"]),
        (&"maps_gan".into(), &"1".into(), &"maps".into())
    );
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

/// Statistics once went into the run that the samples' manifest names, whichever run was evaluated.
#[test]
fn an_evaluation_writes_into_the_run_that_it_was_given_and_no_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let (maps, run, copy) = (folder.path().join("maps"), folder.path().join("run"), folder.path().join("copy"));
    let samples = folder.path().join("samples");
    simulated(&maps, 128);
    must(1, &["train", CONFIG, "--run", arg(&run), "--data", arg(&maps), "--set", "trainer.steps=2"]);
    must(1, &["sample", arg(&run), "--count", "10", "--weights", "live"]);
    must(1, &["sample", arg(&run), "--count", "12", "--weights", "live", "--out", arg(&samples)]);
    assert!(Command::new("cp").args(["-r", arg(&run), arg(&copy)]).status().expect("cp is there").success());

    let before = tree(folder.path());
    must(1, &["evaluate", arg(&samples), "--against", arg(&maps)]);
    must(1, &["evaluate", arg(&copy.join("samples")), "--against", arg(&maps)]);
    assert!(tree(folder.path()) == before, "a dataset's statistics go to --out alone");

    must(1, &["evaluate", arg(&copy), "--against", arg(&maps)]);
    assert!(copy.join("statistics.json").is_file() && copy.join("examples/reference/manifest.toml").is_file());
    let outside = |found: Vec<(PathBuf, Vec<u8>)>| found.into_iter().filter(|(path, _)| !path.starts_with(&copy));
    assert!(outside(tree(folder.path())).eq(outside(before)), "the run that made the samples is left alone");
}

/// Every file below a folder with its bytes, in the order of their paths.
fn tree(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            found.extend(tree(&path));
        } else {
            found.push((path.clone(), fs::read(&path).expect("a file")));
        }
    }
    found.sort();
    found
}
