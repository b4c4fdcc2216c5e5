//! The loop: from the newest checkpoint, step after step, to the last one or to an orderly stop.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use tch::Tensor;

use super::metrics::{MetricsError, MetricsLog};
use super::outcome::{Outcome, Status};
use super::progress::{Progress, Task};
use super::signals::StopFlag;
use super::step::{Cut, Ended, Stepper};
use super::tensorboard::EventWriter;
use crate::checkpoint::{self, Checkpoint, CheckpointError, State};
use crate::comm::{Communicator, Disagreement, agree};
use crate::data::loader::{BatchPlan, Loader, LoaderSettings};
use crate::data::{DataError, Dataset};
use crate::exit::Exit;
use crate::objective::Objective;
use crate::optim::AdamSettings;
use crate::rng::Draw;

/// How long a run is, and how often it tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Steps of the whole run.
    pub steps: u64,
    /// Steps between checkpoints.
    pub checkpoint_every: u64,
    /// Newest checkpoints that are kept; 0 = all.
    pub keep_checkpoints: usize,
    /// Steps between lines of metrics.
    pub log_every: u64,
}

/// Everything a run needs besides its networks.
pub struct Training<'a> {
    /// The ranks.
    pub comm: &'a dyn Communicator,
    /// All chance of the run.
    pub seed: u64,
    /// How a global batch is cut.
    pub cut: Cut,
    /// How long, how often.
    pub schedule: Schedule,
    /// What it learns from.
    pub dataset: Arc<Dataset>,
    /// How that is read.
    pub loader: LoaderSettings,
    /// The run folder, which is there.
    pub folder: &'a Path,
    /// What makes the run what it is.
    pub identity: toml::Table,
    /// Keys of it that were set by hand and may differ from the checkpoint's.
    pub changed_by_hand: Vec<String>,
    /// Raised from outside to stop.
    pub stop: StopFlag,
}

/// Why a run did not go on.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// Data.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Checkpoints.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Records of the run.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// A file of the run folder.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The numbers ran away.
    #[error("step {step}: {player} gradient is not finite, parameters left as they were")]
    NotFinite {
        /// The step, from 1.
        step: u64,
        /// Whose gradient.
        player: &'static str,
    },
    /// No checkpoint of a run can be used.
    #[error("{}: none of its checkpoints is whole, expected at least one; move the folder away to start anew", folder.display())]
    AllDamaged {
        /// Where they are.
        folder: PathBuf,
    },
    /// Ranks do not see the same.
    #[error("rank {rank} sees {there}, rank 0 sees {here}: expected one file system for all ranks")]
    Split {
        /// The rank.
        rank: usize,
        /// What it sees.
        there: String,
        /// What rank 0 sees.
        here: String,
    },
    /// Another rank failed and says so itself.
    #[error("stopped with rank {rank}: {message}")]
    There {
        /// That rank.
        rank: usize,
        /// What it said.
        message: String,
    },
}

impl TrainError {
    /// How the program ends with it.
    pub fn exit(&self) -> Exit {
        match self {
            TrainError::Data(error) => error.exit(),
            TrainError::Checkpoint(error) => error.exit(),
            TrainError::Metrics(error) => error.exit(),
            TrainError::Io { .. } | TrainError::Split { .. } => Exit::FileSystem,
            TrainError::NotFinite { .. } | TrainError::AllDamaged { .. } => Exit::Data,
            TrainError::There { .. } => Exit::Hardware,
        }
    }
}

impl<E: Into<TrainError>> From<Disagreement<E>> for TrainError {
    fn from(disagreement: Disagreement<E>) -> Self {
        match disagreement {
            Disagreement::Here(error) => error.into(),
            Disagreement::There { rank, message } => TrainError::There { rank, message },
        }
    }
}

/// Trains `objective`'s networks until the schedule ends or somebody stops it; the same outcome on all ranks.
/// Goes on by itself where the run folder has a checkpoint.
pub fn train<O: Objective>(
    training: &Training,
    objective: &O,
    adam: impl Fn(&str) -> AdamSettings,
) -> Result<Outcome, TrainError> {
    let stepper = Stepper::new(objective, training.comm, Draw::new(training.seed), training.cut, adam);
    let mut run = Run { training, stepper, started: Instant::now(), step: 0, first_step: 0, newest: None };
    run.resume()?;
    run.tell(Status::Running, Exit::Done, "")?;
    match run.go() {
        Ok(status) => {
            let exit = if status == Status::Done { Exit::Done } else { Exit::Stopped };
            let reason = if status == Status::Done { "" } else { "asked to stop" };
            run.tell(status, exit, reason)
        }
        Err(error) => {
            // The error is what the caller should see, whatever becomes of the note about it.
            let _ = run.tell(Status::Failed, error.exit(), &error.to_string());
            Err(error)
        }
    }
}

