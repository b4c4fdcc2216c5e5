//! Autoencoders: a record goes through a short code and is reconstructed from it.

mod evaluate;
mod model;
mod network;
mod objective;
mod report;
mod validation;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::{Tensor, nn};

use self::model::TrainedAutoencoder;
use self::network::Autoencoder;
use self::objective::Reconstruction;
use self::validation::{ReconstructionValidator, SCORES};
use super::{
    AssessError, Build, Evaluators, Family, Mismatch, OfKind, Opening, RunFolder, SettingFault, Validation, shared,
};
use crate::checkpoint::CheckpointError;
use crate::comm::Disagreement;
use crate::data::{DataError, Encoding, Kind, Label, Manifest, Modality, Transform, modality};
use crate::infer::TrainedModel;
use crate::objective::Objective;
use crate::report::FamilyReport;
use crate::rng::Chance;
use crate::train::{Score, Validator};

/// A convolutional autoencoder of maps, trained on the mean squared error of their pixels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Side of a map: a multiple of 2 to the power of `family.depth`, at most 8192.
    #[schemars(extend("unit" = "pixels"))]
    pub side: i64,
    /// Channels of the convolution next to the map, 1 to 4096. They double with each halving of the side.
    #[serde(default = "Settings::default_width")]
    #[schemars(extend("unit" = "channels"))]
    pub width: i64,
    /// Convolutions that halve the side in the encoder, and that double it in the decoder, 1 to 12.
    #[serde(default = "Settings::default_depth")]
    #[schemars(extend("unit" = "layers"))]
    pub depth: u32,
    /// Length of the code, 1 to 65536.
    #[serde(default = "Settings::default_latent_dim")]
    pub latent_dim: i64,
    /// Decay per step of an exponential moving average of the weights, with which records are reconstructed; at least 0
    /// and below 1, 0 = no average.
    #[serde(default)]
    pub ema: f64,
}

impl Settings {
    fn default_width() -> i64 {
        32
    }

    fn default_depth() -> u32 {
        3
    }

    fn default_latent_dim() -> i64 {
        64
    }
}

impl OfKind for Settings {
    const NETWORKS: &'static [&'static str] = &["autoencoder"];
    const SCORES: &'static [Score] = &SCORES;
    const EVALUATORS: Evaluators = evaluate::EVALUATORS;

    fn takes(modalities: &[Modality]) -> bool {
        modality::only(modalities, Kind::Map).is_ok()
    }

    fn report(run: &RunFolder) -> Result<FamilyReport, AssessError> {
        report::report(run)
    }
}

impl Family for Settings {
    fn networks(&self) -> &'static [&'static str] {
        Self::NETWORKS
    }

    fn check(&self, global: usize, microbatch: usize) -> Result<(), SettingFault> {
        let fault = |key: &str, value: &dyn std::fmt::Display, wanted: &str| {
            Err(SettingFault::new(format!("family.{key}"), value, wanted))
        };
        if !(1..=4096).contains(&self.width) {
            return fault("width", &self.width, "1 to 4096 channels");
        }
        if !(1..=12).contains(&self.depth) {
            return fault("depth", &self.depth, "1 to 12 halvings");
        }
        if !(1..=8192).contains(&self.side) || self.side % (1 << self.depth) != 0 {
            let wanted = format!("a multiple of {} up to 8192 pixels, for depth = {}", 1 << self.depth, self.depth);
            return fault("side", &self.side, &wanted);
        }
        if !(1..=65_536).contains(&self.latent_dim) {
            return fault("latent_dim", &self.latent_dim, "1 to 65536");
        }
        if !(0.0..1.0).contains(&self.ema) {
            return fault("ema", &self.ema, "a decay of at least 0 (none is kept) and below 1");
        }
        shared::check_batch_norm(global, microbatch)
    }

    fn advice(&self, microbatch: usize) -> Option<String> {
        shared::batch_norm_advice(microbatch)
    }

    fn encodings(
        &self,
        modalities: &[Modality],
        labels: &[Label],
        transform: Option<Transform>,
    ) -> Result<Vec<Encoding>, Mismatch> {
        shared::map_encodings(modalities, labels, transform, self.side)
    }

    fn check_records(&self, manifest: &Manifest, learned: &[Modality], _: &[Encoding]) -> Result<(), String> {
        shared::check_maps(manifest, &learned[0])
    }

    fn build(&self, build: Build) -> Box<dyn Objective> {
        Box::new(Reconstruction::new(self, build))
    }

    fn validator(&self, validation: Validation) -> Result<Option<Box<dyn Validator>>, Disagreement<DataError>> {
        Ok(Some(Box::new(ReconstructionValidator::new(validation)?)))
    }

    fn open(&self, opening: Opening) -> Result<Box<dyn TrainedModel>, CheckpointError> {
        let Opening { checkpoint, averaged, device, encodings, .. } = opening;
        let mut store = nn::VarStore::new(device);
        let network = Autoencoder::new(&store.root(), self, 0);
        checkpoint.load(if averaged { "autoencoder_ema" } else { "autoencoder" }, &store)?;
        store.freeze();
        Ok(Box::new(TrainedAutoencoder::new(network, store, encodings[0].clone())))
    }

    fn benchmark_encodings(&self, transform: Option<Transform>) -> Result<Vec<Encoding>, SettingFault> {
        Ok(vec![Encoding::Transform(transform.unwrap_or_default())])
    }

    fn benchmark_records(&self, _: &[Encoding], count: usize, mut chance: Chance) -> Vec<Tensor> {
        let pixels = chance.normals(count * (self.side * self.side) as usize);
        vec![Tensor::from_slice(&pixels).view([count as i64, 1, self.side, self.side])]
    }
}
