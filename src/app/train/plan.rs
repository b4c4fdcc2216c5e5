//! What is to be trained: made of a request and checked in one go, before anything is asked of devices.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tch::Device;

use super::Request;
use crate::app::CommandError;
use crate::app::session::check_ranks;
use crate::app::staging::Scratch;
use crate::checkpoint::Identity;
use crate::comm::{Communicator, Disagreement};
use crate::config::{ConfigError, DatasetDescription, DeviceKind, Override, RunConfig, RunDescription, RunFile};
use crate::data::loader::LoaderSettings;
use crate::data::{DataError, Dataset, Encoding};
use crate::family::{Mismatch, Validation};
use crate::rng::Draw;
use crate::train::{Drills, Schedule, Validator};

/// A training on one rank, of which nothing is left to be refused but by the machine.
pub struct Plan {
    pub config: RunConfig,
    pub dataset: Arc<Dataset>,
    pub encodings: Vec<Encoding>,
    pub schedule: Schedule,
    pub drills: Drills,
    /// Keys of the run's description that may differ from the checkpoint's.
    pub changed_by_hand: Vec<String>,
    /// The run folder.
    pub folder: PathBuf,
    pub scratch: Scratch,
    pub max_wall: Option<Duration>,
}

impl Plan {
    /// The plan of `request` on rank `rank` of `ranks`.
    pub fn make(request: &Request, rank: usize, ranks: usize) -> Result<Self, CommandError> {
        let Configured { config, sets, data } = Configured::load(request, ranks)?;
        let dataset = Arc::new(Dataset::open(&data)?);
        let encodings = suited(&config, &dataset)?;
        let records = dataset.split(&config.sections().data.split)?.records();
        let schedule = schedule(&config, records);
        let keys = sets.iter().flat_map(Override::keys);
        Ok(Self {
            drills: Drills::new(&request.drills, rank, ranks, schedule.steps).map_err(CommandError::Usage)?,
            changed_by_hand: keys.flat_map(|key| changed_by_hand(&key, &config)).collect(),
            folder: request.run.clone(),
            scratch: request.scratch.clone(),
            max_wall: request.max_wall_minutes.map(|minutes| Duration::from_secs_f64(60.0 * minutes)),
            config,
            dataset,
            encodings,
            schedule,
        })
    }

    /// How records come to the networks.
    pub fn loader(&self) -> LoaderSettings {
        let data = &self.config.sections().data;
        LoaderSettings {
            split: data.split.clone(),
            window_blocks: data.window_blocks,
            damaged: data.damaged,
            encodings: self.encodings.clone(),
        }
    }

    /// What makes the run what it is: its configuration, and the data that it learns from as they are.
    pub fn identity(&self, device: Device) -> Identity {
        let split = self.dataset.split(&self.config.sections().data.split).expect("the split was looked up before");
        let dataset = DatasetDescription::of(&self.dataset, split, &self.encodings);
        let device = if device.is_cuda() { DeviceKind::Cuda } else { DeviceKind::Cpu };
        Identity::of(&RunDescription::new(&self.config, dataset, device))
    }

    /// What measures the model during training, on `dataset`, which may be a copy; nothing where nothing is measured.
    pub fn validator(
        &self,
        comm: &dyn Communicator,
        dataset: &Arc<Dataset>,
        device: Device,
    ) -> Result<Option<Box<dyn Validator>>, Disagreement<DataError>> {
        let RunFile { seed, validation, family, .. } = self.config.sections();
        if validation.every == 0 {
            return Ok(None);
        }
        let (records, encodings, draw) = (validation.records, &self.encodings, Draw::new(*seed));
        family.validator(Validation { comm, dataset, records, encodings, draw, device })
    }
}

/// A checked configuration, and where its dataset is.
struct Configured {
    config: RunConfig,
    /// What the request sets by hand.
    sets: Vec<Override>,
    data: PathBuf,
}

