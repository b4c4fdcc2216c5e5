//! A retrieval's table through `inspect`, `evaluate` and `report`.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use skyforge::catalog::{Metadata, parquet_file};
use skyforge::data::Dataset;
use skyforge::family::spectra_gan::retrieval::{self, Interval, RetrievalRow, SampleRow};
use skyforge::rng::{Draw, Stream};
use skyforge::statistics::weighted::percentiles;

use crate::made_spectra;
use crate::program::{arg, must, refused, run};
use crate::trained::worlds;

const OBJECTS: u64 = 400;
const SAMPLES: u64 = 32;

/// A dataset of spectra, and a retrieval of all of them whose intervals are `narrow` times as wide as they should be.
fn retrieved(folder: &Path, narrow: f64) -> (PathBuf, PathBuf) {
    let spectra = folder.join("spectra");
    made_spectra::write(&spectra, "exogan-362", OBJECTS, |_, _| ());
    let dataset = Dataset::open(&spectra).expect("it is whole");
    let (ids, truths) = (dataset.read_ids(0..OBJECTS).expect("ids"), dataset.read_labels(0..OBJECTS).expect("numbers"));
    let (mut rows, mut samples) = (Vec::new(), Vec::new());
    for (&id, truth) in ids.iter().zip(truths.chunks_exact(7)) {
        let mut chance = Draw::new(8).at(Stream::Simulation, id, 0);
        let mut all = vec![[0.0; 7]; SAMPLES as usize];
        let parameters = std::array::from_fn(|at| {
            let centre = 0.1_f64.mul_add(chance.normal(), truth[at].into());
            let values: Vec<f32> =
                (0..SAMPLES).map(|_| (0.1 * narrow).mul_add(chance.normal(), centre) as f32).collect();
            all.iter_mut().zip(&values).for_each(|(sample, value)| sample[at] = *value);
            let [p2_5, p16, median, p84, p97_5] =
                percentiles(&values, &[1.0; SAMPLES as usize], [0.025, 0.16, 0.5, 0.84, 0.975]);
            Interval { p2_5, p16, median, p84, p97_5 }
        });
        rows.push(RetrievalRow {
            id,
            parameters,
            offsets: Vec::new(),
            chi_square: 362.0,
            points: 362,
            restarts: SAMPLES,
            restart_agreement: 0.5,
            effective_samples: SAMPLES as f32,
            out_of_range: id == 0,
            iterations: 100 * SAMPLES,
        });
        samples.extend(all.into_iter().zip(0..).map(|(parameters, restart)| SampleRow {
            id,
            restart,
            weight: 1.0 / SAMPLES as f32,
            chi_square: 362.0,
            parameters,
            offsets_ppm: Vec::new(),
        }));
    }
    rows.reverse(); // rows are matched by id, whatever their order
    let table = folder.join("table.parquet");
    let mut metadata = Metadata::new();
    metadata.insert("weights".into(), "generator_ema".into());
    parquet_file::write(&table, &retrieval::table::to_table(&rows, &[], metadata.clone())).expect("the disk has room");
    parquet_file::write(
        &retrieval::table::samples_path(&table),
        &retrieval::table::samples_to_table(&samples, &[], metadata),
    )
    .expect("the disk has room");
    (spectra, table)
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).expect("it is there")).expect("JSON")
}

