//! Retrieval as users run it: the same bytes on any ranks, and what is refused.

use std::fs;

use skyforge::data::Dataset;
use skyforge::family::spectra_gan::retrieval;

use crate::made_spectra;
use crate::program::{arg, must, refused};
use crate::trained::{self, QUICK, only, worlds};

#[test]
fn a_retrieval_has_the_same_bytes_on_any_ranks() {
    let scene = trained::on_spectra();
    let spectra = scene.place.join("observed");
    trained::observed(&spectra, 7, |number, point| !(point as u64 + number).is_multiple_of(3));
    let mut first = None;
    for (attempt, ranks) in worlds().iter().enumerate() {
        let table = scene.place.join(format!("new/{attempt}/table.parquet"));
        let fits = scene.place.join(format!("new/{attempt}/fits"));
        let words = ["retrieve", arg(&scene.run), arg(&spectra), "--out", arg(&table), "--calibrate", arg(&scene.data)];
        let more = ["--fits", arg(&fits), "--calibration-count", "16", "--mask", "not:5-60um", "--seed", "3"];
        let words = [&words[..], &more, &QUICK].concat();
        must(*ranks, &words);
        let within = scene.run.join("retrieval");
        let got = [
            fs::read(&table).expect("a table"),
            fs::read(retrieval::table::samples_path(&table)).expect("samples"),
            only(&within, "calibration-"),
            fs::read(table.with_extension("examples.json")).expect("examples"),
            fs::read(fits.join("shard-00000.h5")).expect("spectra"),
            fs::read(fits.join("manifest.toml")).expect("a manifest"),
        ];
        assert!(*first.get_or_insert_with(|| got.clone()) == got, "attempt {attempt}, {ranks} ranks");
        // What was measured stays with the run, and is found again.
        let again = scene.place.join("again.parquet");
        let words = ["retrieve", arg(&scene.run), arg(&spectra), "--out", arg(&again), "--mask", "not:5-60um"];
        must(*ranks, &[&words[..], &["--seed", "3"], &QUICK].concat());
        assert!(fs::read(&again).expect("a table") == got[0], "attempt {attempt}");
    }
    let (rows, metadata) = retrieval::table::read(&scene.place.join("new/0/table.parquet")).expect("a table");
    assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), (7000..7007).collect::<Vec<_>>());
    assert_eq!(metadata["mask"], "not:5-60um");
    let fits = Dataset::open(&scene.place.join("new/0/fits")).expect("a dataset");
    assert_eq!(fits.read_ids(0..7).expect("ids"), (7000..7007).collect::<Vec<_>>());
    let medians: Vec<f32> = rows.iter().flat_map(|row| row.parameters.map(|interval| interval.median)).collect();
    assert_eq!(fits.read_labels(0..7).expect("parameters"), medians);
    assert!(fits.read(0, 0..7).expect("spectra").iter().all(|depth| (0.0..1.0).contains(depth)));
    for row in &rows {
        assert!(row.points < 350 && row.restarts == 4 && row.iterations <= 64, "{row:?}");
        assert!(
            row.parameters.iter().all(|interval| interval.p16 <= interval.median && interval.median <= interval.p84)
        );
    }
}

#[test]
fn some_records_are_retrieved_as_among_all() {
    let scene = trained::on_spectra();
    let (all, some) = (scene.place.join("all.parquet"), scene.place.join("some.parquet"));
    let words = ["retrieve", arg(&scene.run), arg(&scene.data), "--out"];
    must(1, &[&words[..], &[arg(&all), "--records", "0..9"], &QUICK].concat());
    must(1, &[&words[..], &[arg(&some), "--records", "5..9"], &QUICK].concat());
    let read = |path| retrieval::table::read(path).expect("a table").0;
    assert_eq!(read(&all)[5..], read(&some)[..]);
}

/// Sends and receives of rank 0 of 2 in a command.
#[cfg(feature = "mpi")]
fn messages(words: &[&str]) -> u64 {
    let output = crate::program::command(2, words).env("SKYFORGE_LOG", "debug").output();
    let output = output.expect("mpirun can be started");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    let line = text.lines().find_map(|line| line.strip_suffix(" sends and receives on this rank"));
    line.expect("it is told").trim_start_matches("debug: ").parse().expect("a number")
}

/// Ranks once agreed after each record of a calibration.
#[cfg(feature = "mpi")]
#[test]
fn a_calibration_sends_as_many_messages_for_many_spectra_as_for_few() {
    let scene = trained::on_spectra();
    let of = |count: &str| {
        let table = scene.place.join(format!("{count}.parquet"));
        let words = ["retrieve", arg(&scene.run), arg(&scene.data), "--records", "0..4", "--out", arg(&table)];
        let more = ["--calibrate", arg(&scene.data), "--calibration-count", count];
        messages(&[&words[..], &more, &QUICK].concat())
    };
    assert_eq!(of("16"), of("48"));
}