impl Configured {
    fn load(request: &Request, ranks: usize) -> Result<Self, CommandError> {
        let sets: Vec<Override> = request.sets.iter().map(|set| set.parse()).collect::<Result<_, ConfigError>>()?;
        let config = RunConfig::load(&request.config, &sets)?;
        check_ranks(ranks, config.cut().microbatches)?;
        let data = request.data.clone().or_else(|| config.sections().data.path.clone());
        let none = "no dataset is named, expected --data DATASET or `data.path`";
        let data = data.ok_or_else(|| CommandError::Usage(none.into()))?;
        Ok(Self { config, sets, data })
    }
}

/// Checks what `run` would refuse on so many ranks; the dataset is looked at if it is there, else `promised` is asked
/// whether it will be.
pub fn check_ahead(
    request: &Request,
    ranks: usize,
    promised: impl Fn(&Path) -> bool,
) -> Result<(RunConfig, PathBuf), CommandError> {
    let Configured { config, data, .. } = Configured::load(request, ranks)?;
    if data.exists() || !promised(&data) {
        Plan::make(request, 0, ranks)?;
    }
    Ok((config, data))
}

/// The way of the dataset's records to the networks, which can take them.
///
/// # Errors
/// Where the configuration and the dataset do not fit each other.
pub fn suited(config: &RunConfig, dataset: &Dataset) -> Result<Vec<Encoding>, CommandError> {
    let (manifest, sections) = (dataset.manifest(), config.sections());
    sections.family.check_kind(&manifest.modalities).map_err(ConfigError::from)?;
    let encodings = sections.family.encodings(&manifest.modalities, &manifest.labels, sections.data.transform);
    let encodings = encodings.map_err(|mismatch| match mismatch {
        Mismatch::Setting(fault) => CommandError::from(ConfigError::from(fault)),
        Mismatch::Data(reason) => DataError::Manifest { path: dataset.folder().to_owned(), reason }.into(),
    })?;
    if sections.validation.every > 0 {
        dataset.validation_split()?;
    }
    Ok(encodings)
}

/// How long the run is and what it keeps, with `records` records to learn from.
pub fn schedule(config: &RunConfig, records: u64) -> Schedule {
    let RunFile { trainer, validation, .. } = config.sections();
    let records_per_step = config.cut().global as u64 * u64::from(config.sections().family.batches_per_step());
    let steps = match (trainer.steps, trainer.epochs) {
        (Some(steps), _) => steps,
        (None, epochs) => {
            let epochs = epochs.expect("a checked configuration has steps or epochs");
            (epochs * records as f64 / records_per_step as f64).ceil() as u64
        }
    };
    Schedule {
        steps,
        checkpoint_every: trainer.checkpoint_every,
        keep_checkpoints: trainer.keep_checkpoints,
        keep_every: trainer.keep_every,
        validate_every: validation.every,
        validation_records: validation.records,
        best: config.best(),
        log_every: trainer.log_every,
        compare_every: trainer.compare_every,
    }
}

/// Keys, beside those of `[optimizer]`, that a run may go on with other values of where they are set by hand: the device and its
/// arithmetic, and what happens at a damaged block, so that a run that meets one can go on.
const CHANGED_BY_HAND: [&str; 5] =
    ["trainer.threads_per_rank", "trainer.device", "trainer.reduction", "trainer.deterministic", "data.damaged"];

/// The keys of a run's description that may differ from the checkpoint's where `key` is set by hand.
fn changed_by_hand(key: &str, config: &RunConfig) -> Vec<String> {
    match key.strip_prefix("optimizer.") {
        Some(of_one) if of_one.starts_with("network.") => vec![key.to_owned()],
        Some(of_all) => {
            let follows = |name: &&&str| !config.sections().optimizer.is_set_for(name, of_all);
            let networks = config.networks().iter().filter(follows);
            networks.map(|name| format!("optimizer.network.{name}.{of_all}")).collect()
        }
        None => CHANGED_BY_HAND.contains(&key).then(|| key.to_owned()).into_iter().collect(),
    }
}
