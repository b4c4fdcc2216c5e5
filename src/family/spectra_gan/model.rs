//! A trained GAN of spectra at work.
//!
//! Shapes: b = spectra, w = points of a spectrum, n = side of an image, z = length of the latent vector, p = 7 parameters.

use tch::{Device, Kind, Tensor};

use super::aspa::{AspaTensors, Observed};
use super::fit::codec_of;
use crate::atmosphere::QUANTITIES;
use crate::data::Record;
use crate::data::spectral_axis::{Channel, OBSERVED};
use crate::infer::columns::{BatchOutput, OutputColumn};
use crate::infer::map_records::BatchModel;
use crate::infer::{Generate, MapError, Networks, TrainedModel};
use crate::nn::Pass;
use crate::nn::embedder::Embedder;

/// Networks with the codec of their images.
pub(super) struct TrainedSpectraGan {
    pub networks: Networks,
}

impl TrainedModel for TrainedSpectraGan {
    fn generator(&self) -> Option<&dyn Generate> {
        Some(&self.networks)
    }

    fn embedding(&self) -> Option<BatchOutput<'_>> {
        let columns = OutputColumn::features(self.networks.model.latent_dim, "latent vector by the embedder");
        let embedder = Embedding::of(&self.networks)?;
        Some(BatchOutput { columns, model: Box::new(embedder) })
    }

    /// Parameters of the atmosphere in one forward: those that the generator makes of the embedder's latent vector.
    fn prediction(&self) -> Option<BatchOutput<'_>> {
        let column = |quantity: &crate::atmosphere::Quantity| OutputColumn {
            name: quantity.name.into(),
            unit: quantity.unit.into(),
            description: "parameter that the generator makes of the embedder's latent vector".into(),
        };
        let prediction = Prediction(Embedding::of(&self.networks)?);
        Some(BatchOutput { columns: QUANTITIES.iter().map(column).collect(), model: Box::new(prediction) })
    }

    fn latent_networks(&self) -> Option<&Networks> {
        Some(&self.networks)
    }
}

/// The embedder's latent vectors of observed spectra, whose parameters are hidden from it.
struct Embedding<'a> {
    networks: &'a Networks,
    embedder: &'a Embedder,
    codec: &'a AspaTensors,
}

impl<'a> Embedding<'a> {
    fn of(networks: &'a Networks) -> Option<Self> {
        Some(Self { networks, embedder: networks.embedder.as_ref()?, codec: codec_of(networks) })
    }
}

impl BatchModel for Embedding<'_> {
    /// Depths, and where they were observed: 1, else 0.
    fn shape(&self) -> Vec<i64> {
        vec![2, self.codec.points()]
    }

    fn device(&self) -> Device {
        self.networks.device
    }

    fn prepare(&self, _: u64, record: &Record) -> Result<Vec<f32>, MapError> {
        let points = self.codec.points() as usize;
        let mut depths = record.values[..points].to_vec();
        let place = OBSERVED.iter().position(|channel| *channel == Channel::Observed).expect("it is one of them");
        let observed = record.values.chunks_exact(points).nth(place).map_or_else(|| vec![1.0; points], <[f32]>::to_vec);
        // Whatever stands where nothing was observed need not be a number.
        depths.iter_mut().zip(&observed).filter(|(_, seen)| **seen == 0.0).for_each(|(depth, _)| *depth = 0.0);
        depths.extend(observed);
        Ok(depths)
    }

    /// - `spectra`: `[b, 2, w]`
    /// - returns: `[b, z]`
    fn forward(&self, spectra: &Tensor) -> Tensor {
        let unknown = Tensor::zeros([spectra.size()[0], QUANTITIES.len() as i64], (Kind::Float, spectra.device()));
        let (images, known) = self.codec.encode(&Observed {
            depths: &spectra.select(1, 0).contiguous(),
            observed: &spectra.select(1, 1).contiguous(),
            parameters: &unknown,
            known_parameters: &unknown,
        });
        self.embedder.forward(&images, &known, Pass::Inference)
    }
}

/// Parameters of atmospheres from observed spectra.
struct Prediction<'a>(Embedding<'a>);

impl BatchModel for Prediction<'_> {
    fn shape(&self) -> Vec<i64> {
        self.0.shape()
    }

    fn device(&self) -> Device {
        self.0.device()
    }

    fn prepare(&self, number: u64, record: &Record) -> Result<Vec<f32>, MapError> {
        self.0.prepare(number, record)
    }

    /// - `spectra`: `[b, 2, w]`
    /// - returns: `[b, p]`, in the units of `QUANTITIES`
    fn forward(&self, spectra: &Tensor) -> Tensor {
        let Embedding { networks, codec, .. } = &self.0;
        let images = networks.generator.forward(&self.0.forward(spectra), Pass::Inference);
        codec.in_units(&codec.parameter_pixels(&images))
    }
}
