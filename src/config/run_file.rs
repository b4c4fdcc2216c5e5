//! The sections of a training configuration, as TOML has them.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::data::AspaSettings;
use crate::data::loader::Damaged;
use crate::data::normalise::Transform;
use crate::device::Choice;
use crate::model::Precision;
use crate::model::dcgan::DcganSettings;
use crate::objective::embedder::EmbedderSettings;
use crate::objective::gan::{Loss, Noise, Update};
use crate::optim::AdamSettings;
use crate::trainer::NotFinite;

/// A training configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunFile {
    /// All chance of the run follows from it.
    pub seed: u64,
    /// What it learns from.
    #[serde(default)]
    pub data: DataSection,
    /// How a step's records are cut.
    pub batch: BatchSection,
    /// The networks.
    pub model: ModelSection,
    /// Who minimises what.
    pub objective: ObjectiveSection,
    /// How each player moves.
    #[serde(default)]
    pub optimiser: OptimiserSection,
    /// The loop.
    pub trainer: TrainerSection,
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
    /// How spectra become images, for which there is no transform; ExoGAN's way where this is not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codec: Option<CodecSection>,
}

/// How spectra become images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum CodecSection {
    /// ExoGAN's.
    Aspa(AspaSettings),
}

impl Default for CodecSection {
    fn default() -> Self {
        Self::Aspa(AspaSettings::default())
    }
}

impl Default for DataSection {
    fn default() -> Self {
        Self {
            path: None,
            split: "train".into(),
            window_blocks: 32,
            damaged: Damaged::Strict,
            transform: None,
            codec: None,
        }
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

/// The networks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ModelSection {
    /// CosmoGAN's.
    Dcgan(DcganSettings),
}

/// Who minimises what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ObjectiveSection {
    /// A generator against a discriminator.
    Gan(GanSection),
}

/// A generator against a discriminator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GanSection {
    /// Of both players.
    pub loss: Loss,
    /// Weight of the gradient penalty on the discriminator; 0 = none.
    #[serde(default)]
    pub penalty: f64,
    /// Steps from one gradient penalty to the next, which then counts as many times.
    #[serde(default = "GanSection::each_step")]
    pub penalty_every: u64,
    /// Probability that a map's label is flipped, drawn for each map.
    #[serde(default)]
    pub label_flip: f64,
    /// Standard deviation of noise on all maps before the discriminator, in their own range; 0 = none.
    #[serde(default)]
    pub instance_noise: f64,
    /// Decay of the average of the generator's weights that samples are made with, and of the embedder's; 0 = none is kept.
    #[serde(default)]
    pub ema: f64,
    /// A third player who learns the way back from maps to latent numbers; none where it is not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embedder: Option<EmbedderSettings>,
}

impl GanSection {
    fn each_step() -> u64 {
        1
    }
}

/// How each player moves.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OptimiserSection {
    /// The discriminator's Adam.
    pub discriminator: AdamSettings,
    /// The generator's Adam.
    pub generator: AdamSettings,
    /// The embedder's Adam, where there is one.
    pub embedder: AdamSettings,
}

impl OptimiserSection {
    /// The Adam of the player called `player`.
    pub fn of(&self, player: &str) -> AdamSettings {
        match player {
            "discriminator" => self.discriminator,
            "embedder" => self.embedder,
            _ => self.generator,
        }
    }
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
    /// How the players take turns.
    pub update: Update,
    /// Whose noise is whose.
    pub noise: Noise,
    /// Discriminator moves a step.
    pub discriminator_moves: u32,
    /// Generator moves a step.
    pub generator_moves: u32,
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
    /// Steps between measurements of what the networks make, a multiple of checkpoint_every; 0 = never.
    pub measure_every: u64,
    /// Maps that are made for a measurement, and maps of the training split that they are compared with.
    pub measure_maps: u64,
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
            update: Update::default(),
            noise: Noise::default(),
            discriminator_moves: 1,
            generator_moves: 1,
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
            measure_every: 0,
            measure_maps: 512,
            log_every: 10,
            compare_every: 100,
            hang_seconds: 300.0,
            not_finite: NotFinite::default(),
        }
    }
}
