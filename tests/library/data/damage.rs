//! Damage to a dataset on disk, anywhere: it is named, or what is read is what was written.

use std::fs;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use skyforge::data::{
    BatchPlan, DataError, Dataset, DatasetWriter, Header, Loader, LoaderSettings, Microbatch, Transform,
};
use skyforge::exit::{Ends, Exit};
use tempfile::TempDir;

use crate::data::folder::{BLOCK, dataset, line, maps_of, optional_cutouts, shard, with_labels};

const RECORDS: u64 = 24;

/// One shard of small maps with labels, and cutouts of which some are absent: 24 KiB of maps.
fn small() -> TempDir {
    let folder = TempDir::new().unwrap();
    let modalities = vec![maps_of(16).remove(0), optional_cutouts(4, Transform::Identity {})];
    let header = Header { modalities, ..with_labels(RECORDS) };
    let writer = DatasetWriter::create(folder.path(), header).unwrap();
    let entry = writer
        .write_blocks::<DataError>(0, |_, rows| {
            rows.values[0].iter_mut().enumerate().for_each(|(at, value)| *value = 1.0 + at as f32);
            rows.labels.iter_mut().enumerate().for_each(|(at, value)| *value = 2.0 + at as f32);
            for (row, cutout) in rows.values[1].chunks_exact_mut(32).enumerate() {
                if row % 3 == 0 {
                    rows.present[2 * row + 1] = 0;
                } else {
                    cutout.fill(row as f32);
                }
            }
            Ok(())
        })
        .unwrap();
    writer.finish(vec![entry]).unwrap();
    folder
}

/// Maps and cutouts, and labels, to the bit; and ids.
type Learned = (Vec<u32>, Vec<u32>, Vec<u64>);

/// All that a reader can learn of the records.
fn learned(folder: &Path) -> Result<Learned, DataError> {
    let dataset = Dataset::open(folder)?;
    dataset.verify()?;
    let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect();
    let all = 0..RECORDS;
    let values = [dataset.read(0, all.clone())?, dataset.read(1, all.clone())?].concat();
    Ok((bits(values), bits(dataset.read_labels(all.clone())?), dataset.read_ids(all)?))
}

/// Turns bits `mask` of the bytes `places` of a shard, one after the other. How many were named, and how many harmless.
fn flips(places: impl Fn(usize) -> Box<dyn Iterator<Item = usize>>, mask: u8) -> (u64, u64) {
    let folder = small();
    let path = shard(&folder, 0);
    let (bytes, wanted) = (fs::read(&path).unwrap(), learned(folder.path()).unwrap());
    let (mut named, mut harmless) = (0, 0);
    for place in places(bytes.len()) {
        let mut broken = bytes.clone();
        broken[place] ^= mask;
        fs::write(&path, &broken).unwrap();
        match learned(folder.path()) {
            Ok(found) => {
                assert!(found == wanted, "byte {place} changes what is read, and nobody says so");
                assert!(place >= bytes.len() - 8, "only the name of the seal is not vouched for, not byte {place}");
                harmless += 1;
            }
            Err(error) => {
                assert_eq!(error.exit(), Exit::Data, "byte {place}: {error}");
                let message = line::<()>(Err(error));
                assert!(message.contains("shard-00000.h5"), "byte {place}: {message}");
                named += 1;
            }
        }
        assert!(fs::read(&path).unwrap() == broken, "the file is left as it is");
    }
    fs::write(&path, &bytes).unwrap();
    assert!(learned(folder.path()).unwrap() == wanted, "whole again");
    eprintln!("{named} of {} flips by {mask:#04x} named, {harmless} harmless", named + harmless);
    (named, harmless)
}

#[test]
fn a_flipped_byte_anywhere_in_a_shard_is_named() {
    for (start, mask) in [(0, 0x01), (17, 0x10), (38, 0x80), (63, 0xff)] {
        let (named, harmless) = flips(|length| Box::new((start..length).step_by(64)), mask);
        assert!(named > 384 && named + harmless > 400, "all of the 24 KiB of maps: {named}, {harmless}");
    }
}

