//! The retrieval's own table and its samples.

use std::path::Path;

use skyforge::catalog::{Table, TableError, parquet_file};
use skyforge::family::spectra_gan::retrieval::table;

use crate::catalog::made::metadata;
use crate::family::spectra_gan::made::{rows, samples};

#[test]
fn rows_go_through_a_file_and_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.parquet");
    write(&path);
    assert_eq!(table::read(&path).unwrap(), (rows(33), metadata()));
    let beside = table::samples_path(&path);
    assert_eq!(beside, folder.path().join("table.samples.parquet"));
    assert_eq!(table::read_samples(&beside).unwrap(), (samples(264), metadata()));
}

/// 33 objects with 8 samples each.
fn write(path: &Path) {
    let written: Result<(), TableError> = table::write(path, &[], |hand| {
        for (row, samples) in rows(33).into_iter().zip(samples(264).chunks(8)) {
            hand(row, samples.to_vec())?;
        }
        Ok(((), metadata()))
    });
    written.unwrap();
}

#[test]
fn where_rows_end_early_there_is_no_table() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.parquet");
    write(&path);
    let before = std::fs::read(&path).unwrap();
    let written: Result<(), TableError> = table::write(&path, &[], |hand| {
        hand(rows(1).remove(0), samples(8))?;
        Err(TableError::NotParquet { path: "elsewhere".into() })
    });
    assert!(written.unwrap_err().to_string().contains("elsewhere"));
    assert!(std::fs::read(&path).unwrap() == before, "what was there is there");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "no .part");
}

#[test]
fn columns_have_the_names_and_units_that_the_documentation_gives() {
    let whole = table::to_table(&rows(1), &[], metadata());
    let units = |name: &str| {
        let column = whole.columns().iter().find(|column| column.name == name);
        column.unwrap_or_else(|| panic!("{name} is there")).unit.clone()
    };
    assert_eq!(whole.columns().len(), 1 + 5 * 7 + 7);
    assert_eq!(units("log10_h2o_median"), "dex");
    assert_eq!(units("planet_radius_p97_5"), "R_Jup");
    assert_eq!(units("temperature_p2_5"), "K");
    assert_eq!(units("out_of_range"), "1");
    assert!(whole.columns().iter().all(|column| !column.description.is_empty()));
    assert_eq!(table::samples_to_table(&samples(1), &[], metadata()).columns().len(), 4 + 7);
}

#[test]
fn percentiles_stand_where_their_names_say() {
    let whole = table::to_table(&rows(3), &[], metadata());
    for (row, made) in rows(3).iter().enumerate() {
        assert_eq!(whole.f32s("log10_co_p16").unwrap()[row], made.parameters[2].p16);
        assert_eq!(whole.f32s("planet_mass_median").unwrap()[row], made.parameters[4].median);
        assert_eq!(whole.f32s("temperature_p84").unwrap()[row], made.parameters[6].p84);
    }
}

#[test]
fn another_table_is_not_taken_for_a_retrieval() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.parquet");
    let line = |path: &Path, error: TableError| {
        error.to_string().strip_prefix(&format!("{}: ", path.display())).expect("it is named").to_owned()
    };
    parquet_file::write(&path, &table::samples_to_table(&samples(8), &[], metadata())).unwrap();
    let error = table::read(&path).unwrap_err();
    assert_eq!(line(&path, error), "has no column `observed_points`, expected one of u64");
    let all = table::to_table(&rows(2), &[], metadata());
    let but = all.columns().iter().filter(|column| column.name != "temperature_p84").cloned().collect();
    parquet_file::write(&path, &Table::new(metadata(), but)).unwrap();
    let error = table::read(&path).unwrap_err();
    assert_eq!(line(&path, error), "has no column `temperature_p84`, expected one of f32");
}
