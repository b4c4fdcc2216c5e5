//! The sections of a training configuration, as TOML has them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::optimizer::OptimizerSection;
use crate::data::loader::Damaged;
use crate::data::normalise::Transform;
use crate::device::Choice;
use crate::family::FamilySettings;
use crate::nn::Precision;
use crate::train::NotFinite;

/// A training configuration. `F` is what stands in `[family]`: while it is read, the settings of the kind that is named
/// there, so that errors know the full name of every key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunFile<F = FamilySettings> {
    /// Seed of all random numbers of the run: initial weights, order of records, latent vectors, noise.
    pub seed: u64,
    /// Records that the run learns from, and how they are read.
    #[serde(default)]
    pub data: DataSection,
    /// Division of the records of a training step.
    pub batch: BatchSection,
    /// The model: its networks, their loss and the order of their updates.
    pub family: F,
    /// Adam (Kingma and Ba 2015) of all networks. What differs for one network stands in a section of its own.
    #[serde(default)]
    pub optimizer: OptimizerSection,
    /// The training loop: length, device, arithmetic, checkpoints, logs, and reaction to faults.
    pub trainer: TrainerSection,
    /// Measurements of what the networks make, during training.
    #[serde(default)]
    pub validation: ValidationSection,
}

impl<F> RunFile<F> {
    /// The same with another family.
    pub(super) fn map_family<G>(self, family: impl FnOnce(F) -> G) -> RunFile<G> {
        let Self { seed, data, batch, family: own, optimizer, trainer, validation } = self;
        RunFile { seed, data, batch, family: family(own), optimizer, trainer, validation }
    }
}

/// Records that the run learns from, and how they are read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DataSection {
    /// Folder of the dataset. The option `--data` of `skyforge train` takes precedence.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("unset" = "the option `--data`"))]
    pub path: Option<PathBuf>,
    /// Split of the dataset that the run learns from: `train`, `validation` or `test`; not `validation`, unless `validation.every`
    /// is 0.
    pub split: String,
    /// Blocks of about 1 MiB whose records are shuffled together, 1 or more. A larger window comes closer to a shuffle
    /// of the whole dataset and takes more memory: two windows are held at a time.
    #[schemars(extend("unit" = "blocks"))]
    pub window_blocks: usize,
    /// Reaction to a damaged block of the dataset.
    pub damaged: Damaged,
    /// Transform from physical values x to the values y that the networks see, nominally in [-1, 1]. For maps only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("unset" = "the transform of the dataset"))]
    pub transform: Option<Transform>,
}

impl Default for DataSection {
    fn default() -> Self {
        Self { path: None, split: "train".into(), window_blocks: 32, damaged: Damaged::Strict, transform: None }
    }
}

/// Division of the records of a training step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchSection {
    /// Records in the batch of one step, over all ranks: a multiple of `batch.microbatches`, at most 1048576, and at
    /// least 2 in each microbatch where a network has batch norm.
    #[schemars(extend("unit" = "records"))]
    pub global: usize,
    /// Microbatches that a batch is divided into: a power of two, and the largest number of ranks that a run may have.
    /// Each has its own noise and batch-norm statistics, and gradients are summed in one binary tree over microbatches,
    /// so that the number of ranks does not change the result.
    #[schemars(extend("unit" = "microbatches"))]
    pub microbatches: usize,
}

/// How gradients are summed over ranks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reduction {
    /// A fixed binary tree, on the host: the same bits on any number of ranks.
    #[default]
    Tree,
    /// NCCL, on GPUs: faster, but the bits depend on the number of ranks. Where NCCL is not available, as `tree`.
    Nccl,
}