#[test]
fn a_table_says_what_it_is_and_whether_it_is_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_, table) = retrieved(folder.path(), 1.0);
    let told: Value = serde_json::from_str(&must(1, &["inspect", arg(&table), "--json"])).expect("JSON");
    assert_eq!((&told["what"], &told["whole"], &told["rows"]), (&"table".into(), &true.into(), &OBJECTS.into()));
    assert_eq!(told["metadata"]["weights"], "generator_ema");
    let columns = told["columns"].as_array().expect("a list");
    assert_eq!(columns.len(), 43);
    let radius = columns.iter().find(|column| column["name"] == "planet_radius_p84").expect("it is there");
    assert_eq!((&radius["unit"], &radius["type"]), (&"R_Jup".into(), &"f32".into()));
    let lines = must(1, &["inspect", arg(&table)]);
    assert!(lines.starts_with("what  table\nwhole  true\n") && lines.contains("log10_h2o_median"), "{lines}");

    let bytes = fs::read(&table).expect("it is there");
    fs::write(&table, &bytes[..bytes.len() / 2]).expect("the disk has room");
    let (code, line) = refused(&["inspect", arg(&table)]);
    assert!(code == 65 && line.ends_with("is cut off, expected a Parquet file with its end"), "{line}");
    let mut flipped = bytes;
    let middle = flipped.len() / 2;
    flipped[middle] ^= 4;
    fs::write(&table, &flipped).expect("the disk has room");
    let (code, line) = refused(&["inspect", arg(&table)]);
    assert!(code == 65 && line.contains("is damaged: checksum"), "{line}");
}

#[test]
fn a_right_retrieval_keeps_its_promise_and_a_narrow_one_does_not() {
    let folder = tempfile::tempdir().expect("a folder");
    for (narrow, name) in [(1.0, "right"), (0.5, "narrow")] {
        let folder = folder.path().join(name);
        fs::create_dir(&folder).expect("the disk has room");
        let (spectra, table) = retrieved(&folder, narrow);
        let lines = must(1, &["evaluate", arg(&table), "--against", arg(&spectra), "--coverage"]);
        assert!(lines.starts_with("400 objects of the split all\n") && lines.contains("ranks: KS p"), "{lines}");
        let found = json(&folder.join("table.statistics.json"));
        assert_eq!((&found["objects"], &found["sets"]["metadata"]["weights"]), (&400.into(), &"generator_ema".into()));
        for row in found["parameters"].as_array().expect("a list") {
            let number = |of: &Value, key: &str| of[key].as_f64().expect("a number");
            let inner = &row["coverage"][0];
            let away = (number(inner, "share") - number(inner, "nominal")).abs() / number(inner, "error");
            let p_value = number(&row["ranks"], "p_value");
            if narrow == 1.0 {
                assert!(away < 4.0 && p_value > 1e-3, "{row}");
                let error = number(&row["accuracy"], "mean_absolute_error");
                assert!((error - 0.08).abs() < 0.015, "{row}"); // 0.1 sqrt(2 / pi), and the medians' own
            } else {
                assert!(away > 7.0 && p_value < 1e-6, "{row}");
            }
        }
    }
}

