//! Maps from a trained generator.

use tch::{Device, nn};

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::data::normalise::{DomainError, Transform};
use crate::model::MADE_AT_ONCE;
use crate::model::dcgan::{DcganSettings, Generator};
use crate::rng::Draw;

/// A generator that gives map number i for (seed, i), whoever asks and whatever else is asked.
pub struct MapSampler {
    generator: Generator,
    _store: nn::VarStore,
    draw: Draw,
    transform: Transform,
}

impl MapSampler {
    /// The generator called `network` in `checkpoint`: `generator`, or `generator_ema` for the averaged weights.
    /// It works on `device`.
    pub fn open(
        checkpoint: &Checkpoint,
        network: &str,
        model: &DcganSettings,
        transform: Transform,
        seed: u64,
        device: Device,
    ) -> Result<Self, CheckpointError> {
        let store = nn::VarStore::new(device);
        let generator = Generator::new(&store.root(), model, 0);
        checkpoint.load(network, &store)?;
        Ok(Self { generator, _store: store, draw: Draw::new(seed), transform })
    }

    /// Maps `64 batch .. 64 (batch + 1)` in physical units, `[64, 1, n, n]`, with `MADE_AT_ONCE` for 64.
    pub fn batch(&self, batch: u64) -> Result<Vec<f32>, DomainError> {
        let records = batch * MADE_AT_ONCE..(batch + 1) * MADE_AT_ONCE;
        let maps = self.generator.make(self.draw, records);
        let mut values = Vec::<f32>::try_from(maps.flatten(0, -1)).expect("maps are numbers");
        self.transform.inverse(&mut values)?;
        Ok(values)
    }
}
