//! What pandas makes of our tables.

use std::process::Command;

use serde_json::Value;
use skyforge::catalog::parquet_file;

use crate::catalog::made::every_type;

const READER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/peers/read_table");

/// What pandas says of the table `arguments[0]`, which it writes again as `arguments[1]`.
pub fn peer(arguments: &[&std::path::Path]) -> Option<Value> {
    if std::env::var_os("SKYFORGE_PEERS").is_none() {
        eprintln!("skipped: set SKYFORGE_PEERS=1 to let {READER} fetch pandas and pyarrow");
        return None;
    }
    let done = Command::new(READER).args(arguments).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    Some(serde_json::from_slice(&done.stdout).unwrap())
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
