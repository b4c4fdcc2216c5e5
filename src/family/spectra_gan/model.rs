//! A trained GAN of spectra at work.
//!
//! Shapes: b = spectra, w = points of a spectrum, n = side of an image, z = length of the latent vector, p = 7 parameters.

use std::sync::Arc;

use tch::{Device, Kind, Tensor};

use super::aspa::{Aspa, AspaTensors, Observed};
use super::fit::{Spectrum, codec_of};
use super::mask::SpectrumMask;
use super::observation::Observer;
use crate::atmosphere::QUANTITIES;
use crate::data::{Dataset, Record};
use crate::infer::columns::{BatchOutput, OutputColumn};
use crate::infer::map_records::BatchModel;
use crate::infer::{Generate, MapError, Networks, TrainedModel};
use crate::nn::Pass;
use crate::nn::embedder::Embedder;

/// Networks with the codec of their images.
pub(super) struct TrainedSpectraGan {
    pub networks: Networks,
    pub aspa: Arc<Aspa>,
}

impl TrainedModel for TrainedSpectraGan {
    fn generator(&self) -> Option<&dyn Generate> {
        Some(&self.networks)
    }

    fn embedding(&self, dataset: &Dataset) -> Option<BatchOutput<'_>> {
        let columns = OutputColumn::features(self.networks.model.latent_dim, "latent vector by the embedder");
        let embedder = Embedding::of(self, dataset)?;
        Some(BatchOutput { columns, model: Box::new(embedder) })
    }

    /// Parameters of the atmosphere in one forward: those that the generator makes of the embedder's latent vector.
    fn prediction(&self, dataset: &Dataset) -> Option<BatchOutput<'_>> {
        let column = |quantity: &crate::atmosphere::Quantity| OutputColumn {
            name: quantity.name.into(),
            unit: quantity.unit.into(),
            description: "parameter that the generator makes of the embedder's latent vector".into(),
        };
        let prediction = Prediction(Embedding::of(self, dataset)?);
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
    observer: Observer,
}

impl<'a> Embedding<'a> {
    fn of(model: &'a TrainedSpectraGan, dataset: &Dataset) -> Option<Self> {
        let networks = &model.networks;
        let observer = Observer::new(dataset, &SpectrumMask::default(), &model.aspa);
        let observer = observer.expect("a mask that hides nothing leaves all points");
        Some(Self { networks, embedder: networks.embedder.as_ref()?, codec: codec_of(networks), observer })
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
        let Spectrum { mut depths, observed, .. } = self.observer.observe(record)?.spectrum;
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
