//! `skyforge retrieve --offsets`: an offset that was put in is found, the same bytes come from any ranks and from a ledger, and
//! calibrations know of offsets.

use std::fs;
use std::path::Path;

use serde_json::Value;
use skyforge::data::spectral_axis::{OBSERVED, SpectralAxis};
use skyforge::data::{DataError, Dataset, DatasetWriter, Header, Modality};
use skyforge::family::spectra_gan::SpectrumMask;
use skyforge::family::spectra_gan::retrieval::{RetrievalRow, table};

use crate::program::{arg, must, refused};
use crate::trained::{self, QUICK, Scene, only, worlds};

/// Spectra of `made`, a dataset without errors, as if observed with errors of 50 ppm, and those of odd numbers with `offset` at the points
/// of `instrument`.
fn shifted(made: &Path, folder: &Path, instrument: &str, offset: f32) {
    let made = Dataset::open(made).expect("a dataset");
    let header = made.manifest().header();
    let wavelength_um = header.modality().spectral_axis().expect("spectra").wavelength_um.clone();
    let members = SpectrumMask::parse(instrument).expect("a mask").points(&wavelength_um).expect("points");
    let points = wavelength_um.len();
    let axis = SpectralAxis { channels: OBSERVED.to_vec(), wavelength_um };
    let header = Header { modalities: vec![Modality::spectra(axis)], ..header };
    let depths = made.read(0, 0..header.count).expect("spectra");
    let labels = made.read_labels(0..header.count).expect("labels");
    let writer = DatasetWriter::create(folder, header).expect("the disk has room");
    let shards = (0..writer.shards()).map(|shard| {
        writer.write_blocks(shard, |records, rows| {
            for (row, number) in records.enumerate() {
                let number = number as usize;
                rows.ids[row] = number as u64;
                rows.labels[row * 7..(row + 1) * 7].copy_from_slice(&labels[number * 7..(number + 1) * 7]);
                let record = &mut rows.values[0][row * 4 * points..(row + 1) * 4 * points];
                record[points..3 * points].fill(5e-5);
                record[3 * points..].fill(1.0);
                for point in 0..points {
                    record[point] =
                        depths[number * points + point] + if members[point] && number % 2 == 1 { offset } else { 0.0 };
                }
            }
            Ok::<(), DataError>(())
        })
    });
    let shards = shards.collect::<Result<_, _>>().expect("the disk has room");
    writer.finish(shards).expect("the disk has room");
}

fn rows(path: &Path) -> Vec<RetrievalRow> {
    table::read(path).expect("a table").0
}

fn metadata(path: &Path) -> Value {
    Value::Object(table::read(path).expect("a table").1)
}

/// The network knows spectra that it made itself, so what is off is the offset.
#[test]
fn an_offset_of_300_ppm_is_found_within_its_error() {
    let scene = trained::on_spectra();
    let [made, spectra, out] = ["made", "shifted", "table.parquet"].map(|name| scene.place.join(name));
    must(1, &["sample", arg(&scene.run), "--count", "6", "--out", arg(&made)]);
    shifted(&made, &spectra, "hst-wfc3", 300e-6);
    let sets =
        ["restarts=8", "iterations=240", "patience=0", "half_life=60", "start=both", "slots=48", "learning_rate=0.05"];
    let sets: Vec<&str> = sets.iter().flat_map(|set| ["--set", *set]).collect();
    let words = ["retrieve", arg(&scene.run), arg(&spectra), "--out", arg(&out), "--offsets", "hst-wfc3=1000"];
    must(1, &[&words[..], &sets].concat());
    let rows = rows(&out);
    assert_eq!(rows.len(), 6);
    for row in rows {
        let [found] = row.offsets[..] else { panic!("one group") };
        let wanted = if row.id % 2 == 1 { 300.0 } else { 0.0 };
        // 50 points of 50 ppm alone leave 7.
        assert!(found.error_ppm > 7.0 && found.error_ppm < 40.0, "{found:?}");
        assert!((found.mean_ppm - wanted).abs() < 3.0 * found.error_ppm, "{wanted} ppm: {found:?}");
    }
    let samples = table::read_samples(&table::samples_path(&out)).expect("samples").0;
    assert!(samples.iter().all(|sample| sample.offsets_ppm.len() == 1));
}

fn retrieve<'a>(scene: &'a Scene, spectra: &'a Path, more: &[&'a str]) -> Vec<&'a str> {
    let words = ["retrieve", arg(&scene.run), arg(spectra), "--seed", "3"];
    let offsets = ["--offsets", "hst-wfc3=300", "--offsets", "3-5um=200"];
    [&words[..], &offsets, more, &QUICK].concat()
}