#[test]
fn statistics_go_where_they_are_told_and_to_stdout_as_json() {
    let folder = tempfile::tempdir().expect("a folder");
    let (spectra, table) = retrieved(folder.path(), 1.0);
    let out = folder.path().join("other.json");
    let told = must(1, &["evaluate", arg(&table), "--against", arg(&spectra), "--out", arg(&out), "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&told).expect("JSON"), json(&out));
    assert!(!folder.path().join("table.statistics.json").exists());
    assert!(json(&out)["parameters"][0]["coverage"].is_null(), "it was not asked for");
    let once = fs::read(&out).expect("it is there");
    for &ranks in worlds() {
        must(ranks, &["evaluate", arg(&table), "--against", arg(&spectra), "--out", arg(&out)]);
        assert_eq!(fs::read(&out).expect("it is there"), once, "ranks change nothing");
    }
    fs::remove_file(retrieval::table::samples_path(&table)).expect("it is there");
    let lines = must(1, &["evaluate", arg(&table), "--against", arg(&spectra), "--coverage", "--out", arg(&out)]);
    assert!(lines.contains("no samples"), "{lines}");
}

#[test]
fn a_table_of_other_objects_is_refused_and_a_split_leaves_them_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let (spectra, table) = retrieved(folder.path(), 1.0);
    let (mut rows, metadata) = retrieval::table::read(&table).expect("a table");
    rows[7].id = 1 << 40;
    parquet_file::write(&table, &retrieval::table::to_table(&rows, &[], metadata.clone())).expect("the disk has room");
    let (code, line) = refused(&["evaluate", arg(&table), "--against", arg(&spectra)]);
    assert!(code == 65 && line.contains("has id 1099511627776, expected ids of records of"), "{line}");
    let lines = must(1, &["evaluate", arg(&table), "--against", arg(&spectra), "--split", "train"]);
    assert!(lines.starts_with("399 objects of the split train; 1 of the table are not in it"), "{lines}");
    let (code, line) = refused(&["evaluate", arg(&table), "--against", arg(&spectra), "--split", "test"]);
    assert!(code == 64 && line.contains("has no split `test`, expected one of `train`"), "{line}");
    parquet_file::write(&table, &retrieval::table::to_table(&rows[7..8], &[], metadata)).expect("the disk has room");
    let (code, line) = refused(&["evaluate", arg(&table), "--against", arg(&spectra), "--split", "train"]);
    assert!(code == 65 && line.contains("has no id of the split train"), "{line}");
}

#[test]
fn what_is_no_retrieval_is_refused_in_a_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let (spectra, table) = retrieved(folder.path(), 1.0);
    let samples = retrieval::table::samples_path(&table);
    let (code, line) = refused(&["evaluate", arg(&samples), "--against", arg(&spectra)]);
    assert!(code == 65 && line.contains("has no column `observed_points`"), "{line}");
    let text = folder.path().join("table.csv");
    fs::write(&text, "id\n1\n").expect("the disk has room");
    let (code, line) = refused(&["evaluate", arg(&text), "--against", arg(&spectra)]);
    assert!(code == 65 && line.ends_with("is no Parquet file, expected a table"), "{line}");
    let (code, line) = refused(&["evaluate", arg(&spectra), "--against", arg(&spectra), "--coverage"]);
    assert!(code == 64 && line.contains("expected a retrieval's table"), "{line}");
    let (code, line) = refused(&["evaluate", arg(&spectra), "--against", arg(&spectra)]);
    assert!(code == 65 && line.ends_with("holds spectra, expected maps"), "{line}");
    // A table says of which family it is, if it does.
    let (rows, mut metadata) = retrieval::table::read(&table).expect("a table");
    metadata.insert("family".into(), "autoencoder".into());
    parquet_file::write(&table, &retrieval::table::to_table(&rows, &[], metadata)).expect("the disk has room");
    let (code, line) = refused(&["evaluate", arg(&table), "--against", arg(&spectra)]);
    assert!(
        code == 65 && line.ends_with("is of family \"autoencoder\", expected a table of \"spectra_gan\""),
        "{line}"
    );
}

#[test]
fn the_report_of_a_run_shows_its_retrieval() {
    let folder = tempfile::tempdir().expect("a folder");
    let run_folder = folder.path().join("run");
    let within = run_folder.join("retrieval");
    fs::create_dir_all(&within).expect("the disk has room");
    fs::write(run_folder.join("config.toml"), "seed = 7\n[family]\nkind = \"spectra_gan\"\n")
        .expect("the disk has room");
    let (spectra, table) = retrieved(&within, 1.0);
    must(1, &["evaluate", arg(&table), "--against", arg(&spectra), "--coverage"]);
    let said = must(1, &["report", arg(&run_folder)]);
    let page = fs::read_to_string(said.trim_end()).expect("it is where it says");
    assert_eq!(json(&within.join("table.statistics.json"))["family"], "spectra_gan");
    assert!(page.contains("<section id=\"accuracy\">") && page.contains("Rank of the truth"));
    assert!(page.contains("true ones of all records of dataset"));
    fs::write(within.join("table.examples.json"), "{\"parameters\": [], \"objects\": 3}").expect("the disk has room");
    let output = run(1, &["report", arg(&run_folder)]);
    assert_eq!(output.status.code(), Some(65), "{output:?}");
    let (_, line) = refused(&["report", arg(&run_folder)]);
    assert!(
        line.contains("table.examples.json") && line.contains("expected what `skyforge retrieve` writes"),
        "{line}"
    );
}
