//! `skyforge train`: from a configuration and a dataset to checkpoints.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tch::Device;

use super::objective::objective;
use super::session::{Session, check_ranks};
use super::staging::{self, Scratch};
use super::{CommandError, logging, provenance};
use crate::checkpoint::Identity;
use crate::comm::{Terms, alarm};
use crate::config::{ConfigError, DatasetDescription, DeviceKind, Override, RunConfig, RunDescription, RunFile};
use crate::data::loader::LoaderSettings;
use crate::data::{DataError, Dataset, Encoding};
use crate::device;
use crate::exit::{Ends, Exit};
use crate::family::{Mismatch, Validation};
use crate::files;
use crate::rng::Draw;
use crate::train::signals::StopFlag;
use crate::train::{Drill, Drills, Outcome, Run, RunLock, Schedule, Status, Training};

/// What to train, and how this start of it differs from others.
#[derive(Clone, Debug)]
pub struct Request {
    pub config: PathBuf,
    pub run: PathBuf,
    /// Wins over `data.path` of the configuration.
    pub data: Option<PathBuf>,
    pub scratch: Scratch,
    pub max_wall_minutes: Option<f64>,
    pub drills: Vec<Drill>,
    /// `KEY=VALUE`, of the configuration.
    pub sets: Vec<String>,
}

/// Minutes of the command line.
pub fn minutes(text: &str) -> Result<f64, String> {
    let legal = |minutes: &f64| *minutes >= 0.0 && *minutes < 1e9;
    text.parse().ok().filter(legal).ok_or_else(|| "expected minutes, as in 55 or 0.5".into())
}

impl Request {
    fn overrides(&self) -> Result<Vec<Override>, ConfigError> {
        self.sets.iter().map(|set| set.parse()).collect()
    }

    fn dataset(&self, config: &RunConfig) -> Result<PathBuf, CommandError> {
        let named = self.data.clone().or_else(|| config.sections().data.path.clone());
        named.ok_or_else(|| CommandError::Usage("no dataset is named, expected --data DATASET or `data.path`".into()))
    }
}

/// Checks what `run` would refuse on so many ranks; the dataset is looked at if it is there, else `promised` is asked
/// whether it will be.
pub fn check_ahead(
    request: &Request,
    ranks: usize,
    promised: impl Fn(&Path) -> bool,
) -> Result<(RunConfig, PathBuf), CommandError> {
    let config = RunConfig::load(&request.config, &request.overrides()?)?;
    check_ranks(ranks, config.cut().microbatches)?;
    let data = request.dataset(&config)?;
    if !data.exists() && promised(&data) {
        return Ok((config, data));
    }
    let dataset = Dataset::open(&data)?;
    suited(&config, &dataset)?;
    let records = dataset.split(&config.sections().data.split)?.records();
    Drills::new(&request.drills, 0, ranks, schedule(&config, records).steps).map_err(CommandError::Usage)?;
    Ok((config, data))
}

