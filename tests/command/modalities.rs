//! Datasets of several modalities, or of one that a record may lack, given to each command: taken, or refused in one line.

use std::path::Path;

use skyforge::data::{Bands, DataError, DatasetWriter, Header, Label, Modality, Transform, split};

use crate::program::{CONFIG, arg, must, refused};
use crate::trained;

/// Maps and cutouts, or optional maps, with a class; absent where the record's number is a multiple of 3.
fn dataset(folder: &Path, modalities: Vec<Modality>) {
    let header = Header {
        count: 64,
        modalities,
        labels: vec![Label::class("morphology", ["spiral", "elliptical"])],
        splits: split::by_shares(64, 0.1, 0.2),
        source: toml::Table::new(),
    };
    let optional = header.modalities.iter().position(|modality| modality.optional);
    let count = header.modalities.len();
    let writer = DatasetWriter::create(folder, header).expect("the disk has room");
    let shard = |index| {
        writer.write_blocks::<DataError>(index, |records, rows| {
            for (row, record) in records.enumerate() {
                rows.labels[row] = (record % 2) as f32;
                for values in &mut rows.values {
                    let length = values.len() / rows.ids.len();
                    values[row * length..(row + 1) * length].fill(0.001 * record as f32);
                }
                if let Some(optional) = optional.filter(|_| record % 3 == 0) {
                    rows.present[row * count + optional] = 0;
                    let values = &mut rows.values[optional];
                    let length = values.len() / rows.ids.len();
                    values[row * length..(row + 1) * length].fill(0.0);
                }
            }
            Ok(())
        })
    };
    let entries = (0..writer.shards()).map(shard).collect::<Result<_, _>>().expect("the disk has room");
    writer.finish(entries).expect("the disk has room");
}

fn maps() -> Modality {
    Modality::maps([1, 64, 64], "1", Transform::Identity {}, None)
}

#[test]
fn commands_for_one_modality_refuse_others_in_one_line() {
    let scene = trained::on_maps();
    let bands = Bands { names: vec!["g".into(), "r".into()], pixel_arcsec: 0.4 };
    let cutouts = Modality { optional: true, ..Modality::cutouts(bands, [8, 8], "nJy", Transform::Identity {}) };
    let (both, optional) = (scene.place.join("both"), scene.place.join("optional"));
    dataset(&both, vec![maps(), cutouts]);
    dataset(&optional, vec![Modality { optional: true, ..maps() }]);
    let (run, data, new, out) = (arg(&scene.run), arg(&scene.data), scene.place.join("new"), scene.place.join("out"));
    for (given, wanted) in [
        (arg(&both), "holds maps and cutouts, expected "),
        (arg(&optional), "modality `map` is optional, expected one that every record has"),
    ] {
        for arguments in [
            vec!["train", CONFIG, "--run", arg(&new), "--data", given],
            vec!["inpaint", run, given, "--mask", "center", "--out", arg(&out)],
            vec!["evaluate", given, "--against", data],
            vec!["evaluate", data, "--against", given],
        ] {
            let (code, line) = refused(&arguments);
            assert!(code == 65 && line.contains(wanted), "{arguments:?}: {code}: {line}");
        }
        assert!(!new.exists() && !out.join("manifest.toml").exists(), "nothing is half made");
    }
    let scene = trained::on_spectra();
    let (code, line) = refused(&["retrieve", arg(&scene.run), arg(&both), "--out", arg(&out)]);
    assert!(code == 65 && line.contains("holds maps and cutouts, expected spectra alone"), "{code}: {line}");
    // Records say which family made them, and only that one measures them.
    let made = scene.place.join("made");
    must(1, &["sample", arg(&scene.run), "--count", "4", "--out", arg(&made)]);
    let (code, line) = refused(&["evaluate", arg(&made), "--against", data]);
    let wanted = "`source.family` is \"spectra_gan\", expected records of \"maps_gan\"";
    assert!(code == 65 && line.contains(wanted), "{code}: {line}");
    let (code, line) = refused(&["evaluate", arg(&scene.run), "--against", data]);
    assert!(
        code == 65 && line.contains("has no retrieval/table.parquet, expected `skyforge retrieve "),
        "{code}: {line}"
    );

    // What concerns all modalities takes them.
    let told = must(1, &["inspect", arg(&both), "--json"]);
    let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    let share = told["modalities"][1]["present_share"].as_f64().expect("a number");
    assert!((share - 42.0 / 64.0).abs() < 1e-12, "{share}");
    assert!(told["modalities"][0]["present_share"].is_null());
    let spirals = serde_json::json!({ "name": "spiral", "records": 32 });
    assert_eq!(told["classes"]["morphology"][0], spirals);
    must(1, &["bench", "loader", "--data", arg(&both), "--batch", "4", "--batches", "4"]);
}

#[test]
fn maps_with_labels_are_learned_and_sampled() {
    let scene = trained::on_maps();
    let (data, run, out) = (scene.place.join("labelled"), scene.place.join("run2"), scene.place.join("made"));
    dataset(&data, vec![maps()]);
    must(1, &["train", CONFIG, "--run", arg(&run), "--data", arg(&data), "--set", "trainer.steps=2"]);
    must(1, &["sample", arg(&run), "--count", "5", "--out", arg(&out)]);
    let told: serde_json::Value = serde_json::from_str(&must(1, &["inspect", arg(&out), "--json"])).expect("JSON");
    assert_eq!(told["labels"][0]["unknown_share"].as_f64(), Some(1.0), "a generator of maps knows no class: {told}");
}
