//! The networks of a checkpoint, as they are put to work: nothing of them learns any more.

use std::any::Any;

use tch::{Device, Tensor, nn};

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::nn::Precision;
use crate::nn::dcgan::{DcganSettings, Discriminator, Generator};
use crate::nn::embedder::{Embedder, EmbedderSize};

/// Reads out of images what was measured, so that fits can be compared with it.
pub trait Measurement: Any {
    /// What images say of the measured values.
    ///
    /// - `images`: `[b, c, h, w]`, in the networks' range
    /// - returns: `[b, values]`, differentiable
    fn measure(&self, images: &Tensor) -> Tensor;
}

/// A generator, and those beside it that a fit asks.
pub struct Networks {
    /// Latent numbers to maps.
    pub generator: Generator,
    /// Maps to logits.
    pub discriminator: Discriminator,
    /// What is known of maps to latent numbers, where the run trained one.
    pub embedder: Option<Embedder>,
    /// Their sizes.
    pub model: DcganSettings,
    /// What reads measured values out of images, where those are not the pixels themselves.
    pub measurement: Option<Box<dyn Measurement>>,
    /// Where they live.
    pub device: Device,
    _stores: Vec<nn::VarStore>,
}

impl Networks {
    /// Those of `checkpoint` on `device`, with averaged weights where `averaged` says so, for fits in `precision`.
    pub fn open(
        checkpoint: &Checkpoint,
        averaged: bool,
        model: &DcganSettings,
        embedder: Option<&EmbedderSize>,
        measurement: Option<Box<dyn Measurement>>,
        device: Device,
        precision: Precision,
    ) -> Result<Self, CheckpointError> {
        let mut stores = Vec::new();
        let mut load = |name: &str, make: &mut dyn FnMut(&nn::Path)| -> Result<(), CheckpointError> {
            let mut store = nn::VarStore::new(device);
            make(&store.root());
            checkpoint.load(name, &store)?;
            store.freeze();
            stores.push(store);
            Ok(())
        };
        let of = |name: &str| if averaged { format!("{name}_ema") } else { name.to_owned() };
        let (mut generator, mut discriminator, mut loaded) = (None, None, None);
        load(&of("generator"), &mut |path| generator = Some(Generator::new(path, model, 0)))?;
        load("discriminator", &mut |path| discriminator = Some(Discriminator::new(path, model, 0)))?;
        if let Some(size) = embedder {
            load(&of("embedder"), &mut |path| loaded = Some(Embedder::new(path, model, size, 0)))?;
        }
        Ok(Self {
            generator: generator.expect("it was made").at(precision),
            discriminator: discriminator.expect("it was made").at(precision),
            embedder: loaded,
            model: model.clone(),
            measurement,
            device,
            _stores: stores,
        })
    }

    /// The measurement, where it is an `M`.
    pub fn measurement_as<M: Measurement>(&self) -> Option<&M> {
        let measurement: &dyn Any = self.measurement.as_deref()?;
        measurement.downcast_ref()
    }
}
