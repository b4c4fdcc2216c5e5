//! Features and predictions as users ask for them: the same bytes on any ranks and by a ledger, and what is refused.

use std::fs;
use std::path::Path;

use skyforge::atmosphere::QUANTITIES;
use skyforge::catalog::{Table, parquet_file};
use skyforge::data::Dataset;

use crate::made_spectra;
use crate::program::{arg, must, refused};
use crate::trained::{self, Scene, worlds};

/// The table that `command` makes of `data`, the same on any ranks and by a ledger of two workers.
fn table(scene: &Scene, command: &str, data: &Path) -> Table {
    let mut first = None;
    for (attempt, ranks) in worlds().iter().enumerate() {
        let out = scene.place.join(format!("tables/{command}-{attempt}.parquet"));
        must(*ranks, &[command, arg(&scene.run), arg(data), "--out", arg(&out)]);
        let got = fs::read(&out).expect("a table");
        assert!(*first.get_or_insert_with(|| got.clone()) == got, "{command}, attempt {attempt}, {ranks} ranks");
    }
    let ledger = scene.place.join(format!("{command}-ledger"));
    let (words, ranks) =
        ([command, arg(&scene.run), arg(data), "--ledger", arg(&ledger)], *worlds().last().expect("one"));
    must(ranks, &[&words[..], &["--objects-per-block", "7"]].concat());
    let merged = scene.place.join(format!("{command}-merged.parquet"));
    must(1, &["ledger", "merge", arg(&ledger), "--out", arg(&merged)]);
    assert!(first == fs::read(&merged).ok(), "{command} by a ledger");
    let left = fs::read_dir(scene.place.join("tables")).expect("a folder");
    let left: Vec<String> =
        left.map(|entry| entry.expect("a file").file_name().to_string_lossy().into_owned()).collect();
    assert!(left.iter().all(|name| name.ends_with(".parquet")), "parts of ranks are gone: {left:?}");
    parquet_file::read(&merged).expect("a table")
}

#[test]
fn features_are_the_same_on_any_ranks_and_by_a_ledger() {
    let scene = trained::on_spectra();
    let table = table(&scene, "embed", &scene.data);
    let ids = Dataset::open(&scene.data).expect("a dataset").read_ids(0..64).expect("ids");
    assert_eq!(table.u64s("id").expect("a column"), ids);
    assert_eq!(table.columns().len(), 1 + 16, "an id and a latent vector");
    let first = table.f32s("feature_0").expect("a column");
    assert!(first.iter().all(|value| value.abs() <= 1.0) && first[0] != first[1], "{first:?}");
    assert_eq!(table.metadata()["family"], "spectra_gan");
    assert_eq!(table.metadata()["made_by"], "embed");
    // Of maps the same network tells the same.
    let maps = trained::on_maps_with_embedder();
    assert_eq!(self::table(&maps, "embed", &maps.data).rows(), 64);
}

#[test]
fn predictions_have_names_and_units_and_are_where_a_fit_begins() {
    let scene = trained::on_spectra();
    let data = scene.place.join("observed");
    trained::observed(&data, 70, |number, point| !(point as u64 + number).is_multiple_of(3));
    let table = table(&scene, "predict", &data);
    for (quantity, column) in QUANTITIES.iter().zip(&table.columns()[1..]) {
        assert_eq!((column.name.as_str(), column.unit.as_str()), (quantity.name, quantity.unit));
    }
    let fitted = scene.place.join("fitted.parquet");
    let words = ["retrieve", arg(&scene.run), arg(&data), "--out", arg(&fitted)];
    let sets = ["restarts=1", "iterations=8", "slots=8", "learning_rate=1e-12", "noise=false"];
    let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", *set]).collect();
    must(1, &[&words[..], &sets].concat());
    let fitted = parquet_file::read(&fitted).expect("a table");
    assert_eq!(fitted.u64s("id").expect("ids"), table.u64s("id").expect("ids"));
    for quantity in &QUANTITIES {
        let medians = fitted.f32s(&format!("{}_median", quantity.name)).expect("a column");
        let predicted = table.f32s(quantity.name).expect("a column");
        let scale = quantity.range.0.abs().max(quantity.range.1.abs()) as f32;
        let far = medians.iter().zip(predicted).map(|(a, b)| (a - b).abs() / scale).fold(0.0, f32::max);
        assert!(far < 1e-4, "{}: {far}", quantity.name);
    }
}

#[test]
fn a_run_that_cannot_and_records_of_another_kind_are_refused_in_a_line() {
    let (maps, spectra) = (trained::on_maps(), trained::on_spectra());
    let check = |command: &str, scene: &Scene, data: &Path, wanted: &str| {
        let out = scene.place.join("refused");
        let (code, line) = refused(&[command, arg(&scene.run), arg(data), "--out", arg(&out)]);
        assert!(code == 65 && line.contains(wanted), "{command}: {code}: {line}, expected {wanted}");
        assert!(!out.exists(), "nothing is half made");
    };
    let kind = "is of kind \"maps_gan\", which ";
    check(
        "embed",
        &maps,
        &maps.data,
        &format!("{kind}computes no features, expected a run of a model that computes features"),
    );
    check(
        "predict",
        &maps,
        &maps.data,
        &format!("{kind}predicts nothing, expected a run of a model that predicts quantities"),
    );
    check(
        "restore",
        &maps,
        &maps.data,
        &format!("{kind}reconstructs no records, expected a run of a model that reconstructs records"),
    );
    check("embed", &spectra, &maps.data, "holds maps, expected spectra");
    check("restore", &maps, &spectra.data, "holds spectra, expected maps");
    let unseen = spectra.place.join("unseen");
    trained::observed(&unseen, 8, |number, _| number != 3);
    for command in ["embed", "predict"] {
        check(command, &spectra, &unseen, "unseen: object 7003: none of its 0 observed points is known");
    }
    let other = spectra.place.join("other");
    made_spectra::write(&other, "exogan-362", 4, |_, _| ());
    check("predict", &spectra, &other, "has 362 points");
    let (code, line) = refused(&["embed", arg(&spectra.run), arg(&spectra.data)]);
    assert!(code == 64 && line.contains("--out"), "{line}");
}
