//! What a trained model can do, whatever its family.

use std::ops::Range;

use tch::{Device, Tensor};

use super::Networks;
use super::columns::BatchOutput;
use crate::data::{Batch, Dataset};
use crate::rng::Draw;

/// Networks at work. Each ability is there where the model has it.
pub trait TrainedModel {
    /// Makes new records.
    fn generator(&self) -> Option<&dyn Generate> {
        None
    }

    /// Reconstructs records that it is given.
    fn reconstructor(&self) -> Option<&dyn Reconstruct> {
        None
    }

    /// Computes features of the records of a dataset, which are such as it learned from.
    fn embedding(&self, _dataset: &Dataset) -> Option<BatchOutput<'_>> {
        None
    }

    /// Predicts quantities of the records of a dataset, which are such as it learned from.
    fn prediction(&self, _dataset: &Dataset) -> Option<BatchOutput<'_>> {
        None
    }

    /// Networks whose latent vector can be fitted to what is known of a record.
    fn latent_networks(&self) -> Option<&Networks> {
        None
    }
}

/// A model that makes new records.
pub trait Generate {
    /// Records number `records` of the key `draw`, `[records, ...]` in the range of the networks. A record is a function
    /// of key and number alone where as many neighbours are made together each time, [`crate::nn::MADE_AT_ONCE`].
    fn generate(&self, draw: Draw, records: Range<u64>) -> Tensor;
}

/// A model that reconstructs records.
pub trait Reconstruct {
    /// Where its networks are.
    fn device(&self) -> Device;

    /// What the model makes of `batch`, `[b, ...]` in the range of the networks. A reconstruction depends on its own
    /// record alone where batches have the same size.
    fn reconstruct(&self, batch: &Batch) -> Tensor;
}

impl TrainedModel for Networks {
    fn generator(&self) -> Option<&dyn Generate> {
        Some(self)
    }

    fn latent_networks(&self) -> Option<&Networks> {
        Some(self)
    }
}

impl Generate for Networks {
    fn generate(&self, draw: Draw, records: Range<u64>) -> Tensor {
        self.generator.make(draw, records)
    }
}
