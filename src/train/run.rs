//! The loop: from the newest checkpoint, step after step, to the last one or to an orderly stop.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tch::{Device, Tensor};
use xxhash_rust::xxh3::xxh3_64;

use super::bad_step::{MOST_IN_A_ROW, NotFinite};
use super::drill::Drills;
use super::metrics::MetricsError;
use super::outcome::{Outcome, Status};
use super::scribe::{Scribe, Seconds, Skipped};
use super::signals::StopFlag;
use super::step::{Cut, Ended, Odd, Stepper};
use super::straggler::{Since, Stragglers};
use super::validation::{Score, Scores, Validator};
use super::watch::{PATIENCE, Watch};
use crate::checkpoint::{self, Checkpoint, CheckpointError, Identity, Keep, Newest, State};
use crate::comm::{Communicator, DeviceSum, Disagreement, There, Watchdog, agree, tree};
use crate::data::loader::{BatchPlan, Loader, LoaderSettings};
use crate::data::{DataError, Dataset, Encoding};
use crate::exit::{Ends, Exit};
use crate::machine;
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
    /// Those of a step that is a multiple of this are kept as well; 0 = none.
    pub keep_every: u64,
    /// Steps between validations; 0 = never.
    pub validate_every: u64,
    /// Records of a validation.
    pub validation_records: u64,
    /// The score by which the best checkpoint is chosen, where anything is measured.
    pub best: Option<Score>,
    /// Steps between lines of metrics.
    pub log_every: u64,
    /// Steps between comparisons of all ranks' parameters.
    pub compare_every: u64,
}

