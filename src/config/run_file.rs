//! The sections of a training configuration, as TOML has them.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::family::FamilySection;
use super::optimizer::OptimizerSection;
use crate::data::loader::Damaged;
use crate::data::normalise::Transform;
use crate::device::Choice;
use crate::model::Precision;
use crate::trainer::NotFinite;

/// A training configuration. `F` is what stands in `[family]`: while it is read, the settings of the kind that is named
/// there, so that errors know the full name of every key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunFile<F = FamilySection> {
    /// All chance of the run follows from it.
    pub seed: u64,
    /// What it learns from.
    #[serde(default)]
    pub data: DataSection,
    /// How a step's records are cut.
    pub batch: BatchSection,
    /// What is trained: networks, loss and turns.
    pub family: F,
    /// Adam of each network.
    #[serde(default)]
    pub optimizer: OptimizerSection,
    /// The loop.
    pub trainer: TrainerSection,
    /// What is measured while networks learn.
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

/// What a run learns from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DataSection {
    /// A dataset folder; `--data` wins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<PathBuf>,
    /// Which of its splits.
    pub split: String,
    /// Blocks that are shuffled together: more is nearer to a full shuffle and takes more memory.
    pub window_blocks: usize,
    /// What happens at a damaged block.
    pub damaged: Damaged,
    /// From physical units to [-1, 1]; the dataset's own where this is not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transform: Option<Transform>,
}

impl Default for DataSection {
    fn default() -> Self {
        Self { path: None, split: "train".into(), window_blocks: 32, damaged: Damaged::Strict, transform: None }
    }
}

/// How a step's records are cut.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchSection {
    /// Records of a step's batch, over all ranks.
    pub global: usize,
    /// Parts of it that have batch norm and noise of their own: leaves of the sum. Ranks may be 1 to this many.
    pub microbatches: usize,
}

/// What sums gradients over ranks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reduction {
    /// The fixed tree, on the host: the same bits on any number of ranks.
    #[default]
    Tree,
    /// NCCL, on GPUs: faster there, and the bits depend on the number of ranks. The tree where NCCL cannot be had.
    Nccl,
}

/// The loop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainerSection {
    /// Steps of the whole run, or
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    /// times each record is seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epochs: Option<f64>,
    /// Arithmetic of convolutions in training.
    pub precision: Precision,
    /// Where networks live: a GPU for each rank of a machine, or the CPU.
    pub device: Choice,
    /// Whether ranks may share a GPU.
    pub share_gpu: bool,
    /// Whether convolutions on GPUs are restricted to algorithms that give the same bits each time; false = the fastest ones.
    pub deterministic: bool,
    /// What sums gradients that live on GPUs.
    pub reduction: Reduction,
    /// Threads of libtorch in each rank: they decide the bits of its sums.
    pub threads_per_rank: usize,
    /// Whether sums over ranks hide behind other work: the same bits, in other time.
    pub overlap: bool,
    /// Steps between checkpoints.
    pub checkpoint_every: u64,
    /// How many checkpoints are kept, the newest; 0 = all.
    pub keep_checkpoints: usize,
    /// Those of a step that is a multiple of this are kept as well; 0 = none. The best always is.
    pub keep_every: u64,
    /// Steps between lines of metrics.
    pub log_every: u64,
    /// Steps between comparisons of all ranks' parameters, bit for bit.
    pub compare_every: u64,
    /// Seconds without going on after which a rank ends the job; half of them for one that does not answer. What takes
    /// ten times as long as a step, and a tenth of this, is told of.
    pub hang_seconds: f64,
    /// What comes after a step whose gradient, loss or moment is not finite, of which nothing is kept.
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

/// What is measured while networks learn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ValidationSection {
    /// Steps between measurements of what the networks make, a multiple of trainer.checkpoint_every; 0 = never.
    pub every: u64,
    /// Records that are made for a measurement, and records of the split `validation` that they are compared with.
    pub records: u64,
    /// The score by which the best checkpoint is chosen; the first of the family's where this is not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub best: Option<String>,
}

impl Default for ValidationSection {
    fn default() -> Self {
        Self { every: 0, records: 512, best: None }
    }
}
