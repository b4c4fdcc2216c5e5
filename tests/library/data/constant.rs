//! Splits whose records hold one value, or hardly more.

use skyforge::data::{Dataset, DatasetWriter, Header, Sameness, Split};
use tempfile::TempDir;

use crate::data::folder::{header, maps_of};

/// What is seen in the split `train`, all records but the last two, where record and pixel have `value`.
fn seen(count: u64, value: impl Fn(u64, usize) -> f32 + Sync) -> Option<Sameness> {
    let folder = TempDir::new().unwrap();
    let splits = [("train".to_owned(), Split::from(0..count - 2))].into();
    let header = Header { modalities: maps_of(8), splits, ..header(count) };
    let writer = DatasetWriter::create(folder.path(), header).unwrap();
    let fill = |record: u64, map: &mut [f32]| {
        map.iter_mut().enumerate().for_each(|(pixel, to)| *to = value(record, pixel));
    };
    let entries = (0..writer.shards()).map(|index| writer.write_shard(index, fill)).collect::<Result<_, _>>().unwrap();
    writer.finish(entries).unwrap();
    let dataset = Dataset::open(folder.path()).unwrap();
    dataset.sameness(dataset.split("train").unwrap()).unwrap()
}

#[test]
fn records_of_one_value_are_known_and_one_other_pixel_is_found() {
    // Other splits do not count.
    assert_eq!(seen(100, |record, _| if record < 98 { 3.0 } else { 4.0 }), Some(Sameness::Total(3.0)));
    assert_eq!(seen(3, |_, _| 0.0), Some(Sameness::Total(0.0)));
    let told = seen(100, |record, pixel| if (record, pixel) == (97, 63) { 1.0 } else { 0.0 });
    let wanted = "`map` has one value throughout in 16 of 16 records looked at (0 in all of them)";
    assert_eq!(told, Some(Sameness::Partial(wanted.into())));
}

#[test]
fn some_flat_records_are_nothing_and_many_are_told() {
    assert_eq!(seen(100, |record, pixel| (record * 64) as f32 + pixel as f32), None);
    assert_eq!(seen(100, |record, pixel| if record % 10 == 0 { 0.0 } else { pixel as f32 }), None);
    let told = seen(18, |record, pixel| if record % 2 == 0 { 0.0 } else { pixel as f32 });
    let wanted = "`map` has one value throughout in 8 of 16 records looked at";
    assert_eq!(told, Some(Sameness::Partial(wanted.into())));
    // Records that differ from one another alone.
    let told = seen(18, |record, _| record as f32);
    assert_eq!(told, Some(Sameness::Partial("`map` has one value throughout in 16 of 16 records looked at".into())));
}
