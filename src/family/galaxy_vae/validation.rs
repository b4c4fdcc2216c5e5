//! Validation of reconstructions, on records of the validation split.

use std::sync::Arc;

use tch::{Device, Kind, Tensor};

use crate::checkpoint::Direction;
use crate::comm::{Disagreement, agree};
use crate::data::{Batch, DataError, Dataset, Encoding};
use crate::family::Validation;
use crate::infer::TrainedModel;
use crate::nn::MADE_AT_ONCE;
use crate::train::validation::{Measured, Score, Validator};

/// What is measured.
pub(super) const SCORES: [Score; 1] = [Score {
    name: "reconstruction_error",
    direction: Direction::Min,
    meaning: "the mean squared error of reconstructed pixels over their variance, in the range of the network: 1 for a model \
              that makes the mean pixel of all records",
}];

/// Compares records with their reconstructions.
pub(super) struct ReconstructionValidator {
    dataset: Arc<Dataset>,
    records: Vec<u64>,
    encodings: Vec<Encoding>,
    device: Device,
}

impl ReconstructionValidator {
    /// On the first records of the validation split, which ranks read once to know that they can be read.
    pub fn new(validation: Validation) -> Result<Self, Disagreement<DataError>> {
        let Validation { comm, dataset, records, encodings, device, .. } = validation;
        let split = agree(comm, dataset.validation_split())?;
        let records: Vec<u64> = split.ranges().flatten().take(records as usize).collect();
        // A damaged record is found before the first step, not after an hour.
        let batches = records.chunks(MADE_AT_ONCE as usize).skip(comm.rank()).step_by(comm.ranks());
        let read = |batch| Batch::read(dataset, batch, encodings, Device::Cpu).map(drop);
        agree(comm, batches.map(read).collect::<Result<Vec<()>, DataError>>())?;
        Ok(Self { dataset: Arc::clone(dataset), records, encodings: encodings.to_vec(), device })
    }
}

impl Validator for ReconstructionValidator {
    fn batches(&self) -> u64 {
        (self.records.len() as u64).div_ceil(MADE_AT_ONCE)
    }

    fn numbers(&self) -> usize {
        4 // pixels, sums of errors squared, of pixels and of pixels squared
    }

    fn sums(&self, model: &dyn TrainedModel, batch: u64) -> Result<Option<Vec<f64>>, DataError> {
        let records = self.records.chunks(MADE_AT_ONCE as usize).nth(batch as usize).expect("the batch is one of them");
        let batch = Batch::read(&self.dataset, records, &self.encodings, self.device)?;
        let made = model.reconstructor().expect("an autoencoder reconstructs").reconstruct(&batch);
        let pixels = batch.input();
        let sum = |values: &Tensor| values.sum(Kind::Double).double_value(&[]);
        let numbers = [pixels.numel() as f64, sum(&(made - pixels).square()), sum(pixels), sum(&pixels.square())];
        Ok(Some(numbers.to_vec()))
    }

    fn finish(&self, sums: Option<&[f64]>) -> Measured {
        let error = sums.map_or(f64::NAN, |sums| {
            let [pixels, error, sum, square] = sums else { unreachable!("there are four numbers") };
            error / (square - sum * sum / pixels)
        });
        Measured { scores: vec![(SCORES[0].name, error)], ..Measured::default() }
    }
}