#[cfg(feature = "mpi")]
#[test]
fn a_retrieval_sends_as_many_messages_for_many_spectra_as_for_few() {
    let scene = trained::on_spectra();
    let of = |records: &str| {
        let table = scene.place.join(format!("{records}.parquet"));
        let words = ["retrieve", arg(&scene.run), arg(&scene.data), "--records", records, "--out", arg(&table)];
        messages(&[&words[..], &QUICK].concat())
    };
    assert_eq!(of("0..4"), of("0..64"));
}

#[test]
fn more_ranks_than_spectra_and_no_examples_leave_the_same_table() {
    let scene = trained::on_spectra();
    let retrieved = |ranks: usize, name: &str, examples: &str| {
        let (table, fits) = (scene.place.join(format!("{name}.parquet")), scene.place.join(format!("{name}-fits")));
        let words = ["retrieve", arg(&scene.run), arg(&scene.data), "--records", "5..6", "--out", arg(&table)];
        let more = ["--fits", arg(&fits), "--examples", examples];
        must(ranks, &[&words[..], &more, &QUICK].concat());
        (fs::read(table).expect("a table"), fs::read(fits.join("shard-00000.h5")).expect("spectra"))
    };
    let ranks = *trained::worlds().last().expect("one");
    assert!(retrieved(1, "one", "0") == retrieved(ranks, "more", "9"));
}

#[test]
fn what_cannot_be_retrieved_is_refused_in_a_line() {
    let scene = trained::on_spectra();
    let out = scene.place.join("table.parquet");
    let check = |words: &[&str], code: i32, wanted: &str| {
        let arguments = [&["retrieve", arg(&scene.run)], words, &["--out", arg(&out)]].concat();
        let (got, line) = refused(&arguments);
        assert!(got == code && line.contains(wanted), "{got}: {line}, expected {code}: {wanted}");
        assert!(!out.exists(), "nothing is half made");
    };
    let data = arg(&scene.data);
    let other = scene.place.join("other");
    made_spectra::write(&other, "exogan-362", 4, |_, _| ());
    check(&[arg(&other)], 65, "has 362 points from 15.9777 to 0.4400 um, expected the run's 515 points");
    check(&[data, "--calibrate", arg(&other)], 65, "has 362 points");
    check(&[arg(&scene.run)], 65, "manifest.toml");
    check(&[data, "--mask", "center"], 64, "mask `center` is of maps, expected a mask of spectra");
    check(&[data, "--mask", "hubble"], 64, "mask `hubble` is not known, expected parameters, wavelengths");
    check(&[data, "--mask", "60-70um"], 64, "leaves none of the 515 points");
    check(&[data, "--records", "60..65"], 64, "--records is 60..65, expected some of 0..64");
    check(&[data, "--records", "7"], 64, "expected FROM..TO, as in 0..100");
    check(&[data, "--set", "restarts=0"], 64, "`restarts` is 0, expected 1 to 65536");
    check(&[data, "--set", "restart=3"], 64, "restart");
    check(&[data, "--set", "loss=l3"], 64, "l3");
    check(&[data, "--checkpoint", "step-0000009"], 64, "has no checkpoint `step-0000009`");
    // The folder of a table is made where there is none, but not in a file.
    let file = scene.place.join("file");
    fs::write(&file, "no folder").expect("the disk has room");
    let (code, line) = refused(&["retrieve", arg(&scene.run), data, "--out", arg(&file.join("table.parquet"))]);
    assert!(code == 74 && line.ends_with("is a file, expected a folder"), "{line}");
}

#[test]
fn a_run_that_has_no_spectra_or_no_embedder_says_so() {
    let (maps, spectra) = (trained::on_maps(), trained::on_spectra());
    let (code, line) = refused(&["retrieve", arg(&maps.run), arg(&spectra.data)]);
    assert!(code == 65 && line.ends_with("makes maps, expected a run on spectra"), "{line}");
    let (code, line) = refused(&["retrieve", arg(&spectra.run), arg(&maps.data)]);
    assert!(code == 65 && line.ends_with("holds maps, expected spectra"), "{line}");
    let bare = spectra.place.join("bare");
    let config = fs::read_to_string(trained::EXOGAN).expect("a configuration");
    let (head, rest) = config.split_once("[family.embedder]").expect("it has an embedder");
    let (_, tail) = rest.split_once("[family.codec]").expect("and a codec");
    let without = spectra.place.join("without.toml");
    fs::write(&without, format!("{head}[family.codec]{tail}")).expect("the disk has room");
    let words = ["train", arg(&without), "--run", arg(&bare), "--data", arg(&spectra.data)];
    must(1, &[&words[..], &["--set", "trainer.steps=2"]].concat());
    for start in ["start=embedder", "start=both"] {
        let (code, line) = refused(&["retrieve", arg(&bare), arg(&spectra.data), "--set", start]);
        assert!(code == 64 && line.contains("has no embedder, expected start=noise"), "{line}");
    }
    must(1, &[&["retrieve", arg(&bare), arg(&spectra.data), "--records", "0..2"][..], &QUICK].concat());
    assert!(bare.join("retrieval/table.parquet").is_file());
}
