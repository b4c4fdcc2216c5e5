//! Training sets without anything to learn, and trained models that cannot be measured.

use std::fs;
use std::path::{Path, PathBuf};

use skyforge::data::{DatasetWriter, Header, Modality, Split, Transform};

use crate::program::{CONFIG, arg, must, refused, run, word};

/// A dataset of maps of 64 x 64 px, those of one value where `values` say so, the last ten for validation.
fn dataset(folder: &Path, values: &[Option<f32>]) -> PathBuf {
    let count = values.len() as u64;
    let header = Header {
        count,
        modalities: vec![Modality::maps([1, 64, 64], "1", Transform::Identity {}, None)],
        labels: Vec::new(),
        splits: [("train", 0..count - 10), ("validation", count - 10..count)]
            .map(|(name, records)| (name.to_owned(), Split::from(records)))
            .into(),
        source: toml::Table::new(),
    };
    let out = folder.join("maps");
    let writer = DatasetWriter::create(&out, header).expect("the disk has room");
    let fill = |record: u64, map: &mut [f32]| {
        for (pixel, to) in map.iter_mut().enumerate() {
            let noise =
                (record as u32 * 4096 + pixel as u32).wrapping_mul(2_654_435_761) as f32 / u32::MAX as f32 - 0.5;
            *to = values[record as usize].unwrap_or(noise);
        }
    };
    let entries = (0..writer.shards()).map(|index| writer.write_shard(index, fill)).collect::<Result<_, _>>();
    writer.finish(entries.expect("the disk has room")).expect("the disk has room");
    out
}

#[test]
fn records_of_one_value_are_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let (maps, run_folder) = (dataset(folder.path(), &[Some(0.25); 50]), folder.path().join("run"));
    let words = ["train", CONFIG, "--run", arg(&run_folder), "--data", arg(&maps)];
    let wanted = format!(
        "error: {}: all values of split `train` are 0.25, expected values that differ: nothing can be learned",
        maps.display()
    );
    assert_eq!(refused(&words), (65, wanted.clone()));
    if cfg!(feature = "mpi") {
        let output = run(2, &words);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(65) && said.matches(&wanted).count() == 1, "{output:?}");
    }
    assert!(!run_folder.exists());
}

#[test]
fn a_model_without_a_finite_score_is_kept_and_not_done() {
    let folder = tempfile::tempdir().expect("a folder");
    // The power spectrum of the validation records is 0, so that no error relative to it is a number.
    let values: Vec<Option<f32>> = (0..50).map(|map| (!(24..40).contains(&map)).then_some(0.0)).collect();
    let (maps, run_folder) = (dataset(folder.path(), &values), folder.path().join("run"));
    let sets = ["--set", "validation.every=20", "--set", "validation.records=10"];
    let words = [&["train", CONFIG, "--run", arg(&run_folder), "--data", arg(&maps)], &sets[..]].concat();
    let output = run(1, &words);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let reason = "step 40: the score `spectrum_error` of the trained model is not a finite number";
    assert!(output.status.code() == Some(65) && said.contains(reason), "{said}");
    assert!(said.contains("the checkpoint step-0000040 is kept"), "{said}");
    assert!(said.contains("`map` has one value throughout in 10 of 16 records looked at"), "{said}");
    // A validation before the last one is told and ends nothing.
    assert!(said.contains("step 20: the score `spectrum_error` is not a finite number"), "{said}");
    assert_eq!(
        (word(&run_folder, "status"), word(&run_folder, "checkpoint")),
        ("failed".into(), "step-0000040".into())
    );
    assert!(run_folder.join("checkpoints/step-0000040").is_dir());
    let metrics = fs::read_to_string(run_folder.join("metrics.jsonl")).expect("metrics are kept");
    let rows = metrics.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
    let last = rows.filter(|row| row["step"] == 40).find(|row| row.get("spectrum_error").is_some());
    assert!(last.is_some_and(|row| row["spectrum_error"].is_null()), "{metrics}");
    // Nothing is left to do, and it is no more done than before.
    let (code, line) = refused(&words);
    assert!(code == 65 && line.contains(reason), "{line}");
    let out = folder.path().join("made");
    let sample = ["sample", arg(&run_folder), "--checkpoint", "best", "--out", arg(&out), "--count", "2"];
    let (code, line) = refused(&sample);
    let wanted = "none of its checkpoints (2) has a finite score `spectrum_error`, expected one, or --checkpoint NAME";
    assert!(code == 65 && line.ends_with(wanted), "{line}");
    must(1, &["sample", arg(&run_folder), "--out", arg(&out), "--count", "2"]);
}
