//! Records as networks take them.

use std::sync::Arc;

use skyforge::data::Transform;
use skyforge::data::{
    Batch, BatchPlan, DataError, Dataset, DatasetWriter, Encoding, Header, Label, Loader, LoaderSettings,
};
use tch::{Device, Tensor};
use tempfile::TempDir;

use crate::data::folder::{header, maps_of, optional_cutouts};

const COUNT: u64 = 24;

/// Maps, and cutouts that each third record lacks, with a label that each fourth does not know.
fn dataset(folder: &TempDir) -> Dataset {
    let transform = Transform::Linear { scale: 2.0, offset: 0.5 };
    let modalities = [maps_of(8), vec![optional_cutouts(4, transform)]].concat();
    let header = Header { modalities, labels: vec![Label::real("omega_m", "1")], ..header(COUNT) };
    let writer = DatasetWriter::create(folder.path(), header).unwrap();
    let shard = |index| {
        writer.write_blocks::<DataError>(index, |records, rows| {
            for (row, record) in records.enumerate() {
                for (modality, values) in rows.values.iter_mut().enumerate() {
                    let length = if modality == 0 { 64 } else { 32 };
                    let lacks = modality == 1 && record.is_multiple_of(3);
                    rows.present[2 * row + modality] = u8::from(!lacks);
                    let values = &mut values[row * length..(row + 1) * length];
                    for (at, value) in values.iter_mut().enumerate() {
                        *value = if lacks { 0.0 } else { record as f32 + at as f32 / 64.0 };
                    }
                }
                rows.labels[row] = if record.is_multiple_of(4) { f32::NAN } else { record as f32 / 10.0 };
            }
            Ok(())
        })
    };
    let entries = (0..writer.shards()).map(|index| shard(index).unwrap()).collect();
    writer.finish(entries).unwrap();
    Dataset::open(folder.path()).unwrap()
}

fn encodings(dataset: &Dataset) -> Vec<Encoding> {
    dataset.manifest().modalities.iter().map(|modality| Encoding::Transform(modality.transform)).collect()
}

fn numbers(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten(0, -1).try_into().unwrap()
}

#[test]
fn what_is_absent_or_unknown_is_a_mask() {
    let folder = TempDir::new().unwrap();
    let dataset = dataset(&folder);
    let batch = Batch::read(&dataset, &[3, 4, 5, 20], &encodings(&dataset), Device::Cpu).unwrap();
    assert_eq!((batch.size(), &batch.ids), (4, &vec![3, 4, 5, 20]));
    assert_eq!((batch.inputs[0].size(), batch.inputs[1].size()), (vec![4, 1, 8, 8], vec![4, 2, 4, 4]));
    assert_eq!((batch.present.size(), numbers(&batch.present)), (vec![4, 2], vec![1., 0., 1., 1., 1., 1., 1., 1.]));
    assert_eq!(numbers(&batch.known), [1.0, 0.0, 1.0, 0.0]);
    assert_eq!(numbers(&batch.labels), [0.3, 0.0, 0.5, 0.0]);
    // The transform of the cutouts; a record without one is 0 in the range of the networks, not what 0 becomes.
    assert_eq!(numbers(&batch.inputs[1].get(1))[..2], [8.5, 8.5 + 2.0 / 64.0]);
    assert!(numbers(&batch.inputs[1].get(0)).iter().all(|value| *value == 0.0));
}

#[test]
fn records_that_are_read_are_those_that_the_loader_hands_over() {
    let folder = TempDir::new().unwrap();
    let dataset = Arc::new(dataset(&folder));
    let plan = BatchPlan { global: 8, microbatches: 2, mine: 0..2, seed: 5 };
    let mut loader = Loader::new(Arc::clone(&dataset), &LoaderSettings::default(), plan, 0).unwrap();
    for _ in 0..6 {
        let loaded = loader.next_batch(Device::Cpu).unwrap();
        let read = Batch::read(&dataset, &loaded.ids, &encodings(&dataset), Device::Cpu).unwrap();
        for (a, b) in loaded.inputs.iter().zip(&read.inputs) {
            assert_eq!((a.size(), numbers(a)), (b.size(), numbers(b)));
        }
        assert_eq!(numbers(&loaded.present), numbers(&read.present));
        assert_eq!(numbers(&loaded.labels), numbers(&read.labels));
        assert_eq!(numbers(&loaded.known), numbers(&read.known));
    }
}
