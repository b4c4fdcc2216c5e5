//! A trained autoencoder at work.
//!
//! Shapes: b = maps, n = side in pixels, z = length of the code.

use tch::{Device, Tensor, nn};

use super::network::Autoencoder;
use crate::data::{Batch, Dataset, Encoding, Record};
use crate::infer::columns::{BatchOutput, OutputColumn};
use crate::infer::map_records::BatchModel;
use crate::infer::{MapError, Reconstruct, TrainedModel};
use crate::nn::Pass;

/// An autoencoder with its tensors, and how maps come to it.
pub(super) struct TrainedAutoencoder {
    pub network: Autoencoder,
    pub store: nn::VarStore,
    encoding: Encoding,
}

impl TrainedAutoencoder {
    /// Of a network whose tensors are those of `store`.
    pub fn new(network: Autoencoder, store: nn::VarStore, encoding: Encoding) -> Self {
        Self { network, store, encoding }
    }
}

impl TrainedModel for TrainedAutoencoder {
    fn reconstructor(&self) -> Option<&dyn Reconstruct> {
        Some(self)
    }

    fn embedding(&self, _: &Dataset) -> Option<BatchOutput<'_>> {
        let columns = OutputColumn::features(self.network.code_length(), "code of the autoencoder");
        Some(BatchOutput { columns, model: Box::new(Codes(self)) })
    }
}

impl Reconstruct for TrainedAutoencoder {
    fn device(&self) -> Device {
        self.store.device()
    }

    fn reconstruct(&self, batch: &Batch) -> Tensor {
        tch::no_grad(|| self.network.forward(batch.input(), Pass::Inference))
    }
}

/// The codes of maps.
struct Codes<'a>(&'a TrainedAutoencoder);

impl BatchModel for Codes<'_> {
    fn shape(&self) -> Vec<i64> {
        vec![1, self.0.network.side(), self.0.network.side()]
    }

    fn device(&self) -> Device {
        self.0.store.device()
    }

    fn prepare(&self, number: u64, record: &Record) -> Result<Vec<f32>, MapError> {
        let mut map = record.values.clone();
        self.0.encoding.encode(number, &record.values, &record.labels, &mut map)?;
        Ok(map)
    }

    /// - `maps`: `[b, 1, n, n]`
    /// - returns: `[b, z]`
    fn forward(&self, maps: &Tensor) -> Tensor {
        self.0.network.encode(maps, Pass::Inference)
    }
}