#[test]
fn a_table_with_offsets_has_the_same_bytes_on_any_ranks_and_over_a_ledger() {
    let scene = trained::on_spectra();
    let spectra = scene.place.join("observed");
    trained::observed(&spectra, 7, |number, point| !(point as u64 + number).is_multiple_of(3));
    let tables =
        |path: &Path| [path.to_owned(), table::samples_path(path)].map(|path| fs::read(path).expect("a table"));
    let mut first = None;
    for ranks in worlds() {
        let out = scene.place.join(format!("{ranks}.parquet"));
        let calibrate = ["--out", arg(&out), "--calibrate", arg(&scene.data), "--calibration-count", "16"];
        must(*ranks, &retrieve(&scene, &spectra, &calibrate));
        let got = (tables(&out), only(&scene.run.join("retrieval"), "calibration-"));
        assert!(*first.get_or_insert_with(|| got.clone()) == got, "{ranks} ranks");
    }
    let (straight, calibration) = first.expect("one rank at least");
    let text = String::from_utf8(calibration).expect("JSON");
    assert!(text.contains(r#""offsets":"1.11-1.81um=300;3-5um=200""#), "{text:.300}");
    let out = scene.place.join("1.parquet");
    let said = metadata(&out);
    assert_eq!(said["offsets"]["hst-wfc3"]["sigma_ppm"], 300.0);
    assert_eq!(said["offsets"]["3-5um"]["wavelengths"], "3-5um");
    for row in rows(&out) {
        assert_eq!(row.offsets.len(), 2);
        let prior = [200.0, 300.0]; // in the order of names
        for (found, prior) in row.offsets.iter().zip(prior) {
            assert!(found.mean_ppm.is_finite() && found.error_ppm > 0.0 && found.error_ppm < 2.0 * prior, "{row:?}");
        }
    }
    // The calibration is found again, in any order of words; over a ledger too.
    let (ledger, merged) = (scene.place.join("ledger"), scene.place.join("merged.parquet"));
    let work = ["--ledger", arg(&ledger), "--objects-per-block", "2"];
    let words = retrieve(&scene, &spectra, &work);
    must(*worlds().last().expect("one"), &words);
    must(1, &["ledger", "merge", arg(&ledger), "--out", arg(&merged), "--strict"]);
    assert!(tables(&merged) == straight, "by a ledger");
    // Other offsets are other work, and the calibration is not theirs.
    let (code, line) = refused(&[&words[..], &["--offsets", "1-1.05um=50"]].concat());
    assert!(code == 64 && line.contains("is the ledger of other work"), "{line}");
    let other = scene.place.join("other.parquet");
    let words = ["retrieve", arg(&scene.run), arg(&spectra), "--out", arg(&other), "--seed", "3"];
    for offsets in [&["--offsets", "hst-wfc3=301", "--offsets", "3-5um=200"][..], &[]] {
        must(1, &[&words[..], offsets, &QUICK].concat());
        let said = metadata(&other);
        assert!(said.get("calibration").is_none() && said.get("offsets").is_some() != offsets.is_empty(), "{said}");
    }
    assert!(rows(&other).iter().all(|row| row.offsets.is_empty()), "none where none are asked for");
}

#[test]
fn offsets_that_cannot_be_are_refused_before_anything_is_made() {
    let scene = trained::on_spectra();
    let out = scene.place.join("table.parquet");
    for (words, wanted) in [
        (&["--offsets", "hst-wfc3"][..], "offset `hst-wfc3` has no `INSTRUMENT=`"),
        (
            &["--offsets", "hst-wfc3=3", "--offsets", "ariel=3"],
            "offsets `ariel` and `hst-wfc3` share 50 points from 1.1",
        ),
        (&["--offsets", "60-70um=3"], "leaves none of the 515 points"),
        (&["--offsets", "hst-wfc3=3", "--mask", "5-6um"], "has none of the points that --mask leaves known"),
        (&["--offsets", "hst-wfc3=3", "--set", "loss=l1"], "--offsets: `loss` is l1, expected chi_square"),
        (&["--offsets", "hst-wfc3=3", "--preset", "exogan"], "--offsets: `loss` is l1, expected chi_square"),
    ] {
        let (code, line) =
            refused(&[&["retrieve", arg(&scene.run), arg(&scene.data), "--out", arg(&out)], words].concat());
        assert!(code == 64 && line.contains(wanted), "{code}: {line}, expected {wanted}");
        assert!(!out.exists(), "nothing is half made");
    }
}
