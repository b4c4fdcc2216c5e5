//! An autoencoder through the program: trained and validated on maps, at work on them, and refused where it cannot do what is
//! asked.

use std::fs;
use std::path::{Path, PathBuf};

use skyforge::catalog::parquet_file;
use skyforge::data::Dataset;
use skyforge::train::metrics;

use crate::program::{arg, bytes, must, refused, simulated, word};
use crate::trained::worlds;

const CONFIG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/configs/debug_autoencoder.toml");

#[test]
fn an_autoencoder_has_the_same_bits_on_any_ranks_and_makes_no_records() {
    let folder = tempfile::tempdir().expect("a folder");
    let maps = folder.path().join("maps");
    simulated(&maps, 256);
    let mut checksums = Vec::new();
    for (attempt, ranks) in worlds().iter().enumerate().take(2) {
        let run = folder.path().join(format!("run-{attempt}"));
        // Half, and then on from there.
        let train = ["train", CONFIG, "--run", arg(&run), "--data", arg(&maps)];
        must(*ranks, &[&train[..], &["--set", "trainer.steps=20"]].concat());
        must(*ranks, &train);
        checksums.push(word(&run, "checksum"));
        let measured = metrics::read(&run.join("metrics.jsonl")).expect("it has metrics");
        let scores = measured.iter().filter(|line| line.contains_key("reconstruction_error"));
        assert_eq!(scores.count(), 2, "each checkpoint is measured");
    }
    assert!(checksums.windows(2).all(|pair| pair[0] == pair[1]), "{checksums:?}");
    let run = folder.path().join("run-0");
    let out = folder.path().join("out");
    let (code, line) = refused(&["sample", arg(&run), "--count", "3", "--out", arg(&out)]);
    assert_eq!(code, 65, "{line}");
    assert!(
        line.contains("is of kind \"autoencoder\", which makes no new records, expected a run of a generative model")
    );
    assert!(!out.exists());
    assert!(fs::read_to_string(run.join("config.toml")).expect("it is there").contains("kind = \"autoencoder\""));
}

/// What of `maps` is restored by `run`, the same on any ranks and by a ledger.
fn restored(place: &Path, run: &Path, maps: &Path) -> PathBuf {
    let mut first = None;
    for (attempt, ranks) in worlds().iter().enumerate() {
        let out = place.join(format!("restored-{attempt}"));
        let said = program(*ranks, &["restore", arg(run), arg(maps), "--out", arg(&out)]);
        assert!(
            said.contains(" values restored, off by ") && said.contains("the mean of each record would be"),
            "{said}"
        );
        let files = bytes(&out);
        assert!(*first.get_or_insert_with(|| files.clone()) == files, "attempt {attempt}, {ranks} ranks");
    }
    let (ledger, merged) = (place.join("ledger"), place.join("merged"));
    let words = ["restore", arg(run), arg(maps), "--ledger", arg(&ledger), "--objects-per-block", "50"];
    must(*worlds().last().expect("one"), &words);
    must(1, &["ledger", "merge", arg(&ledger), "--out", arg(&merged)]);
    assert!(first == Some(bytes(&merged)), "by a ledger");
    // Some ranks have nothing to do, in the middle too.
    let two = place.join("two");
    simulated(&two, 2);
    let few = |ranks: usize| {
        let out = place.join(format!("few-{ranks}"));
        must(ranks, &["restore", arg(run), arg(&two), "--out", arg(&out)]);
        bytes(&out)
    };
    assert!(few(1) == few(if cfg!(feature = "mpi") { 4 } else { 1 }), "few records");
    merged
}

/// What a command says on stderr.
fn program(ranks: usize, words: &[&str]) -> String {
    let output = crate::program::run(ranks, words);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn restored_maps_are_the_same_on_any_ranks_and_are_evaluated_and_reported() {
    let folder = tempfile::tempdir().expect("a folder");
    let (maps, run) = (folder.path().join("maps"), folder.path().join("run"));
    simulated(&maps, 256);
    let target = "validation.targets.reconstruction_error=1e9";
    must(1, &["train", CONFIG, "--run", arg(&run), "--data", arg(&maps), "--set", target]);
    let (code, line) = refused(&["evaluate", arg(&run), "--against", arg(&maps)]);
    assert!(code == 65 && line.contains("has no folder `restored`, expected `skyforge restore "), "{line}");
    let out = restored(folder.path(), &run, &maps);
    let (made, original) = (Dataset::open(&out).expect("maps"), Dataset::open(&maps).expect("maps"));
    let [ours, theirs] = [&made, &original].map(|dataset| dataset.manifest().header());
    assert_eq!((ours.modalities, ours.labels, ours.splits), (theirs.modalities, theirs.labels, theirs.splits));
    assert_eq!(made.manifest().source["family"].as_str(), Some("autoencoder"));
    assert_eq!(made.read_ids(0..256).expect("ids"), original.read_ids(0..256).expect("ids"));

    // A dataset says by whom it was made, and a run has its own.
    let by_itself = folder.path().join("statistics.json");
    let said = must(1, &["evaluate", arg(&out), "--against", arg(&maps), "--out", arg(&by_itself)]);
    assert!(said.contains("restored maps against their originals of the split test"), "{said}");
    must(1, &["restore", arg(&run), arg(&maps), "--out", arg(&run.join("restored"))]);
    must(1, &["evaluate", arg(&run), "--against", arg(&maps)]);
    let read = |path: &Path| fs::read_to_string(path).expect("statistics");
    assert_eq!(read(&by_itself), read(&run.join("statistics.json")));
    let statistics: serde_json::Value = serde_json::from_str(&read(&by_itself)).expect("JSON");
    assert_eq!((statistics["family"].as_str(), statistics["sets"]["unit"].as_str()), (Some("autoencoder"), Some("1")));
    let error = statistics["relative_error"].as_f64().expect("a number");
    assert!(error > 0.0 && error < 2.0, "{error}");
    must(1, &["report", arg(&run)]);
    let page = fs::read_to_string(run.join("report.html")).expect("a page");
    for wanted in
        ["<section id=\"restored\">", "<section id=\"errors\">", "<section id=\"scales\">", "data:image/png", ": met"]
    {
        assert!(page.contains(wanted), "{wanted}");
    }
    assert!(!page.contains("discriminator") && !page.contains("id=\"tests\""), "nothing of a GAN");

    let codes = folder.path().join("codes.parquet");
    must(1, &["embed", arg(&run), arg(&maps), "--out", arg(&codes)]);
    let table = parquet_file::read(&codes).expect("a table");
    assert_eq!((table.rows(), table.metadata()["family"].as_str()), (256, Some("autoencoder")));
    assert_eq!(table.u64s("id").expect("ids"), original.read_ids(0..256).expect("ids"));
}