/// The training loop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TrainerSection {
    /// Length of the whole run in steps, 1 or more. Set either this or `trainer.epochs`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("unit" = "steps", "unset" = "`trainer.epochs`"))]
    pub steps: Option<u64>,
    /// Length of the whole run as the number of times that each record is seen, more than 0. Set either this or
    /// `trainer.steps`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("unit" = "epochs", "unset" = "`trainer.steps`"))]
    pub epochs: Option<f64>,
    /// Arithmetic of convolutions in training.
    pub precision: Precision,
    /// Device on which each rank trains.
    pub device: Choice,
    /// Whether several ranks may use the same GPU. With false, a machine with fewer visible GPUs than ranks is refused.
    pub share_gpu: bool,
    /// Whether convolutions on GPUs are restricted to algorithms that give the same bits each time; false = the fastest
    /// algorithms.
    pub deterministic: bool,
    /// How gradients are summed over ranks where networks are on GPUs.
    pub reduction: Reduction,
    /// CPU threads of libtorch in each rank, 1 or more. Sums of floating-point numbers, and so the weights, depend on
    /// it.
    #[schemars(extend("unit" = "threads"))]
    pub threads_per_rank: usize,
    /// Whether sums over ranks are made while the rank does other work. Changes the time of a step, not its result.
    pub overlap: bool,
    /// Steps from one checkpoint to the next, 1 or more.
    #[schemars(extend("unit" = "steps"))]
    pub checkpoint_every: u64,
    /// Newest checkpoints that are kept; 0 = all.
    #[schemars(extend("unit" = "checkpoints"))]
    pub keep_checkpoints: usize,
    /// Checkpoints of steps that are a multiple of this are kept as well; 0 = none. The best checkpoint is always kept.
    #[schemars(extend("unit" = "steps"))]
    pub keep_every: u64,
    /// Steps from one line of metrics to the next, 1 or more.
    #[schemars(extend("unit" = "steps"))]
    pub log_every: u64,
    /// Steps from one comparison of the parameters of all ranks, bit for bit, to the next, 1 or more.
    #[schemars(extend("unit" = "steps"))]
    pub compare_every: u64,
    /// Time without progress after which a rank ends the job; half of it for a rank that does not answer. More than 0,
    /// below 1e9. A step that takes a tenth of this time, and ten times as long as usual, is logged.
    #[schemars(extend("unit" = "s"))]
    pub hang_seconds: f64,
    /// Reaction to a step whose gradient, loss or batch-norm moment is not finite. Such a step never changes the
    /// weights.
    pub not_finite: NotFinite,
}

impl Default for TrainerSection {
    fn default() -> Self {
        Self {
            steps: None,
            epochs: None,
            precision: Precision::default(),
            device: Choice::Auto,
            share_gpu: false,
            deterministic: true,
            reduction: Reduction::default(),
            threads_per_rank: 1,
            overlap: true,
            checkpoint_every: 1000,
            keep_checkpoints: 0,
            keep_every: 0,
            log_every: 10,
            compare_every: 100,
            hang_seconds: 300.0,
            not_finite: NotFinite::default(),
        }
    }
}

/// Measurements of what the networks make, during training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ValidationSection {
    /// Steps from one measurement to the next: a multiple of `trainer.checkpoint_every`, 0 = never. Must be 0 for a
    /// family without scores.
    #[schemars(extend("unit" = "steps"))]
    pub every: u64,
    /// Records of the split `validation` that a measurement is made on, or all where it has fewer; where records are
    /// generated, as many, rounded up to a multiple of 64. 2 to 1048576. A damaged record among them stops the run.
    #[schemars(extend("unit" = "records"))]
    pub records: u64,
    /// Score by which the best checkpoint is chosen, one of those of the family.
    #[schemars(extend("unset" = "the first score of the family"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub best: Option<String>,
    /// Value that is asked for of the score NAME, one of those of the family: a finite number more than 0. The report says
    /// whether the run reaches it; training does not depend on it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("unset" = "no judgement"))]
    pub targets: BTreeMap<String, f64>,
}

impl Default for ValidationSection {
    fn default() -> Self {
        Self { every: 0, records: 512, best: None, targets: BTreeMap::new() }
    }
}
