//! Tables of every type, and what is wrong with those that are not what was asked for.

use std::fs;

use skyforge::catalog::{Column, Metadata, Table, TableError, Values, parquet_file};
use skyforge::exit::{Ends, Exit};

use crate::catalog::made::every_type;

/// A column to the bit.
fn bits(values: &Values) -> Vec<u64> {
    match values {
        Values::U64(values) => values.clone(),
        Values::F32(values) => values.iter().map(|x| x.to_bits().into()).collect(),
        Values::F64(values) => values.iter().map(|x| x.to_bits()).collect(),
        Values::Bool(values) => values.iter().map(|&x| x.into()).collect(),
        Values::Utf8(values) => values.iter().flat_map(|x| x.bytes().map(u64::from).chain([256])).collect(),
    }
}

#[test]
fn what_is_written_is_read_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.parquet");
    let table = every_type();
    parquet_file::write(&path, &table).unwrap();
    let read = parquet_file::read(&path).unwrap();
    assert_eq!((read.rows(), read.metadata()), (4, table.metadata()));
    assert_eq!(read.columns().len(), table.columns().len());
    for (found, wanted) in read.columns().iter().zip(table.columns()) {
        assert_eq!((&found.name, &found.unit, &found.description), (&wanted.name, &wanted.unit, &wanted.description));
        assert_eq!(found.values.kind(), wanted.values.kind());
        assert_eq!(bits(&found.values), bits(&wanted.values), "{}", found.name);
    }
}

#[test]
fn equal_tables_are_equal_bytes_and_nothing_is_left_beside_them() {
    let folder = tempfile::tempdir().unwrap();
    let paths = ["a.parquet", "b.parquet"].map(|name| folder.path().join(name));
    for path in &paths {
        parquet_file::write(path, &every_type()).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert_eq!(fs::read(&paths[0]).unwrap(), fs::read(&paths[1]).unwrap());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "no .part");
}

#[test]
fn a_table_without_rows_is_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("empty.parquet");
    let table = Table::new(Metadata::new(), vec![Column::new("id", "1", "", Values::U64(Vec::new()))]);
    parquet_file::write(&path, &table).unwrap();
    assert_eq!(parquet_file::read(&path).unwrap(), table);
}

/// More rows than a group of a file has.
#[test]
fn a_long_table_is_read_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("long.parquet");
    let ids: Vec<u64> = (0..(1 << 20) + 12_345).collect();
    let flags = ids.iter().map(|id| id.is_multiple_of(7)).collect();
    let columns =
        vec![Column::new("id", "1", "", Values::U64(ids)), Column::new("seventh", "1", "", Values::Bool(flags))];
    let table = Table::new(every_type().metadata().clone(), columns);
    parquet_file::write(&path, &table).unwrap();
    assert!(parquet_file::read(&path).unwrap() == table);
}

#[test]
fn rows_that_come_one_by_one_are_the_bytes_of_the_whole_table() {
    let to_table =
        |rows: &[u64], metadata| Table::new(metadata, vec![Column::new("id", "1", "", Values::U64(rows.to_vec()))]);
    let folder = tempfile::tempdir().unwrap();
    let [whole, one_by_one] = ["whole.parquet", "rows.parquet"].map(|name| folder.path().join(name));
    for count in [0, 5, 1 << 10, 1 << 16, (1 << 17) + 1] {
        let (rows, metadata): (Vec<u64>, _) =
            ((0..count).map(|row| row * row).collect(), every_type().metadata().clone());
        parquet_file::write(&whole, &to_table(&rows, metadata.clone())).unwrap();
        let written: Result<u64, TableError> = parquet_file::write_rows(&one_by_one, to_table, |hand| {
            rows.into_iter().try_for_each(hand)?;
            Ok((count, metadata))
        });
        assert_eq!(written.unwrap(), count);
        assert!(fs::read(&whole).unwrap() == fs::read(&one_by_one).unwrap(), "{count} rows");
    }
}

#[test]
fn a_column_that_is_not_there_or_holds_something_else_is_named() {
    let table = every_type();
    assert_eq!(table.f32s("flux").unwrap_err().to_string(), "has no column `flux`, expected one of f32");
    assert_eq!(table.f32s("mass").unwrap_err().to_string(), "column `mass` is of f64, expected f32");
    assert_eq!(table.u64s("good").unwrap_err().to_string(), "column `good` is of bool, expected u64");
    assert_eq!(table.texts("name").unwrap()[1], "HD 209458 b");
    assert_eq!((table.bools("good").unwrap()[0], table.f64s("mass").unwrap()[2]), (true, -1.5));
}

#[test]
fn what_is_no_table_is_said_in_a_line_with_its_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("thing");
    let refused = |wanted: &str, exit: Exit| {
        let error: TableError = parquet_file::read(&path).unwrap_err();
        assert_eq!(error.to_string(), format!("{}: {wanted}", path.display()));
        assert_eq!(error.exit(), exit);
    };
    refused("is not there, expected a table", Exit::FileSystem);
    for text in ["", "PAR", "a,b\n1,2\n"] {
        fs::write(&path, text).unwrap();
        refused("is no Parquet file, expected a table", Exit::Data);
    }
    for text in ["PAR1", "PAR1 and no more", "PAR1skytable"] {
        fs::write(&path, text).unwrap();
        refused("is cut off, expected a Parquet file with its end", Exit::Data);
    }
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    refused("is a folder, expected a table", Exit::FileSystem);
}

#[test]
fn a_folder_that_is_not_there_is_no_place_for_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nowhere/table.parquet");
    let error = parquet_file::write(&path, &every_type()).unwrap_err();
    assert_eq!(error.to_string(), format!("{}: its folder is not there, expected one that is", path.display()));
}