/// The manifest is small enough for every byte, each turned in several ways.
#[test]
fn a_flipped_byte_anywhere_in_a_manifest_is_named() {
    let folder = small();
    let path = folder.path().join("manifest.toml");
    let bytes = fs::read(&path).unwrap();
    let mut named = 0;
    for mask in [0x01, 0x02, 0x10, 0x20, 0x80, 0xff] {
        for place in 0..bytes.len() {
            let mut broken = bytes.clone();
            broken[place] ^= mask;
            fs::write(&path, &broken).unwrap();
            let error = Dataset::open(folder.path()).expect_err(&format!("byte {place} by {mask:#04x}"));
            assert_eq!(error.exit(), Exit::Data, "byte {place} by {mask:#04x}: {error}");
            let message = line::<()>(Err(error));
            assert!(message.contains("manifest.toml: "), "byte {place} by {mask:#04x}: {message}");
            named += 1;
        }
    }
    for length in 0..bytes.len() - 1 {
        fs::write(&path, &bytes[..length]).unwrap();
        assert!(line(learned(folder.path())).contains("manifest.toml: "), "cut off at {length}");
    }
    fs::write(&path, &bytes).unwrap();
    learned(folder.path()).expect("whole again");
    eprintln!("{named} flips named, {} lengths", bytes.len() - 1);
}

#[test]
#[ignore = "minutes long: every byte of a shard"]
fn every_byte_of_a_shard_is_vouched_for() {
    for mask in [0x01, 0xff] {
        flips(|length| Box::new(0..length), mask);
    }
}

#[test]
fn a_shard_cut_off_anywhere_is_named_with_its_sizes() {
    let folder = small();
    let path = shard(&folder, 0);
    let bytes = fs::read(&path).unwrap();
    for length in (0..bytes.len()).step_by(512) {
        fs::write(&path, &bytes[..length]).unwrap();
        let message = line(learned(folder.path()));
        assert_eq!(message, format!("shard-00000.h5 is {length} bytes, expected {} from manifest.toml", bytes.len()));
    }
}

#[test]
fn a_shard_cut_off_after_the_dataset_was_opened_is_named() {
    let folder = small();
    let bytes = fs::metadata(shard(&folder, 0)).unwrap().len();
    for (read, length) in [(0, bytes / 2), (RECORDS, bytes / 2), (0, 0), (RECORDS, 0)] {
        let folder = small();
        let dataset = Dataset::open(folder.path()).unwrap();
        dataset.read(0, 0..read).unwrap();
        fs::File::options().write(true).open(shard(&folder, 0)).unwrap().set_len(length).unwrap();
        let message = line(dataset.read(0, 0..RECORDS));
        assert!(message.contains("shard-00000.h5"), "{message}");
    }
}

/// The first `batches` microbatches, or what ended them; the folder is changed by `meanwhile` after the first.
fn load(folder: &Path, batches: Range<usize>, meanwhile: impl FnOnce()) -> (Vec<Microbatch>, Option<DataError>) {
    let plan = BatchPlan { global: 8, microbatches: 1, mine: 0..1, seed: 3 };
    let settings = LoaderSettings { window_blocks: 1, ..LoaderSettings::default() };
    let mut loader = Loader::new(Arc::new(Dataset::open(folder).unwrap()), &settings, plan, 0).unwrap();
    let mut loaded = vec![loader.next().unwrap()];
    meanwhile();
    for _ in batches {
        match loader.next() {
            Ok(batch) => loaded.push(batch),
            Err(error) => return (loaded, Some(error)),
        }
    }
    (loaded, None)
}

#[test]
fn shards_that_vanish_under_a_loader_are_named_and_nothing_wrong_is_handed_over() {
    let folder = dataset(8 * BLOCK);
    let (wanted, end) = load(folder.path(), 1..64, || ());
    assert!(end.is_none());
    let vanish = || (0..8).for_each(|index| fs::remove_file(shard(&folder, index)).unwrap());
    let (found, end) = load(folder.path(), 1..64, vanish);
    let end = end.expect("shards that were not open yet are gone");
    assert_eq!(end.exit(), Exit::Data);
    assert!(end.to_string().contains(".h5 is missing, expected "), "{end}");
    assert!(found.len() < wanted.len() && found == wanted[..found.len()]);
}
