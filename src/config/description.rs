//! The description of a run: all settings and data that its bits depend on, as a checkpoint keeps them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::run_file::{BatchSection, Reduction};
use super::{RunConfig, read};
use crate::data::encoding::Encoding;
use crate::data::loader::Damaged;
use crate::data::{Dataset, Label, Modality, Split};
use crate::family::FamilySettings;
use crate::nn::Precision;
use crate::optim::AdamSettings;

/// Settings and data that determine the bits of a run. A checkpoint keeps them in `state.toml` under `run`, and is resumed only by a
/// run with the same ones.
///
/// Not part of it: where data lie, how long the run is, how often it reports, what it is validated on, and what it does after a
/// bad step, since the weights after good steps do not depend on any of that. A key that an older program did not write has its
/// default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunDescription {
    /// Seed of all random numbers.
    pub seed: u64,
    /// How a global batch is cut.
    pub batch: BatchSection,
    /// How the dataset is read.
    pub data: DataDescription,
    /// Networks, loss and order of updates.
    pub family: FamilySettings,
    /// Adam of each network, wherever a configuration says it.
    pub optimizer: OptimizerDescription,
    /// Arithmetic of the run.
    pub trainer: TrainerDescription,
    /// The data that the run learns from.
    pub dataset: DatasetDescription,
}

/// How the dataset is read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataDescription {
    /// Name of the split.
    pub split: String,
    /// Blocks that are shuffled together.
    pub window_blocks: usize,
    /// What happens at a damaged block.
    pub damaged: Damaged,
}

/// Adam of each network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptimizerDescription {
    /// By the name of the network.
    pub network: BTreeMap<String, AdamSettings>,
}

/// Arithmetic of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainerDescription {
    /// Precision of convolutions.
    pub precision: Precision,
    /// What sums gradients over ranks.
    pub reduction: Reduction,
    /// Threads of each rank.
    pub threads_per_rank: usize,
    /// The kind of device that the run got.
    pub device: DeviceKind,
    /// Whether convolutions on GPUs give the same bits each time.
    pub deterministic: bool,
}

/// The kind of device that a run works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceKind {
    /// Processors.
    Cpu,
    /// NVIDIA GPUs.
    Cuda,
}

/// The data that a run learns from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetDescription {
    /// Checksum of all records.
    pub checksum: String,
    /// The records of the split that is trained on.
    pub training_records: Split,
    /// The arrays of a record, with the transforms that are trained with.
    pub modalities: Vec<Modality>,
    /// The labels of a record.
    #[serde(default)]
    pub labels: Vec<Label>,
}

impl DatasetDescription {
    /// Of a dataset whose split `split` is trained on.
    ///
    /// - `encodings`: one a modality
    pub fn of(dataset: &Dataset, split: &Split, encodings: &[Encoding]) -> Self {
        let manifest = dataset.manifest();
        let mut modalities = manifest.modalities.clone();
        for (modality, encoding) in modalities.iter_mut().zip(encodings) {
            if let Encoding::Transform(transform) = encoding {
                modality.transform = *transform;
            }
        }
        Self {
            checksum: dataset.checksum().to_owned(),
            training_records: split.clone(),
            modalities,
            labels: manifest.labels.clone(),
        }
    }
}

impl RunDescription {
    /// Of a run with these settings and data, on devices of this kind.
    pub fn new(config: &RunConfig, dataset: DatasetDescription, device: DeviceKind) -> Self {
        let sections = config.sections();
        let network = config.networks().iter().map(|name| ((*name).to_owned(), config.adam(name)));
        Self {
            seed: sections.seed,
            batch: sections.batch.clone(),
            data: DataDescription {
                split: sections.data.split.clone(),
                window_blocks: sections.data.window_blocks,
                damaged: sections.data.damaged,
            },
            family: sections.family.clone(),
            optimizer: OptimizerDescription { network: network.collect() },
            trainer: TrainerDescription {
                precision: sections.trainer.precision,
                reduction: sections.trainer.reduction,
                threads_per_rank: sections.trainer.threads_per_rank,
                device,
                deterministic: sections.trainer.deterministic,
            },
            dataset,
        }
    }

    /// Reads it from the state of a checkpoint, where an older program may have written fewer keys; the error says what is wrong.
    pub fn from_state(run: &toml::Table) -> Result<Self, String> {
        read(toml::Value::Table(run.clone())).map_err(|fault| format!("`run`: {fault}"))
    }
}