struct Run<'a, O: Objective> {
    training: &'a Training<'a>,
    stepper: Stepper<'a, O>,
    started: Instant,
    step: u64,
    first_step: u64,
    /// The newest checkpoint: folder name and checksum.
    newest: Option<(String, String)>,
}

impl<O: Objective> Run<'_, O> {
    /// From the newest whole checkpoint, if there is one.
    fn resume(&mut self) -> Result<(), TrainError> {
        let found = self.open_newest();
        let found = agree(self.training.comm, found)?;
        let seen = found.as_ref().map_or("no checkpoint".to_owned(), |checkpoint| {
            format!("{} {}", checkpoint.folder().display(), checkpoint.checksum())
        });
        let all = self.training.comm.gather(seen.as_bytes());
        if let Some(rank) = all.iter().position(|word| *word != all[0]) {
            let word = |rank: usize| String::from_utf8_lossy(&all[rank]).into_owned();
            return Err(TrainError::Split { rank, there: word(rank), here: word(0) });
        }
        let Some(checkpoint) = found else { return Ok(()) };
        let restored = self.stepper.restore(|slots| checkpoint.restore(slots));
        agree(self.training.comm, restored)?;
        self.step = checkpoint.state.step;
        self.first_step = self.step;
        self.newest = Some((name_of(checkpoint.folder()), checkpoint.checksum()));
        if self.training.comm.rank() == 0 {
            log::info!("going on from {} ({})", checkpoint.folder().display(), checkpoint.checksum());
        }
        Ok(())
    }

    fn open_newest(&self) -> Result<Option<Checkpoint>, TrainError> {
        let folder = self.checkpoints();
        let (found, damaged) = checkpoint::newest(&folder)?;
        for fault in &damaged {
            log::warn!("{fault}: not used");
        }
        let Some(checkpoint) = found else {
            return if damaged.is_empty() { Ok(None) } else { Err(TrainError::AllDamaged { folder }) };
        };
        checkpoint.belongs_to(&self.training.identity, &self.training.changed_by_hand)?;
        Ok(Some(checkpoint))
    }

    /// All steps that are left.
    fn go(&mut self) -> Result<Status, TrainError> {
        let Training { comm, cut, schedule, ref dataset, ref loader, ref stop, .. } = *self.training;
        let records_per_step = (cut.global * self.stepper.batches()) as u64;
        let plan = BatchPlan {
            global: cut.global,
            microbatches: cut.microbatches,
            mine: self.stepper.run_of_microbatches(),
            seed: self.training.seed,
        };
        let mut loader = agree(
            comm,
            Loader::new(Arc::clone(dataset), loader, plan, self.step * records_per_step).map_err(TrainError::from),
        )?;
        let records = dataset.split(&self.training.loader.split)?.records();
        let mut scribe = agree(comm, Scribe::open(self, records_per_step, records))?;
        let mut shape: Vec<i64> = vec![cut.microbatch() as i64];
        shape.extend(dataset.manifest().shape.iter().map(|&n| n as i64));

        let mut trouble = None; // an error of this rank that the others do not know of yet
        while self.step < schedule.steps {
            let begun = Instant::now();
            let batches = self.stepper.batches() * self.stepper.run_of_microbatches().len();
            let mut load = || -> Result<Tensor, TrainError> {
                Ok(Tensor::from_slice(&loader.next()?.values).view(shape.as_slice()))
            };
            let loaded = trouble.take().map_or_else(|| (0..batches).map(|_| load()).collect(), Err);
            let load_seconds = begun.elapsed().as_secs_f64();
            let (ended, stopping) = self.stepper.step(self.step, loaded.as_deref().ok(), stop.is_set());
            match ended {
                Ended::Accepted { metrics } => {
                    self.step += 1;
                    let seconds = Seconds { load: load_seconds, step: begun.elapsed().as_secs_f64() };
                    let told = scribe.as_mut().map_or(Ok(()), |scribe| scribe.tell(self.step, &metrics, seconds));
                    let last = self.step == schedule.steps;
                    let saves = self.step.is_multiple_of(schedule.checkpoint_every) || stopping || last;
                    if saves {
                        agree(comm, told)?;
                        self.save(records_per_step, scribe.as_mut())?;
                    } else {
                        trouble = told.err();
                    }
                    if stopping && !last {
                        return Ok(Status::Stopped);
                    }
                }
                Ended::NotFinite { player } => {
                    self.save(records_per_step, scribe.as_mut())?;
                    return Err(TrainError::NotFinite { step: self.step + 1, player });
                }
                Ended::Failed => {
                    agree::<Vec<Tensor>, _>(comm, loaded)?;
                    unreachable!("a step fails where some rank has no records");
                }
            }
        }
        if let Some(scribe) = scribe {
            scribe.progress.finish();
        }
        Ok(Status::Done)
    }

    /// Writes a checkpoint: rank 0 does, all learn how it went.
    fn save(&mut self, records_per_step: u64, scribe: Option<&mut Scribe>) -> Result<(), TrainError> {
        let Training { comm, schedule, ref identity, .. } = *self.training;
        if self.step == self.first_step && self.newest.is_some() {
            return Ok(()); // it is where it came from
        }
        let checkpoints = self.checkpoints();
        let state = State::new(self.step, self.step * records_per_step, identity.clone());
        let written = if comm.rank() == 0 {
            let synced = scribe.map_or(Ok(()), Scribe::sync);
            synced.and_then(|()| {
                let folder = self.stepper.with_records(|records| checkpoint::save(&checkpoints, state, records))?;
                let checksum = Checkpoint::open(&folder)?.checksum();
                checkpoint::keep(&checkpoints, schedule.keep_checkpoints)?;
                Ok(format!("{} {checksum}", name_of(&folder)))
            })
        } else {
            Ok(String::new())
        };
        let word = agree::<_, TrainError>(comm, written)?;
        let word = String::from_utf8(comm.broadcast(word.as_bytes())).expect("rank 0 sent text");
        self.newest = word.split_once(' ').map(|(folder, checksum)| (folder.to_owned(), checksum.to_owned()));
        Ok(())
    }

    /// Says in `outcome.toml` where the run stands.
    fn tell(&self, status: Status, exit: Exit, reason: &str) -> Result<Outcome, TrainError> {
        let seconds = self.started.elapsed().as_secs_f64();
        let samples =
            ((self.step - self.first_step) as usize * self.stepper.batches() * self.training.cut.global) as f64;
        let (checkpoint, checksum) = self.newest.clone().unwrap_or_default();
        let outcome = Outcome {
            status,
            exit_code: exit as u8,
            step: self.step,
            steps: self.training.schedule.steps,
            reason: reason.to_owned(),
            checkpoint,
            checksum,
            seconds,
            samples_per_second: samples / seconds,
        };
        if self.training.comm.rank() == 0 {
            outcome
                .write(self.training.folder)
                .map_err(|source| TrainError::Io { path: self.training.folder.join("outcome.toml"), source })?;
        }
        Ok(outcome)
    }

    fn checkpoints(&self) -> PathBuf {
        self.training.folder.join("checkpoints")
    }
}

