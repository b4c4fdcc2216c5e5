//! Families of models. A folder holds all that is true of one family alone; the list below is the only place that names
//! them all.

#[macro_use]
mod list;

pub mod galaxy_vae;
pub mod maps_gan;
pub mod spectra_gan;

mod assess_error;
pub mod evaluation;
pub mod run_folder;
mod shared;

use std::fmt::{Debug, Display};
use std::sync::Arc;

use tch::{Device, Tensor};

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::comm::{Communicator, Disagreement};
use crate::data::{DataError, Dataset, Encoding, Label, Manifest, Modality, Transform};
use crate::infer::TrainedModel;
use crate::nn::Precision;
use crate::objective::Objective;
use crate::report::FamilyReport;
use crate::rng::{Chance, Draw};
use crate::train::{Score, Validator};

pub use assess_error::AssessError;
pub use evaluation::{Evaluation, Evaluators};
pub use list::ReadSettings;
pub use run_folder::RunFolder;

families! {
    /// Generative adversarial network of maps (CosmoGAN: Mustafa et al. 2019).
    "maps_gan" => MapsGan(maps_gan::Settings),
    /// Generative adversarial network of spectra, which are encoded as images (ExoGAN: Zingales and Waldmann 2018).
    "spectra_gan" => SpectraGan(spectra_gan::Settings),
    /// Convolutional autoencoder of maps, trained on the mean squared error.
    "autoencoder" => Autoencoder(galaxy_vae::Settings),
}

impl FamilySettings {
    /// Refuses a kind that is not made for records of these modalities, where another one is.
    pub fn check_kind(&self, modalities: &[Modality]) -> Result<(), SettingFault> {
        let kinds = Self::kinds_for(modalities);
        if kinds.is_empty() || kinds.contains(&self.kind()) {
            return Ok(());
        }
        let quoted = |kind: &&str| format!("\"{kind}\"");
        let held: Vec<&str> = modalities.iter().map(|modality| modality.kind.plural()).collect();
        let kinds: Vec<String> = kinds.iter().map(quoted).collect();
        let wanted = format!("{}, since the dataset holds {}", kinds.join(" or "), held.join(" and "));
        Err(SettingFault::new("family.kind", &quoted(&self.kind()), wanted))
    }
}

/// A setting that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingFault {
    /// Its full name, such as `family.side`.
    pub key: String,
    /// What it is.
    pub value: String,
    /// What was wanted.
    pub wanted: String,
}

impl SettingFault {
    /// `key` is `value`, expected `wanted`.
    pub fn new(key: impl Into<String>, value: &dyn Display, wanted: impl Into<String>) -> Self {
        Self { key: key.into(), value: value.to_string(), wanted: wanted.into() }
    }
}

/// Why a family cannot learn from some data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// A setting does not fit the data.
    Setting(SettingFault),
    /// The data do not fit the family: what is wrong, and what was wanted.
    Data(String),
}

impl From<(String, String, String)> for SettingFault {
    fn from((key, value, wanted): (String, String, String)) -> Self {
        Self { key, value, wanted }
    }
}

impl From<SettingFault> for Mismatch {
    fn from(fault: SettingFault) -> Self {
        Self::Setting(fault)
    }
}

/// What networks are made with.
#[derive(Clone, Copy, Debug)]
pub struct Build<'a> {
    /// Seed of the initial weights.
    pub seed: u64,
    /// Arithmetic of convolutions in training.
    pub precision: Precision,
    /// Where the networks are.
    pub device: Device,
    /// How each modality comes to the networks.
    pub encodings: &'a [Encoding],
}

/// What a model is validated with.
#[derive(Clone, Copy)]
pub struct Validation<'a> {
    /// The ranks.
    pub comm: &'a dyn Communicator,
    /// Its split `validation` is measured on.
    pub dataset: &'a Arc<Dataset>,
    /// Records that are measured on, or all where the split has fewer.
    pub records: u64,
    /// How each modality comes to the networks.
    pub encodings: &'a [Encoding],
    /// Random numbers of the run.
    pub draw: Draw,
    /// Where the networks are.
    pub device: Device,
}

/// What a trained model is opened with.
#[derive(Clone, Copy)]
pub struct Opening<'a> {
    /// The weights.
    pub checkpoint: &'a Checkpoint,
    /// Whether averaged weights are taken, of networks that have any.
    pub averaged: bool,
    /// Arithmetic of convolutions on the way to a result; results are computed in single precision.
    pub precision: Precision,
    /// Where the networks are.
    pub device: Device,
    /// How each modality comes to the networks.
    pub encodings: &'a [Encoding],
}

/// What is true of a family whatever its settings.
pub trait OfKind: Family {
    /// Names of all networks that it may have.
    const NETWORKS: &'static [&'static str];

    /// What is measured during training, the most telling score first.
    const SCORES: &'static [Score];

    /// What it evaluates: the results of its runs, and datasets and tables like those.
    const EVALUATORS: Evaluators = Evaluators::NONE;

    /// Whether it is made for records of these modalities.
    fn takes(modalities: &[Modality]) -> bool;

    /// What it says of a run in the report, by the files that `evaluate` and other commands left in its folder.
    fn report(_run: &RunFolder) -> Result<FamilyReport, AssessError> {
        Ok(FamilyReport::unmeasured())
    }
}

/// Settings of a family, and what the rest of the program asks of it.
pub trait Family: Debug {
    /// Names of its networks, as checkpoints and `[optimizer.network.NAME]` have them.
    fn networks(&self) -> &'static [&'static str];

    /// Global batches of records that a step takes.
    fn batches_per_step(&self) -> u32 {
        1
    }

    /// Refuses settings that cannot be, for batches of `global` records in microbatches of `microbatch`.
    fn check(&self, global: usize, microbatch: usize) -> Result<(), SettingFault>;

    /// What works badly with microbatches of `microbatch` records, in words, if anything does.
    fn advice(&self, _microbatch: usize) -> Option<String> {
        None
    }

    /// How each modality of records comes to the networks, which can take them.
    ///
    /// - `transform`: of the configuration, which replaces that of the data where it is set
    fn encodings(
        &self,
        modalities: &[Modality],
        labels: &[Label],
        transform: Option<Transform>,
    ) -> Result<Vec<Encoding>, Mismatch>;

    /// Refuses a dataset whose records are not such as the networks learned from; the error says what was wanted.
    ///
    /// - `learned`, `encodings`: one a modality of the records that the networks learned from
    fn check_records(&self, manifest: &Manifest, learned: &[Modality], encodings: &[Encoding]) -> Result<(), String>;

    /// New networks with initial weights.
    fn build(&self, build: Build) -> Box<dyn Objective>;

    /// What measures its scores, made by all ranks together; none for a family without scores.
    fn validator(&self, _validation: Validation) -> Result<Option<Box<dyn Validator>>, Disagreement<DataError>> {
        Ok(None)
    }

    /// The networks of a checkpoint.
    fn open(&self, opening: Opening) -> Result<Box<dyn TrainedModel>, CheckpointError>;

    /// Encodings of records that benchmarks make up, where there is no dataset.
    fn benchmark_encodings(&self, transform: Option<Transform>) -> Result<Vec<Encoding>, SettingFault>;

    /// Made-up records of a benchmark, a tensor a modality: `[count, ...]` in the range of the networks.
    fn benchmark_records(&self, encodings: &[Encoding], count: usize, chance: Chance) -> Vec<Tensor>;
}
