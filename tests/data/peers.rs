//! What other programs make of our files.

use std::process::Command;

use skyforge::data::{DataError, DatasetWriter};
use tempfile::TempDir;

use crate::folder::{BLOCK, SIDE, fill, value, with_parameters};

#[test]
fn h5py_sees_what_was_written() {
    let reader = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/peers/read_shard");
    if std::env::var_os("SKYFORGE_PEERS").is_none() {
        eprintln!("skipped: set SKYFORGE_PEERS=1 to let {reader} fetch h5py");
        return;
    }
    let count = 2 * BLOCK + 3;
    let folder = TempDir::new().unwrap();
    let writer = DatasetWriter::create(folder.path(), with_parameters(count)).unwrap();
    let entries = (0..writer.shards())
        .map(|index| {
            writer.write_blocks::<DataError>(index, |records, rows| {
                rows.parameters.fill(0.5);
                for (record, map) in records.zip(rows.values.chunks_exact_mut(SIDE * SIDE)) {
                    fill(record, map);
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
    assert_eq!(seen["shape"], serde_json::json!([count, 1, SIDE, SIDE]));
    let sum: f64 = (0..count).flat_map(|r| (0..SIDE * SIDE).map(move |p| f64::from(value(r, p)))).sum();
    assert_eq!(seen["sum"].as_f64().unwrap(), sum); // every partial sum is exact in f64
    let weighted = |r: u64| (0..SIDE * SIDE).map(move |p| f64::from(value(r, p)) * (p % 7 + 1) as f64);
    assert_eq!(seen["weighted_sum"].as_f64().unwrap(), (0..count).flat_map(weighted).sum::<f64>());
    assert_eq!(seen["ids"], serde_json::json!((0..count).collect::<Vec<_>>()));
    assert_eq!(seen["parameter_names"], serde_json::json!(["omega_m", "h0"]));
    assert_eq!(seen["parameter_units"], serde_json::json!(["1", "km/s/Mpc"]));
    assert_eq!(seen["parameter_sum"].as_f64().unwrap(), count as f64);
    let mut attributes = seen["attributes"].clone();
    assert!(attributes.as_object_mut().expect("names and values").remove("recipe").is_some());
    assert_eq!(attributes, serde_json::json!({"format": 1, "kind": "maps", "unit": "1", "block_rows": BLOCK}));
}