/// Everything a run needs besides its networks.
pub struct Training<'a> {
    /// The ranks.
    pub comm: &'a dyn Communicator,
    /// All chance of the run.
    pub seed: u64,
    /// How a global batch is cut.
    pub cut: Cut,
    /// Where the networks are.
    pub device: Device,
    /// Sums gradients on the devices, where that is wanted and can be had.
    pub device_sum: Option<Rc<dyn DeviceSum>>,
    /// Whether sums over ranks hide behind other work.
    pub overlap: bool,
    /// How long, how often.
    pub schedule: Schedule,
    /// What it learns from.
    pub dataset: Arc<Dataset>,
    /// How that is read.
    pub loader: LoaderSettings,
    /// The run folder, which is there.
    pub folder: &'a Path,
    /// What makes the run what it is.
    pub identity: Identity,
    /// Keys of it that were set by hand and may differ from the checkpoint's.
    pub changed_by_hand: Vec<String>,
    /// Raised from outside to stop.
    pub stop: StopFlag,
    /// Stops by itself after this time.
    pub max_wall: Option<Duration>,
    /// What comes after a step that is not finite.
    pub not_finite: NotFinite,
    /// Faults of this rank on purpose.
    pub drills: Drills,
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
    #[error("step {step}: {what} is not finite, parameters left as they were")]
    NotFinite {
        /// The step, from 1.
        step: u64,
        /// What was not.
        what: String,
    },
    /// The numbers ran away and do not come back.
    #[error(
        "step {step}: {what} is not finite, as in the {} steps before, parameters left as they were",
        MOST_IN_A_ROW - 1
    )]
    NeverFinite {
        /// The step, from 1.
        step: u64,
        /// What was not.
        what: String,
    },
    /// The numbers ran away and there is nothing to go back to.
    #[error(
        "step {step}: {what} is not finite, and there is no checkpoint to go back to, expected a whole one \
         of a step that is a multiple of `trainer.checkpoint_every`: {every}"
    )]
    NoWayBack {
        /// The step, from 1.
        step: u64,
        /// What was not.
        what: String,
        /// Steps between checkpoints.
        every: u64,
    },
    /// A fault on purpose.
    #[error("drill {drill}: no records could be loaded, as was asked for")]
    Drill {
        /// As it was asked for.
        drill: String,
    },
    /// The folder is something else.
    #[error("{} {fault}", folder.display())]
    NoRun {
        /// The folder.
        folder: PathBuf,
        /// What it is, and what was wanted.
        fault: String,
    },
    /// Somebody else is at work.
    #[error("{} is in use by another program, expected nobody else at work in it", folder.display())]
    InUse {
        /// The run folder.
        folder: PathBuf,
    },
    /// A rank has other parameters than the rest.
    #[error("step {step}: {odd}, expected the same bits on all ranks; not saved")]
    Odd {
        /// The step, from 1.
        step: u64,
        /// Which.
        odd: Odd,
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
    /// Ranks were not given the same.
    #[error("rank {rank} has another configuration or other data than rank 0, expected the same on all ranks")]
    Unlike {
        /// The rank.
        rank: usize,
    },
    /// Another rank failed.
    #[error(transparent)]
    There(#[from] There),
}

impl Ends for TrainError {
    fn exit(&self) -> Exit {
        match self {
            TrainError::Data(error) => error.exit(),
            TrainError::Checkpoint(error) => error.exit(),
            TrainError::Metrics(error) => error.exit(),
            TrainError::NoRun { .. } | TrainError::Unlike { .. } => Exit::Usage,
            TrainError::Odd { .. } => Exit::Hardware,
            TrainError::Io { .. } | TrainError::Split { .. } | TrainError::InUse { .. } => Exit::FileSystem,
            TrainError::NotFinite { .. }
            | TrainError::NeverFinite { .. }
            | TrainError::NoWayBack { .. }
            | TrainError::Drill { .. }
            | TrainError::AllDamaged { .. } => Exit::Data,
            TrainError::There(there) => there.exit(),
        }
    }
}

impl<E: Into<TrainError>> From<Disagreement<E>> for TrainError {
    fn from(disagreement: Disagreement<E>) -> Self {
        match disagreement {
            Disagreement::Here(error) => error.into(),
            Disagreement::There(there) => TrainError::There(there),
        }
    }
}

/// A run that is ready to go on from where it stands.
pub struct Run<'a, O: Objective> {
    training: &'a Training<'a>,
    stepper: Stepper<'a, O>,
    loader: Loader,
    started: Instant,
    step: u64,
    first_step: u64,
    bad_steps_in_a_row: u64,
    /// The newest checkpoint: folder name and checksum.
    newest: Option<(String, String)>,
    watchdog: Option<Watchdog>,
    /// What is told in the metrics before the first step.
    notes: Vec<(&'static str, f64)>,
}

impl<'a, O: Objective> Run<'a, O> {
    /// Goes to the newest whole checkpoint, if the run folder has any, and starts to load. Nothing is written but the
    /// names of damaged checkpoints, which are set aside.
    pub fn start(
        training: &'a Training<'a>,
        objective: &'a O,
        adam: impl Fn(&str) -> AdamSettings,
    ) -> Result<Self, TrainError> {
        let comm = training.comm;
        all_do_the_same(training)?;
        let mut stepper = Stepper::new(objective, comm, Draw::new(training.seed), training.cut, adam);
        stepper.set_overlap(training.overlap);
        if let Some(sum) = &training.device_sum {
            stepper.sum_on_devices(sum);
        }
        let (step, newest) = resume(training, &mut stepper)?;
        let plan = BatchPlan {
            global: training.cut.global,
            microbatches: training.cut.microbatches,
            mine: stepper.run_of_microbatches(),
            seed: training.seed,
        };
        let position = step * (training.cut.global * stepper.batches()) as u64;
        let loader = agree(comm, Loader::new(Arc::clone(&training.dataset), &training.loader, plan, position))?;
        Ok(Self {
            training,
            stepper,
            loader,
            started: Instant::now(),
            step,
            first_step: step,
            bad_steps_in_a_row: 0,
            newest,
            watchdog: None,
            notes: Vec::new(),
        })
    }

    /// Has `watchdog` look whether the run goes on.
    pub fn watch(&mut self, watchdog: Watchdog) {
        self.watchdog = Some(watchdog);
    }

    /// Has a line of the metrics tell of what came before the first step.
    pub fn note<const N: usize>(&mut self, scalars: [(&'static str, f64); N]) {
        self.notes.extend(scalars);
    }

    /// Tells the watchdog what comes next, which is no step.
    fn turn_to(&self, what: impl FnOnce() -> String) {
        if let Some(watchdog) = &self.watchdog {
            watchdog.aside(&what());
        }
    }

    /// Steps that are made already.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// The newest checkpoint, which it goes on from: folder name and checksum.
    pub fn newest(&self) -> Option<(&str, &str)> {
        self.newest.as_ref().map(|(name, checksum)| (name.as_str(), checksum.as_str()))
    }

    /// Trains until the schedule ends or somebody stops it; the same outcome on all ranks.
    pub fn train(mut self) -> Result<Outcome, TrainError> {
        self.tell(Status::Running, None, "")?;
        match self.go() {
            Ok(Status::Done) => self.tell(Status::Done, Some(Exit::Done), ""),
            Ok(status) => self.tell(status, Some(Exit::Stopped), "asked to stop"),
            Err(error) => {
                // The error is what the caller should see, whatever becomes of the note about it.
                let _ = self.tell(Status::Failed, Some(error.exit()), &error.to_string());
                Err(error)
            }
        }
    }

    /// All steps that are left.
    fn go(&mut self) -> Result<Status, TrainError> {
        let Training { comm, cut, schedule, ref dataset, ref stop, max_wall, ref drills, .. } = *self.training;
        let records_per_step = (cut.global * self.stepper.batches()) as u64;
        let records = dataset.split(&self.training.loader.split)?.records();
        let mut scribe = agree(comm, Scribe::open(self.training, self.step, records_per_step, records))?;

        let noted = scribe.as_mut().filter(|_| !self.notes.is_empty());
        agree(comm, noted.map_or(Ok(()), |scribe| scribe.write(self.step, &self.notes)))?;

        // So that there is something to go back to from the first step on.
        if self.training.not_finite == NotFinite::Rollback && self.newest.is_none() {
            self.save(records_per_step, None, scribe.as_mut())?;
        }

        let validator = self.validator()?;
        let mut watch = Watch::default();
        let hosts = comm.gather(machine::host().as_bytes());
        let hosts = hosts.iter().map(|host| String::from_utf8_lossy(host).into_owned());
        let runs = (0..comm.ranks()).map(|rank| tree::leaves_of(rank, comm.ranks(), cut.microbatches));
        let mut stragglers = Stragglers::new(hosts, runs);
        let mut since = Since::new(self.stepper.spent());
        let mut trouble = None; // an error of this rank that the others do not know of yet
        let mut ahead = None; // what the next step works on, or why that cannot be had
        let started = self.started;
        let wants_to_stop = || stop.is_set() || max_wall.is_some_and(|wall| started.elapsed() >= wall);
        while self.step < schedule.steps {
            let begun = Instant::now();
            if let Some(watchdog) = &self.watchdog {
                watchdog.step(&format!("step {}", self.step + 1));
            }
            drills.begin(self.step + 1, stop);
            let loaded = match (trouble.take(), ahead.take()) {
                (Some(trouble), _) => Err(trouble),
                (None, Some(ahead)) => ahead,
                (None, None) => self.load(self.step + 1),
            };
            let skipped_rows = self.loader.skipped_rows();
            if self.training.overlap && self.step + 1 < schedule.steps {
                ahead = Some(self.load(self.step + 2));
            }
            let load_seconds = begun.elapsed().as_secs_f64();
            let first_ahead = ahead.as_ref().and_then(|ahead| ahead.as_ref().ok()?.first());
            let (ended, stopping) = self.stepper.step(self.step, loaded.as_deref().ok(), first_ahead, &wants_to_stop);
            let metrics = match ended {
                Ended::Accepted { metrics } => {
                    self.bad_steps_in_a_row = 0;
                    drills.flip(self.step + 1, &mut self.stepper);
                    metrics
                }
                Ended::NotFinite { what } => {
                    if let Some(end) = self.meet_bad_step(what)? {
                        self.save(records_per_step, None, scribe.as_mut())?;
                        return Err(end);
                    }
                    Vec::new()
                }
                Ended::Failed => {
                    agree::<Vec<Tensor>, _>(comm, loaded)?;
                    unreachable!("a step fails where some rank has no records");
                }
            };
            self.step += 1;
            let seconds = Seconds { load: load_seconds, step: begun.elapsed().as_secs_f64() };
            let skipped = Skipped { rows: skipped_rows, steps: self.step - self.stepper.kept_steps() };
            let last = self.step == schedule.steps;
            self.turn_to(|| format!("what comes after step {}", self.step));
            let due = validator.as_ref().filter(|_| last || self.step.is_multiple_of(schedule.validate_every));
            let scores = due.and_then(|validator| validator.measure(comm, &mut self.stepper));
            self.warn(watch.see(self.stepper.symptom(&metrics)), scores);
            let told =
                scribe.as_mut().map_or(Ok(()), |scribe| scribe.tell(self.step, &metrics, scores, seconds, skipped));
            // Before every checkpoint too: what is saved is what all ranks have.
            let saves = self.step.is_multiple_of(schedule.checkpoint_every) || stopping || last;
            since.add(seconds);
            if saves || self.step.is_multiple_of(schedule.compare_every) {
                let (odd, paces) = self.stepper.compare(since.pace(self.stepper.spent()));
                if let Some(odd) = odd {
                    return Err(TrainError::Odd { step: self.step, odd });
                }
                for told in stragglers.see(&paces).iter().filter(|_| comm.rank() == 0) {
                    log::warn!("step {}: {told}", self.step);
                }
            }
            if saves {
                agree(comm, told)?;
                self.save(records_per_step, scores, scribe.as_mut())?;
            } else {
                trouble = told.err();
            }
            if stopping && !last {
                return Ok(Status::Stopped);
            }
        }
        Ok(Status::Done)
    }

    /// This rank's microbatches `[b, ...]` of the step that comes next in the stream of data, number `step` from 1.
    fn load(&mut self, step: u64) -> Result<Vec<Tensor>, TrainError> {
        let Training { device, cut, ref drills, .. } = *self.training;
        let shape: Vec<i64> = [cut.microbatch()].iter().chain(&self.loader.shapes()[0]).map(|&n| n as i64).collect();
        let microbatches = self.stepper.batches() * self.stepper.run_of_microbatches().len();
        let one = |_| {
            let batch = self.loader.next()?;
            let records = Tensor::from_slice(&batch.values[0]).view(shape.as_slice()).to_device(device);
            self.loader.recycle(batch);
            Ok(records)
        };
        let mut records = (0..microbatches).map(one).collect();
        drills.spoil(step, &mut records);
        records
    }

    /// The step under way has changed nothing: goes on as the policy says, or gives the error that the run ends with.
    fn meet_bad_step(&mut self, what: String) -> Result<Option<TrainError>, TrainError> {
        let Training { comm, schedule, not_finite, .. } = *self.training;
        let (step, every) = (self.step + 1, schedule.checkpoint_every);
        self.bad_steps_in_a_row += 1;
        let consequence = match not_finite {
            NotFinite::Stop => return Ok(Some(TrainError::NotFinite { step, what })),
            NotFinite::Skip | NotFinite::Rollback if self.bad_steps_in_a_row == MOST_IN_A_ROW => {
                return Ok(Some(TrainError::NeverFinite { step, what }));
            }
            NotFinite::Skip => "step skipped".to_owned(),
            NotFinite::Rollback => {
                // Not the newest of all: that may be one that a stop left, which a run without the stop would not have.
                let (found, damaged) = agree(comm, checkpoint::newest_scheduled(&checkpoints(self.training), every))?;
                all_see_the_same(comm, found.as_ref())?;
                put_aside(comm, &damaged)?;
                let Some(found) = found else { return Ok(Some(TrainError::NoWayBack { step, what, every })) };
                let restored = self.stepper.restore(|slots| found.restore(slots));
                agree(comm, restored)?;
                format!("back to the weights of {}, on with the next step", name_of(found.folder()))
            }
        };
        if comm.rank() == 0 {
            log::warn!("step {step}: {what} is not finite, {consequence}");
        }
        Ok(None)
    }

    /// What measures the networks' work, where anything does.
    fn validator(&self) -> Result<Option<Validator>, TrainError> {
        let Training { comm, schedule, ref dataset, ref loader, .. } = *self.training;
        if schedule.validate_every == 0 {
            return Ok(None);
        }
        let transform = match loader.encodings.first() {
            None => dataset.manifest().modality().transform,
            Some(Encoding::Transform(transform)) => *transform,
            Some(Encoding::Codec(_)) => {
                let fault = "spectra are not measured in training, expected maps";
                return Err(DataError::Usage(fault.into()).into());
            }
        };
        Ok(Some(Validator::new(comm, dataset, schedule.validation_records, transform)?))
    }

    /// Says early that a run goes wrong, and where it was still well.
    fn warn(&self, symptom: Option<&'static str>, scores: Option<Scores>) {
        if self.training.comm.rank() != 0 {
            return;
        }
        let collapsed = scores.filter(Scores::has_collapsed);
        let told = symptom.map(|symptom| format!("{symptom}, for {PATIENCE} steps now")).or_else(|| {
            let ratio = collapsed?.variance_ratio;
            Some(format!(
                "generated maps hardly differ from one another: their variance is {ratio:.3} of that of the data"
            ))
        });
        if let Some(told) = told {
            let best = checkpoint::best(&checkpoints(self.training));
            let newest = self.newest.as_ref().map(|(name, _)| name.clone());
            let back = match (best, newest) {
                (Err(error), _) => format!("which checkpoint is the best cannot be told: {error}"),
                (Ok(Some(best)), _) => format!("the best checkpoint so far is {}", name_of(best.folder())),
                (Ok(None), Some(newest)) => format!("the newest checkpoint is {newest}"),
                (Ok(None), None) => "there is no checkpoint yet".into(),
            };
            log::warn!("step {}: {told}; {back}", self.step);
        }
    }

    /// Writes a checkpoint: rank 0 does, all learn how it went.
    fn save(
        &mut self,
        records_per_step: u64,
        scores: Option<Scores>,
        scribe: Option<&mut Scribe>,
    ) -> Result<(), TrainError> {
        let Training { comm, schedule, ref identity, not_finite, .. } = *self.training;
        if self.step == self.first_step && self.newest.is_some() {
            return Ok(()); // it is where it came from
        }
        self.turn_to(|| format!("the checkpoint of step {}", self.step));
        let checkpoints = checkpoints(self.training);
        let scores = scores.iter().flat_map(Scores::named).map(|(name, score)| (name.to_owned(), score)).collect();
        let best = schedule.best.filter(|_| schedule.validate_every > 0).map(Score::criterion);
        let state =
            State { scores, best, ..State::new(self.step, self.step * records_per_step, identity.table().clone()) };
        let written = if comm.rank() == 0 {
            let synced = scribe.map_or(Ok(()), Scribe::sync);
            synced.and_then(|()| {
                let saved = self.stepper.with_records(|records| checkpoint::save(&checkpoints, state, records))?;
                let way_back = (not_finite == NotFinite::Rollback).then_some(schedule.checkpoint_every);
                let keep = Keep { newest: schedule.keep_checkpoints, every: schedule.keep_every, way_back };
                checkpoint::keep(&checkpoints, keep)?;
                Ok(format!("{} {}", name_of(&saved.folder), saved.checksum))
            })
        } else {
            Ok(String::new())
        };
        let word = agree::<_, TrainError>(comm, written)?;
        let word = String::from_utf8(comm.broadcast(word.as_bytes())).expect("rank 0 sent text");
        self.newest = word.split_once(' ').map(|(folder, checksum)| (folder.to_owned(), checksum.to_owned()));
        self.tell(Status::Running, None, "").map(drop)
    }

    /// Says in `outcome.toml` where the run stands.
    fn tell(&self, status: Status, exit: Option<Exit>, reason: &str) -> Result<Outcome, TrainError> {
        let seconds = self.started.elapsed().as_secs_f64();
        let samples =
            ((self.step - self.first_step) as usize * self.stepper.batches() * self.training.cut.global) as f64;
        let (checkpoint, checksum) = self.newest.clone().unwrap_or_default();
        let outcome = Outcome {
            status,
            exit_code: exit.map(|exit| exit as u8),
            step: self.step,
            steps: self.training.schedule.steps,
            reason: reason.to_owned(),
            checkpoint,
            checksum,
            seconds,
            samples_per_second: samples / seconds,
        };
        let written = if self.training.comm.rank() == 0 {
            let path = self.training.folder.join("outcome.toml");
            outcome.write(self.training.folder).map_err(|source| TrainError::Io { path, source })
        } else {
            Ok(())
        };
        agree(self.training.comm, written)?;
        Ok(outcome)
    }
}

/// Fills the players from the newest whole checkpoint, if there is one: the steps made, its name and checksum.
fn resume<O: Objective>(
    training: &Training,
    stepper: &mut Stepper<O>,
) -> Result<(u64, Option<(String, String)>), TrainError> {
    let comm = training.comm;
    let (found, damaged) = agree(comm, open_newest(training))?;
    all_see_the_same(comm, found.as_ref())?;
    put_aside(comm, &damaged)?;
    let Some(checkpoint) = found else { return Ok((0, None)) };
    let restored = stepper.restore(|slots| checkpoint.restore(slots));
    agree(comm, restored)?;
    Ok((checkpoint.state.step, Some((name_of(checkpoint.folder()), checkpoint.checksum()))))
}

/// Names damaged checkpoints and takes them out of the way, so that the steps they stood for can be saved again.
fn put_aside(comm: &dyn Communicator, damaged: &[(PathBuf, CheckpointError)]) -> Result<(), TrainError> {
    let aside = damaged.iter().filter(|_| comm.rank() == 0).try_for_each(|(folder, fault)| {
        log::warn!("{fault}: not used");
        checkpoint::set_aside(folder)
    });
    Ok(agree(comm, aside)?)
}

/// Refuses ranks that were given different configurations, data or lengths.
fn all_do_the_same(training: &Training) -> Result<(), TrainError> {
    let told = format!("{:?} {}", training.schedule, training.identity.table());
    let all = training.comm.gather(&xxh3_64(told.as_bytes()).to_le_bytes());
    match all.iter().position(|word| *word != all[0]) {
        Some(rank) => Err(TrainError::Unlike { rank }),
        None => Ok(()),
    }
}

/// Refuses ranks that found different checkpoints.
fn all_see_the_same(comm: &dyn Communicator, found: Option<&Checkpoint>) -> Result<(), TrainError> {
    let seen = found.map_or("no checkpoint".to_owned(), |checkpoint| {
        format!("{} {}", checkpoint.folder().display(), checkpoint.checksum())
    });
    let all = comm.gather(seen.as_bytes());
    let word = |rank: usize| String::from_utf8_lossy(&all[rank]).into_owned();
    match all.iter().position(|word| *word != all[0]) {
        Some(rank) => Err(TrainError::Split { rank, there: word(rank), here: word(0) }),
        None => Ok(()),
    }
}

fn open_newest(training: &Training) -> Result<Newest, TrainError> {
    let folder = checkpoints(training);
    let (found, damaged) = checkpoint::newest(&folder)?;
    match &found {
        None if !damaged.is_empty() => return Err(TrainError::AllDamaged { folder }),
        None => {}
        Some(checkpoint) => checkpoint.belongs_to(&training.identity, &training.changed_by_hand)?,
    }
    Ok((found, damaged))
}

fn checkpoints(training: &Training) -> PathBuf {
    training.folder.join("checkpoints")
}

fn name_of(folder: &Path) -> String {
    folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
