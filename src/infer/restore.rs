//! Records as a model reconstructs them.

use tch::{Device, Tensor};

use super::inpaint::{Deviation, NewRecord};
use super::map_records::{BatchModel, FixedBatches, MapError, RecordMap};
use super::model::Reconstruct;
use crate::data::{Batch, DataError, Encoding, Modality, Record};

/// A model that reconstructs, for records of one modality.
pub struct Reconstruction<'a> {
    /// The model.
    pub model: &'a dyn Reconstruct,
    /// How records come to it, and back.
    pub encoding: &'a Encoding,
    /// What records are.
    pub modality: &'a Modality,
}

impl BatchModel for Reconstruction<'_> {
    fn shape(&self) -> Vec<i64> {
        self.encoding.shape(&self.modality.shape).into_iter().map(|length| length as i64).collect()
    }

    fn device(&self) -> Device {
        self.model.device()
    }

    fn prepare(&self, number: u64, record: &Record) -> Result<Vec<f32>, MapError> {
        Ok(self.encoding.image(number, record, self.modality)?)
    }

    fn forward(&self, records: &Tensor) -> Tensor {
        self.model.reconstruct(&Batch::of(vec![records.shallow_clone()]))
    }
}

/// Reconstructs the records of a dataset, each alone.
pub struct Restore<'a> {
    reconstruction: &'a Reconstruction<'a>,
    engine: FixedBatches<'a>,
}

impl<'a> Restore<'a> {
    /// By this model.
    pub fn new(reconstruction: &'a Reconstruction<'a>) -> Self {
        Self { reconstruction, engine: FixedBatches(reconstruction) }
    }
}

impl<'a> RecordMap for Restore<'a> {
    type Engine = FixedBatches<'a>;
    type Output = NewRecord;

    fn engine(&self) -> &FixedBatches<'a> {
        &self.engine
    }

    fn prepare(&self, number: u64, record: &Record) -> Result<Vec<f32>, MapError> {
        self.reconstruction.prepare(number, record)
    }

    /// The reconstruction in physical units, with the labels of the record where the model makes none.
    fn output(&self, number: u64, record: Record, made: Vec<f32>) -> Result<NewRecord, MapError> {
        let decoded = self.reconstruction.encoding.decode(made);
        let (values, labels) = decoded.map_err(|source| DataError::Domain { record: number, source })?;
        let deviation = Deviation::of_all(&record.values, &values);
        let labels = if labels.is_empty() { record.labels } else { labels };
        Ok(NewRecord { record: Record { id: record.id, values, labels }, deviation })
    }
}
