//! What other programs make of our files.

use std::process::Command;

use skyforge::data::{DataError, DatasetWriter, Label, Transform};
use tempfile::TempDir;

use crate::data::folder::{BLOCK, SIDE, fill, optional_cutouts, value, with_labels};

#[test]
fn h5py_and_pandas_see_what_was_written() {
    let reader = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/peers/read_shard");
    if std::env::var_os("SKYFORGE_PEERS").is_none() {
        eprintln!("skipped: set SKYFORGE_PEERS=1 to let {reader} fetch h5py");
        return;
    }
    let count = 2 * BLOCK + 3;
    let folder = TempDir::new().unwrap();
    let cutouts = optional_cutouts(4, Transform::Identity {});
    let mut header = with_labels(count);
    header.modalities.push(cutouts);
    header.labels.push(Label::class("morphology", ["spiral", "elliptical", "irregular"]));
    let block_rows = header.layout().block_rows;
    let writer = DatasetWriter::create(folder.path(), header).unwrap();
    let entries = (0..writer.shards())
        .map(|index| {
            writer.write_blocks::<DataError>(index, |records, rows| {
                for (row, record) in records.enumerate() {
                    fill(record, &mut rows.values[0][row * SIDE * SIDE..(row + 1) * SIDE * SIDE]);
                    rows.labels[row * 3] = 0.5;
                    if record % 4 == 0 {
                        rows.present[row * 2 + 1] = 0;
                    } else {
                        rows.values[1][row * 32..(row + 1) * 32].fill(record as f32);
                        rows.labels[row * 3 + 2] = (record % 3) as f32;
                    }
                }
                Ok(())
            })
        })
        .collect::<Result<_, _>>()
        .unwrap();
    writer.finish(entries).unwrap();

    let done = Command::new(reader).arg(folder.path()).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let seen: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    let (map, cutout) = (&seen["arrays"]["map"], &seen["arrays"]["cutout"]);
    assert_eq!(map["shape"], serde_json::json!([count, 1, SIDE, SIDE]));
    let sum: f64 = (0..count).flat_map(|r| (0..SIDE * SIDE).map(move |p| f64::from(value(r, p)))).sum();
    assert_eq!(map["sum"].as_f64().unwrap(), sum); // every partial sum is exact in f64
    let weighted = |r: u64| (0..SIDE * SIDE).map(move |p| f64::from(value(r, p)) * (p % 7 + 1) as f64);
    assert_eq!(map["weighted_sum"].as_f64().unwrap(), (0..count).flat_map(weighted).sum::<f64>());
    assert_eq!((&map["kind"], &map["unit"]), (&"map".into(), &"1".into()));
    assert_eq!(cutout["shape"], serde_json::json!([count, 2, 4, 4]));
    let present: Vec<u64> = (0..count).filter(|record| record % 4 != 0).collect();
    assert_eq!(cutout["sum"].as_f64().unwrap(), 32.0 * present.iter().sum::<u64>() as f64);
    assert_eq!((&cutout["kind"], &cutout["unit"]), (&"cutout".into(), &"nJy".into()));
    assert_eq!(seen["ids"], serde_json::json!((0..count).collect::<Vec<_>>()));
    let of = |class: u64| present.iter().filter(|record| **record % 3 == class).count();
    assert_eq!(
        seen["labels"],
        serde_json::json!({
            "omega_m": { "known": count, "sum_or_counts": 0.5 * count as f64 },
            "h0": { "known": 0, "sum_or_counts": 0.0 },
            "morphology": {
                "known": present.len(),
                "sum_or_counts": { "spiral": of(0), "elliptical": of(1), "irregular": of(2) },
            },
        })
    );
    assert_eq!(seen["units"], serde_json::json!({ "omega_m": "1", "h0": "km/s/Mpc", "morphology": "1" }));
    let mut attributes = seen["attributes"].clone();
    assert!(attributes.as_object_mut().expect("names and values").remove("recipe").is_some());
    assert_eq!(
        attributes,
        serde_json::json!({
            "format": 2, "block_rows": block_rows, "present": [count, present.len()],
            "datasets": ["block_checksums", "cutout", "id", "labels", "map", "present"],
        })
    );
}
