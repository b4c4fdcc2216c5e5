//! What users get wrong: one line, the right exit code, nothing half written.

use std::fs;
use std::path::{Path, PathBuf};

use crate::program::{CONFIG, arg, must, refused, simulated};

struct Scene {
    _folder: tempfile::TempDir,
    maps: PathBuf,
    run: PathBuf,
}

fn scene() -> Scene {
    let folder = tempfile::tempdir().expect("a folder");
    let (maps, run) = (folder.path().join("maps"), folder.path().join("run"));
    simulated(&maps, 128);
    Scene { maps, run, _folder: folder }
}

fn train(scene: &Scene, sets: &[&str]) -> (i32, String) {
    let mut arguments = vec!["train", CONFIG, "--run", arg(&scene.run), "--data", arg(&scene.maps)];
    arguments.extend(sets.iter().flat_map(|set| ["--set", *set]));
    refused(&arguments)
}

fn a_shard(maps: &Path) -> PathBuf {
    maps.join("shard-00000.h5")
}

#[test]
fn wrong_configurations_end_with_64() {
    let scene = scene();
    for (sets, message) in [
        (vec!["model.widht=3"], "widht"),
        (vec!["batch.global=many"], "batch.global"),
        (vec!["batch.global=30"], "`batch.global` is 30, expected a positive multiple of `batch.microbatches`: 4"),
        (vec!["trainer.precision=fp8"], "fp8"),
    ] {
        let (code, line) = train(&scene, &sets);
        assert_eq!(code, 64, "{line}");
        assert!(line.contains(message), "{line}");
        assert!(!scene.run.exists(), "nothing is half made");
    }
    let (code, line) = refused(&["train", "no/such.toml", "--run", arg(&scene.run), "--data", arg(&scene.maps)]);
    assert_eq!((code, line.contains("no/such.toml")), (74, true), "{line}");
    let (code, line) = refused(&["train", CONFIG, "--run", arg(&scene.run)]);
    assert_eq!(code, 64, "{line}");
}

#[test]
fn wrong_words_end_with_64_and_the_right_one() {
    let (code, line) = refused(&["trian"]);
    assert!(code == 64 && line.contains("train"), "{line}");
    let (code, line) = refused(&["simulate", "maps", "--out", "x", "--cuont", "3"]);
    assert!(code == 64 && line.contains("--count"), "{line}");
    let (code, line) = refused(&["simulate", "maps", "--out", "x"]);
    assert!(code == 64 && line.contains("--count"), "{line}");
    let (code, line) = refused(&["simulate", "maps", "--out", "x", "--count", "0"]);
    assert!(code == 64 && line.contains("--count"), "{line}");
    let (code, line) = refused(&["simulate", "maps", "--out", "x", "--count", "3", "--set", "sied=3"]);
    assert!(code == 64 && line.contains("sied"), "{line}");
    assert!(!Path::new("x").exists());
}

#[test]
fn records_of_another_size_are_refused() {
    let scene = scene();
    let (code, line) = train(&scene, &["model.side=32"]);
    assert_eq!(code, 65, "{line}");
    assert!(line.ends_with("records are [1, 64, 64], expected [1, 32, 32] for model.side = 32"), "{line}");
}

#[test]
fn a_missing_or_cut_off_shard_is_named() {
    let scene = scene();
    let shard = a_shard(&scene.maps);
    let whole = fs::read(&shard).expect("it is there");
    fs::write(&shard, &whole[..whole.len() / 2]).expect("the disk has room");
    let (code, line) = train(&scene, &[]);
    assert_eq!(code, 65, "{line}");
    assert!(line.contains("shard-00000.h5") && line.contains(&whole.len().to_string()), "{line}");
    fs::remove_file(&shard).expect("it can go");
    let (code, line) = train(&scene, &[]);
    assert_eq!(code, 65, "{line}");
    assert!(line.contains("shard-00000.h5"), "{line}");
    assert!(!scene.run.exists(), "nothing is half made");
}

#[test]
fn a_flipped_bit_or_a_nan_in_the_data_stops_the_run_and_names_the_rows() {
    let scene = scene();
    let shard = a_shard(&scene.maps);
    let mut bytes = fs::read(&shard).expect("it is there");
    let middle = bytes.len() / 2;
    bytes[middle..middle + 4].copy_from_slice(&f32::NAN.to_le_bytes());
    fs::write(&shard, &bytes).expect("the disk has room");
    let (code, line) = train(&scene, &[]);
    assert_eq!(code, 65, "{line}");
    assert!(line.contains("shard-00000.h5") && line.contains("row"), "{line}");
    let (code, line) = refused(&["inspect", arg(&scene.maps)]);
    assert!(code == 65 && line.contains("shard-00000.h5"), "{line}");
}

#[test]
fn a_checkpoint_of_another_model_is_refused() {
    let scene = scene();
    let (maps, run) = (arg(&scene.maps), arg(&scene.run));
    must(1, &["train", CONFIG, "--run", run, "--data", maps, "--set", "trainer.steps=2"]);
    let (code, line) = train(&scene, &["trainer.steps=3", "model.width=8"]);
    assert_eq!(code, 64, "{line}");
    assert!(line.ends_with("made with model.width = 4, this run has 8"), "{line}");
    // What may differ: the length, and the optimiser where it is said by hand.
    must(1, &["train", CONFIG, "--run", run, "--data", maps, "--set", "trainer.steps=3"]);
    let rate = "optimiser.generator.learning_rate=1e-4";
    must(1, &["train", CONFIG, "--run", run, "--data", maps, "--set", "trainer.steps=4", "--set", rate]);
}

#[test]
fn a_dataset_is_never_written_over() {
    let scene = scene();
    let before = crate::program::bytes(&scene.maps);
    let (code, line) = refused(&["simulate", "maps", "--out", arg(&scene.maps), "--count", "3"]);
    assert_eq!(code, 64, "{line}");
    assert!(crate::program::bytes(&scene.maps) == before);
}

#[test]
fn folders_that_are_something_else_are_refused() {
    let scene = scene();
    for arguments in [
        vec!["report", arg(&scene.maps)],
        vec!["sample", arg(&scene.maps), "--count", "2"],
        vec!["inspect", env!("CARGO_MANIFEST_DIR")],
    ] {
        let (code, line) = refused(&arguments);
        assert_eq!(code, 65, "{line}");
    }
    let (code, line) = refused(&["inspect", "no/such/thing"]);
    assert_eq!(code, 74, "{line}");
}
