//! The records of a dataset with one modality, one after the other, each with its labels.

use serde::{Deserialize, Serialize};

use super::DataError;
use super::dataset::Dataset;
use super::shard::Block;

/// Reads records in blocks, each of which is read once where they come in order.
pub struct Records<'a> {
    dataset: &'a Dataset,
    block: Block,
}

/// A record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Its name in its dataset.
    pub id: u64,
    /// `[channels, ...]`, in physical units.
    pub values: Vec<f32>,
    /// `[p]`, NaN where unknown.
    pub labels: Vec<f32>,
}

impl<'a> Records<'a> {
    /// Of `dataset`, which has one modality.
    pub fn of(dataset: &'a Dataset) -> Self {
        Self { dataset, block: Block::default() }
    }

    /// Record number `record`.
    pub fn read(&mut self, record: u64) -> Result<Record, DataError> {
        if !self.block.records().contains(&record) {
            self.dataset.read_block_into(self.dataset.blocks().holding(record), &mut self.block)?;
        }
        let row = (record - self.block.records().start) as usize;
        let mut values = vec![0.0; self.dataset.manifest().modality().len()];
        self.block.copy_row(0, row, &mut values);
        Ok(Record { id: self.block.id(row), values, labels: self.block.labels(row).collect() })
    }
}
