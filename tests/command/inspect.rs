//! What `inspect` says of things on disk.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::program::{CONFIG, arg, must, refused, run, simulated};

fn told(path: &Path, more: &[&str]) -> Value {
    let text = must(1, &[&["inspect", arg(path), "--json"], more].concat());
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn a_dataset_tells_its_size_and_the_range_of_its_values() {
    let folder = tempfile::tempdir().expect("a folder");
    let maps = folder.path().join("maps");
    simulated(&maps, 200);
    let sampled = told(&maps, &[]);
    let all = told(&maps, &["--all"]);
    assert_eq!((&all["what"], &all["whole"], &all["count"]), (&"dataset".into(), &true.into(), &200.into()));
    assert_eq!(all["modalities"][0]["values"], 200 * 64 * 64);
    assert_eq!(sampled["modalities"][0], all["modalities"][0], "few blocks are all looked at");
    let values = skyforge::data::Dataset::open(&maps).expect("whole").read(0, 0..200).expect("whole");
    let number = |key: &str| all["modalities"][0][key].as_f64().expect("a number");
    let mean = values.iter().map(|&x| f64::from(x)).sum::<f64>() / values.len() as f64;
    assert_eq!(number("min"), f64::from(values.iter().copied().fold(f32::INFINITY, f32::min)));
    assert_eq!(number("max"), f64::from(values.iter().copied().fold(f32::NEG_INFINITY, f32::max)));
    assert!((number("mean") - mean).abs() < 1e-9);
    assert_eq!(number("not_finite_share"), 0.0);
    let lines = must(1, &["inspect", arg(&maps)]);
    assert!(lines.starts_with("what  dataset\nwhole  true\n") && lines.contains("MiB"), "{lines}");
}

#[test]
fn every_damaged_block_of_a_shard_is_named_by_its_rows() {
    let folder = tempfile::tempdir().expect("a folder");
    let maps = folder.path().join("maps");
    simulated(&maps, 2048); // 32 blocks in 16 shards
    let shard = maps.join("shard-00003.h5");
    let whole = told(&shard, &[]);
    assert_eq!((&whole["what"], &whole["rows"], &whole["blocks"]), (&"shard".into(), &128.into(), &2.into()));
    let names: Vec<&Value> = whole["datasets"].as_array().expect("a list").iter().map(|row| &row["name"]).collect();
    assert_eq!(names, ["block_checksums", "id", "map"]);
    let mut bytes = fs::read(&shard).expect("it is there");
    let quarter = bytes.len() / 4;
    bytes[quarter] ^= 1;
    bytes[3 * quarter] ^= 1;
    fs::write(&shard, &bytes).expect("the disk has room");
    for path in [&shard, &maps] {
        let output = run(1, &["inspect", arg(path), "--json"]);
        assert_eq!(output.status.code(), Some(65), "{output:?}");
        let told: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(told["whole"], false);
        let damaged: Vec<&str> = told["damaged"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
        assert_eq!(damaged.len(), 2, "{damaged:?}");
        for (line, rows) in damaged.iter().zip(["rows 0..64 are damaged", "rows 64..128 are damaged"]) {
            assert!(line.contains("shard-00003.h5") && line.contains(rows), "{line}");
        }
        let (code, line) = refused(&["inspect", arg(path)]);
        assert!(code == 65 && line.contains("rows 0..64 are damaged") && line.ends_with("and 1 more"), "{line}");
    }
}

#[test]
fn a_shard_in_the_place_of_another_is_noticed() {
    let folder = tempfile::tempdir().expect("a folder");
    let maps = folder.path().join("maps");
    simulated(&maps, 2048);
    fs::copy(maps.join("shard-00001.h5"), maps.join("shard-00000.h5")).expect("the disk has room");
    let (code, line) = refused(&["inspect", arg(&maps.join("shard-00000.h5"))]);
    assert!(code == 65 && line.contains("expected") && line.contains("manifest.toml"), "{line}");
}

#[test]
fn the_picture_is_a_square_of_the_first_maps() {
    let folder = tempfile::tempdir().expect("a folder");
    let maps = folder.path().join("maps");
    simulated(&maps, 64);
    for path in [maps.clone(), maps.join("shard-00000.h5")] {
        let file = folder.path().join("maps.png");
        must(1, &["inspect", arg(&path), "--png", arg(&file)]);
        let bytes = fs::read(&file).expect("a picture");
        assert_eq!(&bytes[..8], b"\x89PNG\r\n\x1a\n");
        let side = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().expect("4 bytes"));
        assert_eq!((side(16), side(20)), (4 * 64 + 3 * 2, 4 * 64 + 3 * 2)); // 16 maps with gaps of 2 px
        fs::remove_file(file).expect("it can go");
    }
}

#[test]
fn a_run_and_its_checkpoint_tell_what_they_hold() {
    let folder = tempfile::tempdir().expect("a folder");
    let (maps, trained) = (folder.path().join("maps"), folder.path().join("run"));
    simulated(&maps, 64);
    must(1, &["train", CONFIG, "--run", arg(&trained), "--data", arg(&maps), "--set", "trainer.steps=3"]);
    let run_told = told(&trained, &[]);
    assert_eq!((&run_told["checkpoints"], &run_told["newest"]["step"]), (&1.into(), &3.into()));
    let metrics = run_told["metrics"].as_array().expect("a table");
    let step = metrics.iter().find(|row| row["name"] == "step").expect("steps are measured");
    assert_eq!((&step["rows"], &step["min"], &step["max"]), (&3.into(), &1.0.into(), &3.0.into()));

    let checkpoint = trained.join("checkpoints/step-0000003");
    let told = told(&checkpoint, &[]);
    let tensors = told["tensors"].as_array().expect("a list");
    let file = fs::read(checkpoint.join("model.safetensors")).expect("it is there");
    let file = safetensors::SafeTensors::deserialize(&file).expect("whole");
    for name in file.names() {
        let tensor = file.tensor(name).expect("it is there");
        let row = tensors.iter().find(|row| row["name"] == *name).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(row["shape"], serde_json::json!(tensor.shape()));
        let values = tensor.data().as_chunks::<4>().0.iter().map(|bytes| f64::from(f32::from_le_bytes(*bytes)));
        let norm = values.map(|value| value * value).sum::<f64>().sqrt();
        assert!((row["norm"].as_f64().expect("a number") - norm).abs() <= 1e-12 * norm, "{name}");
        assert_eq!(row["not_finite"], 0);
    }
    let lines = must(1, &["inspect", arg(&checkpoint)]);
    assert!(lines.contains("generator_ema") && !lines.contains("up1.weight"), "a short table: {lines}");
}

#[test]
fn a_checkpoint_tells_its_scores_and_by_which_the_best_is_chosen() {
    let folder = tempfile::tempdir().expect("a folder");
    let (maps, trained) = (folder.path().join("maps"), folder.path().join("run"));
    must(1, &["simulate", "maps", "--out", arg(&maps), "--count", "128", "--seed", "1", "--validation", "0.5"]);
    let train = ["train", CONFIG, "--run", arg(&trained), "--data", arg(&maps), "--set", "trainer.steps=3"];
    let validation = ["trainer.checkpoint_every=3", "validation.every=3", "validation.best=variance_error"];
    must(1, &[&train[..], &validation.map(|set| ["--set", set]).concat()].concat());
    let checkpoint = trained.join("checkpoints/step-0000003");
    let state: toml::Table =
        fs::read_to_string(checkpoint.join("state.toml")).expect("it is there").parse().expect("TOML");
    let told_of_it = told(&checkpoint, &[]);
    for score in ["spectrum_error", "variance_error"] {
        assert_eq!(told_of_it["scores"][score].as_f64(), state["scores"][score].as_float(), "{score}");
    }
    assert_eq!(told_of_it["best"], serde_json::json!({ "score": "variance_error", "direction": "min" }));
    assert_eq!(told(&trained, &[])["newest"]["scores"], told_of_it["scores"]);
    let lines = must(1, &["inspect", arg(&checkpoint)]);
    assert!(lines.contains("\nscores\n  spectrum_error  ") && lines.contains("score  variance_error"), "{lines}");
}

#[test]
fn what_is_nothing_of_ours_is_named_in_a_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let (code, line) = refused(&["inspect", arg(folder.path())]);
    assert!(code == 65 && line.contains("is no dataset"), "{line}");
    let (code, line) = refused(&["inspect", CONFIG]);
    assert!(code == 65 && line.contains("is neither HDF5 nor Parquet"), "{line}");
    let (code, line) = refused(&["inspect", "no/such"]);
    assert!(code == 74 && line.contains("no/such"), "{line}");
    fs::write(folder.path().join("config.toml"), "").expect("the disk has room");
    let (code, line) = refused(&["inspect", arg(folder.path()), "--png", "x.png"]);
    assert!(code == 64 && line.contains("no square maps"), "{line}");
    assert!(!Path::new("x.png").exists());
}

#[test]
fn the_command_line_explains_itself_to_shells_and_to_man() {
    for shell in ["bash", "zsh", "fish"] {
        assert!(must(1, &["completions", shell]).contains("doctor"), "{shell}");
    }
    let (code, line) = refused(&["completions", "bsh"]);
    assert!(code == 64 && line.contains("bash"), "{line}");
    assert!(must(1, &["man"]).contains(".TH skyforge 1"));
    let folder = tempfile::tempdir().expect("a folder");
    must(1, &["man", "--out", arg(folder.path())]);
    assert!(fs::read_to_string(folder.path().join("skyforge-simulate-maps.1")).expect("a page").contains("simulate"));
}
