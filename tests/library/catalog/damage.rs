//! Damage to a table, anywhere: it is named.

use std::fs;

use skyforge::catalog::parquet_file;
use skyforge::exit::{Ends, Exit};

use crate::catalog::made::every_type;

#[test]
fn a_flipped_byte_anywhere_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.parquet");
    parquet_file::write(&path, &every_type()).unwrap();
    let bytes = fs::read(&path).unwrap();
    parquet_file::read(&path).expect("it is whole");
    for mask in [0x01, 0xff] {
        for place in 0..bytes.len() {
            let mut broken = bytes.clone();
            broken[place] ^= mask;
            fs::write(&path, &broken).unwrap();
            let error = parquet_file::read(&path).expect_err(&format!("byte {place} by {mask:#04x}"));
            assert_eq!(error.exit(), Exit::Data, "byte {place}: {error}");
            assert_eq!(error.to_string().lines().count(), 1, "{error}");
        }
    }
}

#[test]
fn a_table_cut_off_anywhere_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.parquet");
    parquet_file::write(&path, &every_type()).unwrap();
    let bytes = fs::read(&path).unwrap();
    for length in 0..bytes.len() {
        fs::write(&path, &bytes[..length]).unwrap();
        let error = parquet_file::read(&path).expect_err("half a table is none");
        let wanted = if length < 4 { "is no Parquet file" } else { "is cut off" };
        // A text in it ends as a table does.
        assert!(error.to_string().contains(wanted) || error.to_string().contains("is damaged"), "{length}: {error}");
    }
}