/// Trains on this rank, together with the others.
pub fn run(session: &Session, request: &Request) -> Result<Exit, CommandError> {
    let sets = request.overrides()?;
    let config = session.agree(RunConfig::load(&request.config, &sets))?;
    let cut = config.cut();
    check_ranks(session.ranks(), cut.microbatches)?;
    let data = request.dataset(&config)?;
    let dataset = Arc::new(session.agree(Dataset::open(&data))?);
    let encodings = session.agree(suited(&config, &dataset))?;
    let sections = config.sections();
    let records = dataset.split(&sections.data.split)?.records();
    let schedule = schedule(&config, records);
    let drills = Drills::new(&request.drills, session.rank(), session.ranks(), schedule.steps);
    let drills = drills.map_err(CommandError::Usage)?;
    session.agree(session.check_threads(sections.trainer.threads_per_rank))?;
    Session::torch_threads(sections.trainer.threads_per_rank);
    let device = session.device(sections.trainer.device, sections.trainer.share_gpu)?;
    device::set_deterministic(sections.trainer.deterministic);
    let lock = if session.rank() == 0 { RunLock::take(&request.run).map(Some) } else { Ok(None) };
    let lock = session.agree(lock)?;
    let staged = staging::stage(session, Arc::clone(&dataset), &request.run, &request.scratch);
    let objective = objective(&config, &encodings, device);
    let validator = || {
        if sections.validation.every == 0 {
            return Ok(None);
        }
        sections.family.validator(Validation {
            comm: session.comm(),
            dataset: &staged.dataset,
            records: sections.validation.records,
            encodings: &encodings,
            draw: Draw::new(sections.seed),
            device,
        })
    };
    let training = Training {
        comm: session.comm(),
        seed: sections.seed,
        cut,
        device,
        device_sum: session.device_sum(session.comm(), sections.trainer.reduction, device),
        overlap: sections.trainer.overlap,
        schedule,
        dataset: Arc::clone(&staged.dataset),
        loader: LoaderSettings {
            split: sections.data.split.clone(),
            window_blocks: sections.data.window_blocks,
            damaged: sections.data.damaged,
            encodings: encodings.clone(),
        },
        folder: &request.run,
        identity: Identity::of(&describe(&config, &dataset, &encodings, device)),
        changed_by_hand: sets.iter().flat_map(Override::keys).flat_map(|key| changed_by_hand(&key, &config)).collect(),
        stop: StopFlag::install(),
        max_wall: request.max_wall_minutes.map(|minutes| Duration::from_secs_f64(60.0 * minutes)),
        not_finite: sections.trainer.not_finite,
        validator: &validator,
        drills,
    };
    let mut run = match Run::start(&training, objective.as_ref(), |network| config.adam(network)) {
        Ok(run) => run,
        Err(error) => {
            if let Some(lock) = lock {
                // Who asks for another run leaves this one as it is; else it has failed, whatever it was before.
                if error.exit() != Exit::Usage {
                    Outcome::fail(&request.run, error.exit(), &error.to_string());
                }
                lock.abandon();
            }
            return Err(error.into());
        }
    };
    if run.step() >= schedule.steps {
        log::info!("nothing to do: {} of {} steps are made", run.step(), schedule.steps);
        return Ok(Exit::Done);
    }
    session.agree(prepare(session, request, &config, &dataset))?;
    let record = format!("communication-rank-{:04}.txt", session.rank());
    if let Some((bytes, seconds)) = staged.told {
        run.note([("staged_bytes", bytes as f64), ("staged_seconds", seconds)]);
    }
    run.watch(session.comm().watch(Terms {
        record: request.run.join("log").join(record),
        limit: Duration::from_secs_f64(sections.trainer.hang_seconds),
        key: "trainer.hang_seconds",
    }));
    announce(session, request, &config, &run, schedule.steps);
    let outcome = run.train()?;
    log::info!(
        "{} after step {} of {}: {} samples a second, checkpoint {} ({})",
        if outcome.status == Status::Done { "done" } else { "stopped" },
        outcome.step,
        outcome.steps,
        outcome.samples_per_second.round(),
        outcome.checkpoint,
        outcome.checksum
    );
    Ok(if outcome.status == Status::Done { Exit::Done } else { Exit::Stopped })
}

/// Says in the log what is going to be done, and what works badly.
fn announce(session: &Session, request: &Request, config: &RunConfig, run: &Run, steps: u64) {
    let cut = config.cut();
    if let Some((name, checksum)) = run.newest() {
        let life = session.allocation().life().map_or_else(String::new, |life| format!(", {life}"));
        log::info!("RESUMED after step {} of {steps} from {name} ({checksum}){life}", run.step());
    }
    log::info!(
        "{} steps of {} records in {} microbatches on {} {}, into {}",
        steps - run.step(),
        cut.global,
        cut.microbatches,
        session.ranks(),
        if session.ranks() == 1 { "rank" } else { "ranks" },
        request.run.display()
    );
    if let Some(advice) = config.sections().family.advice(cut.microbatch()) {
        log::warn!("{advice}");
    }
}

/// What makes the run what it is: its configuration, and the data that it learns from as they are.
fn describe(config: &RunConfig, dataset: &Dataset, encodings: &[Encoding], device: Device) -> RunDescription {
    let split = &config.sections().data.split;
    let split = dataset.split(split).expect("the split was looked up before");
    let dataset = DatasetDescription::of(dataset, split, encodings);
    let device = if device.is_cuda() { DeviceKind::Cuda } else { DeviceKind::Cpu };
    RunDescription::new(config, dataset, device)
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

/// The way of the dataset's records to the networks, which can take them.
///
/// # Errors
/// Where the configuration and the dataset do not fit each other.
pub(super) fn suited(config: &RunConfig, dataset: &Dataset) -> Result<Vec<Encoding>, CommandError> {
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
pub(super) fn schedule(config: &RunConfig, records: u64) -> Schedule {
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

/// The run folder, with what the run is and where it came from.
fn prepare(session: &Session, request: &Request, config: &RunConfig, dataset: &Dataset) -> Result<(), CommandError> {
    let run = &request.run;
    files::create_folder(run).map_err(CommandError::io(run))?;
    logging::to_file(run, session.rank()).map_err(CommandError::io(run.join("log")))?;
    let (told, rank) = (run.clone(), session.rank());
    alarm::on_alarm(move |alarm| {
        if rank == alarm.speaker {
            Outcome::fail(&told, alarm.exit, &alarm.cause);
        }
    });
    if session.rank() == 0 {
        let path = run.join("config.toml");
        files::write_whole(&path, config.to_toml().as_bytes()).map_err(CommandError::io(path))?;
        provenance::record_start(run, session.ranks(), config, dataset)?;
    }
    Ok(())
}
