//! Maps from a trained generator.

use tch::{Device, nn};

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::data::normalise::{DomainError, Transform};
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
    /// Maps are always made in batches of this many neighbours, since libtorch's sums may depend on the batch.
    pub const BATCH: u64 = 64;

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

    /// Maps `batch * BATCH .. (batch + 1) * BATCH` in physical units, `[BATCH, 1, n, n]`.
    pub fn batch(&self, batch: u64) -> Result<Vec<f32>, DomainError> {
        let records = batch * Self::BATCH..(batch + 1) * Self::BATCH;
        let maps = self.generator.make(self.draw, records);
        let mut values = Vec::<f32>::try_from(maps.flatten(0, -1)).expect("maps are numbers");
        self.transform.inverse(&mut values)?;
        Ok(values)
    }
}
