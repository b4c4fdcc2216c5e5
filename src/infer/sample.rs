//! Maps and spectra from a trained generator.

use tch::{Device, nn};

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::data::Encoding;
use crate::data::normalise::DomainError;
use crate::nn::MADE_AT_ONCE;
use crate::nn::dcgan::{DcganSettings, Generator};
use crate::rng::Draw;

/// A generator that gives record number i for (seed, i), whoever asks and whatever else is asked.
pub struct RecordSampler {
    generator: Generator,
    _store: nn::VarStore,
    draw: Draw,
    encoding: Encoding,
}

impl RecordSampler {
    /// The generator called `network` in `checkpoint`: `generator`, or `generator_ema` for the averaged weights.
    /// It works on `device`.
    pub fn open(
        checkpoint: &Checkpoint,
        network: &str,
        model: &DcganSettings,
        encoding: Encoding,
        seed: u64,
        device: Device,
    ) -> Result<Self, CheckpointError> {
        let store = nn::VarStore::new(device);
        let generator = Generator::new(&store.root(), model, 0);
        checkpoint.load(network, &store)?;
        Ok(Self { generator, _store: store, draw: Draw::new(seed), encoding })
    }

    /// Records `64 batch .. 64 (batch + 1)`, with `MADE_AT_ONCE` for 64: maps `[64, 1, n, n]` or spectra `[64, 1, points]` in
    /// physical units, and the parameters `[64, p]` that the generator makes with them.
    pub fn batch(&self, batch: u64) -> Result<(Vec<f32>, Vec<f32>), DomainError> {
        let records = batch * MADE_AT_ONCE..(batch + 1) * MADE_AT_ONCE;
        let maps = self.generator.make(self.draw, records);
        self.encoding.decode(Vec::<f32>::try_from(maps.flatten(0, -1)).expect("maps are numbers"))
    }
}
