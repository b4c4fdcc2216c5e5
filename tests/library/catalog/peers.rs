//! What pandas makes of our tables.

use std::process::Command;

use serde_json::{Value, json};
use skyforge::catalog::{parquet_file, retrieval};

use crate::catalog::made::{every_type, metadata, rows};

const READER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/peers/read_table");

fn peer(arguments: &[&std::path::Path]) -> Option<Value> {
    if std::env::var_os("SKYFORGE_PEERS").is_none() {
        eprintln!("skipped: set SKYFORGE_PEERS=1 to let {READER} fetch pandas and pyarrow");
        return None;
    }
    let done = Command::new(READER).args(arguments).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    Some(serde_json::from_slice(&done.stdout).unwrap())
}

#[test]
fn pandas_sees_what_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.parquet");
    parquet_file::write(&path, &retrieval::to_table(&rows(50), metadata())).unwrap();
    let Some(seen) = peer(&[&path]) else { return };
    assert_eq!((&seen["rows"], &seen["metadata"]), (&json!(50), &Value::Object(metadata())));
    let table = retrieval::to_table(&rows(50), metadata());
    let units: Vec<[&str; 2]> = table.columns().iter().map(|column| [&*column.name, &*column.unit]).collect();
    assert_eq!(seen["units"], json!(units));
    let made = rows(50);
    assert_eq!(seen["columns"]["id"], json!(made.iter().map(|row| row.id).collect::<Vec<_>>()));
    assert_eq!(seen["columns"]["out_of_range"], json!(made.iter().map(|row| row.out_of_range).collect::<Vec<_>>()));
    let medians: Vec<f64> = made.iter().map(|row| row.parameters[3].median.into()).collect();
    assert_eq!(seen["columns"]["log10_ch4_median"], json!(medians));
    let types = ["id", "log10_ch4_median", "out_of_range"].map(|name| &seen["types"][name]);
    assert_eq!(types, ["uint64", "float32", "bool"]);
}

/// Units and metadata would be lost, and nobody vouches for it.
#[test]
fn what_pandas_writes_again_is_no_table_of_ours() {
    let folder = tempfile::tempdir().unwrap();
    let (path, again) = (folder.path().join("table.parquet"), folder.path().join("again.parquet"));
    parquet_file::write(&path, &every_type()).unwrap();
    if peer(&[&path, &again]).is_none() {
        return;
    }
    let error = parquet_file::read(&again).unwrap_err().to_string();
    assert!(error.ends_with("is another program's Parquet file, expected a table that skyforge wrote"), "{error}");
}
