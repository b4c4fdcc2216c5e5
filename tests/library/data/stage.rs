//! A copy of a dataset is the dataset, whatever an earlier try has left of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use skyforge::data::stage::{Copied, copy, size};
use skyforge::data::{DataError, Dataset};

use crate::data::folder::{BLOCK, dataset, shard};

const RECORDS: u64 = 3 * BLOCK;

/// Every file of a folder with its bytes.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect()
}

#[test]
fn a_copy_has_the_same_bytes_and_is_made_once() {
    let original = dataset(RECORDS);
    let to = tempfile::tempdir().unwrap();
    let folder = to.path().join("copy");
    let from = Dataset::open(original.path()).unwrap();
    let (copied, made) = copy(&from, &folder).unwrap();
    assert_eq!(made, Copied { bytes: size(&from), kept: 0 });
    assert!(copied.folder() == folder && copied.checksum() == from.checksum());
    assert!(files(&folder) == files(original.path()));
    let (_, again) = copy(&from, &folder).unwrap();
    assert_eq!(again, Copied { bytes: 0, kept: size(&from) });
}

#[test]
fn what_an_earlier_try_has_left_is_gone_on_with() {
    let original = dataset(RECORDS);
    let from = Dataset::open(original.path()).unwrap();
    let first = shard(&original, 0);
    let (name, bytes) = (first.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&first).unwrap());
    for length in [0, 1, bytes.len() / 3, bytes.len(), bytes.len() + 5] {
        let to = tempfile::tempdir().unwrap();
        let beginning: Vec<u8> = bytes.iter().copied().chain([7; 5]).take(length).collect();
        fs::write(to.path().join(format!("{name}.part")), beginning).unwrap();
        let (_, copied) = copy(&from, to.path()).unwrap();
        let kept = if length <= bytes.len() { length as u64 } else { 0 };
        assert_eq!(copied, Copied { bytes: size(&from) - kept, kept }, "{length} bytes were there");
        assert!(files(to.path()) == files(original.path()), "{length} bytes were there");
    }
}

/// The bytes of a file with a bit of the middle one turned, and where that is.
fn flipped(path: &Path) -> (Vec<u8>, usize) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    (bytes, middle)
}

#[test]
fn what_is_left_and_wrong_is_copied_anew() {
    let original = dataset(RECORDS);
    let from = Dataset::open(original.path()).unwrap();
    let first = shard(&original, 0);
    let (bytes, middle) = flipped(&first);
    let name = first.file_name().unwrap().to_str().unwrap();
    for (name, length) in [(name.to_owned(), bytes.len()), (format!("{name}.part"), middle + 1)] {
        let to = tempfile::tempdir().unwrap();
        fs::write(to.path().join(&name), &bytes[..length]).unwrap();
        let (_, copied) = copy(&from, to.path()).unwrap();
        assert_eq!(copied, Copied { bytes: size(&from), kept: 0 }, "{name}");
        assert!(files(to.path()) == files(original.path()), "{name}");
    }
}

#[test]
fn damage_in_the_original_is_named() {
    let original = dataset(RECORDS);
    let from = Dataset::open(original.path()).unwrap();
    let first = shard(&original, 0);
    fs::write(&first, flipped(&first).0).unwrap();
    let to = tempfile::tempdir().unwrap();
    let fault = copy(&from, to.path()).unwrap_err();
    assert!(matches!(fault, DataError::Damaged { .. }), "{fault}");
}