/// Where the time of a step went.
#[derive(Clone, Copy)]
struct Seconds {
    load: f64,
    step: f64,
}

/// Rank 0's records of a run.
struct Scribe {
    log: MetricsLog,
    events: EventWriter,
    progress: Progress,
    every: u64,
    records_per_step: u64,
    records: u64,
    /// Since the last line: steps, seconds.
    since: (u64, Seconds),
}

impl Scribe {
    /// On rank 0 only.
    fn open<O: Objective>(run: &Run<O>, records_per_step: u64, records: u64) -> Result<Option<Self>, TrainError> {
        if run.training.comm.rank() != 0 {
            return Ok(None);
        }
        let folder = run.training.folder;
        let task = Task {
            unit: "step",
            total: run.training.schedule.steps,
            start: run.step,
            item: "samples",
            items_per_unit: records_per_step,
        };
        Ok(Some(Self {
            log: MetricsLog::open(&folder.join("metrics.jsonl"), (run.step > 0).then_some(run.step))?,
            events: EventWriter::create(folder, run.step, unix_seconds())?,
            progress: Progress::new(task, Instant::now()),
            every: run.training.schedule.log_every,
            records_per_step,
            records,
            since: (0, Seconds { load: 0.0, step: 0.0 }),
        }))
    }

    fn tell(&mut self, step: u64, metrics: &[(String, f64)], seconds: Seconds) -> Result<(), TrainError> {
        let (steps, sum) = &mut self.since;
        *steps += 1;
        sum.load += seconds.load;
        sum.step += seconds.step;
        let (steps, sum) = self.since;
        let load_share = sum.load / sum.step;
        let mut scalars: Vec<(&str, f64)> = metrics.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        let losses: Vec<(&str, f64)> = scalars.iter().filter(|(name, _)| name.ends_with("_loss")).copied().collect();
        self.progress.update(Instant::now(), step, Some(load_share), &losses);
        if step.is_multiple_of(self.every) {
            scalars.push(("samples_per_second", (steps * self.records_per_step) as f64 / sum.step));
            scalars.push(("load_seconds", sum.load / steps as f64));
            scalars.push(("step_seconds", sum.step / steps as f64));
            let samples = step * self.records_per_step;
            self.log.append(step, samples as f64 / self.records as f64, samples, &scalars)?;
            self.events.scalars(step, unix_seconds(), &scalars)?;
            self.since = (0, Seconds { load: 0.0, step: 0.0 });
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), TrainError> {
        self.log.sync()?;
        Ok(self.events.flush()?)
    }
}

fn name_of(folder: &Path) -> String {
    folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn unix_seconds() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}
