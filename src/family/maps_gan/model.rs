//! A trained GAN of maps at work.
//!
//! Shapes: b = maps, n = side in pixels, z = length of the latent vector.

use tch::{Device, Tensor};

use crate::data::{Dataset, Encoding, Record};
use crate::infer::columns::{BatchOutput, OutputColumn};
use crate::infer::map_records::BatchModel;
use crate::infer::{Generate, MapError, Networks, TrainedModel};
use crate::nn::Pass;
use crate::nn::embedder::Embedder;

/// Networks, and how maps come to them.
pub(super) struct TrainedMapsGan {
    pub networks: Networks,
    pub encoding: Encoding,
}

impl TrainedModel for TrainedMapsGan {
    fn generator(&self) -> Option<&dyn Generate> {
        Some(&self.networks)
    }

    fn embedding(&self, _: &Dataset) -> Option<BatchOutput<'_>> {
        let embedder = self.networks.embedder.as_ref()?;
        let columns = OutputColumn::features(self.networks.model.latent_dim, "latent vector by the embedder");
        Some(BatchOutput { columns, model: Box::new(Embedding { model: self, embedder }) })
    }

    fn latent_networks(&self) -> Option<&Networks> {
        Some(&self.networks)
    }
}

/// The embedder's latent vectors of maps of which all is known.
struct Embedding<'a> {
    model: &'a TrainedMapsGan,
    embedder: &'a Embedder,
}

impl BatchModel for Embedding<'_> {
    fn shape(&self) -> Vec<i64> {
        let side = self.model.networks.model.side;
        vec![1, side, side]
    }

    fn device(&self) -> Device {
        self.model.networks.device
    }

    fn prepare(&self, number: u64, record: &Record) -> Result<Vec<f32>, MapError> {
        let mut image = record.values.clone();
        self.model.encoding.encode(number, &record.values, &record.labels, &mut image)?;
        Ok(image)
    }

    /// - `maps`: `[b, 1, n, n]`
    /// - returns: `[b, z]`
    fn forward(&self, maps: &Tensor) -> Tensor {
        self.embedder.forward(maps, &maps.ones_like(), Pass::Inference)
    }
}
