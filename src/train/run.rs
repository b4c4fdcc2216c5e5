//! The training loop: from the newest checkpoint, step after step, to the last one or to an orderly stop.

use std::sync::Arc;
use std::time::Instant;

use tch::Device;

use super::averaged::RECALIBRATION_BATCHES;
use super::bad_step::NotFinite;
use super::error::TrainError;
use super::outcome::{Outcome, Status};
use super::recorder::{RunRecorder, Skipped};
use super::resume::{all_do_the_same, meet_bad_step, resume};
use super::save::Standing;
use super::settings::Training;
use super::step::{Ended, Stepper};
use super::straggler::{Seconds, Since, Stragglers};
use super::validation::{Measured, Validator};
use super::watch::Watch;
use crate::comm::{Watchdog, agree, tree};
use crate::data::Batch;
use crate::data::loader::{BatchPlan, Loader, LoaderSettings};
use crate::exit::{Ends, Exit};
use crate::machine;
use crate::objective::Objective;
use crate::optim::AdamSettings;
use crate::rng::Draw;

/// A run that is ready to go on from where it stands.
pub struct Run<'a> {
    training: &'a Training<'a>,
    standing: Standing<'a>,
    stepper: Stepper<'a>,
    loader: Loader,
    bad_steps_in_a_row: u64,
    watchdog: Option<Watchdog>,
    /// What is told in the metrics before the first step.
    notes: Vec<(&'static str, f64)>,
}

/// What a run observes of itself from step to step.
struct Observers {
    recorder: Option<RunRecorder>,
    validator: Option<Box<dyn Validator>>,
    watch: Watch,
    stragglers: Stragglers,
    since: Since,
}

/// A step that is over.
struct Finished {
    metrics: Vec<(String, f64)>,
    seconds: Seconds,
    skipped: Skipped,
    stopping: bool,
    last: bool,
}

impl<'a> Run<'a> {
    /// Goes to the newest whole checkpoint, if the run folder has any, and starts to load. Nothing is written but the
    /// names of damaged checkpoints, which are set aside.
    pub fn start(
        training: &'a Training<'a>,
        objective: &'a dyn Objective,
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
        let records_per_step = (training.cut.global * stepper.batches()) as u64;
        let position = step * records_per_step;
        let loader = agree(comm, Loader::new(Arc::clone(&training.dataset), &training.loader, plan, position))?;
        let started = Instant::now();
        Ok(Self {
            training,
            standing: Standing { training, started, step, first_step: step, records_per_step, newest },
            stepper,
            loader,
            bad_steps_in_a_row: 0,
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
        self.standing.step
    }

    /// The newest checkpoint, which it goes on from: folder name and checksum.
    pub fn newest(&self) -> Option<(&str, &str)> {
        self.standing.newest.as_ref().map(|(name, checksum)| (name.as_str(), checksum.as_str()))
    }

    /// Trains until the schedule ends or somebody stops it; the same outcome on all ranks.
    pub fn train(mut self) -> Result<Outcome, TrainError> {
        self.standing.tell(Status::Running, None, "")?;
        match self.go() {
            Ok(Status::Done) => self.standing.tell(Status::Done, Some(Exit::Done), ""),
            Ok(status) => self.standing.tell(status, Some(Exit::Stopped), "asked to stop"),
            Err(error) => {
                // The error is what the caller should see, whatever becomes of the note about it.
                let _ = self.standing.tell(Status::Failed, Some(error.exit()), &error.to_string());
                Err(error)
            }
        }
    }

    /// All steps that are left.
    fn go(&mut self) -> Result<Status, TrainError> {
        let Training { schedule, ref stop, max_wall, ref drills, overlap, .. } = *self.training;
        let mut observers = self.observers()?;
        let mut trouble = None; // an error of this rank that the others do not know of yet
        let mut ahead = None; // what the next step works on, or why that cannot be had
        let started = self.standing.started;
        let wants_to_stop = || stop.is_set() || max_wall.is_some_and(|wall| started.elapsed() >= wall);
        while self.standing.step < schedule.steps {
            let begun = Instant::now();
            if let Some(watchdog) = &self.watchdog {
                watchdog.step(&format!("step {}", self.standing.step + 1));
            }
            drills.begin(self.standing.step + 1, stop);
            let loaded = match (trouble.take(), ahead.take()) {
                (Some(trouble), _) => Err(trouble),
                (None, Some(ahead)) => ahead,
                (None, None) => self.load(self.standing.step + 1),
            };
            let rows = self.loader.skipped_rows();
            if overlap && self.standing.step + 1 < schedule.steps {
                ahead = Some(self.load(self.standing.step + 2));
            }
            let load = begun.elapsed().as_secs_f64();
            let first_ahead = ahead.as_ref().and_then(|ahead| ahead.as_ref().ok()?.first());
            let (ended, stopping) =
                self.stepper.step(self.standing.step, loaded.as_deref().ok(), first_ahead, &wants_to_stop);
            let metrics = self.accept(ended, loaded, observers.recorder.as_mut())?;
            self.standing.step += 1;
            let seconds = Seconds { load, step: begun.elapsed().as_secs_f64() };
            let skipped = Skipped { rows, steps: self.standing.step - self.stepper.kept_steps() };
            let last = self.standing.step == schedule.steps;
            trouble = self.conclude(&mut observers, &Finished { metrics, seconds, skipped, stopping, last })?;
            if stopping && !last {
                return Ok(Status::Stopped);
            }
        }
        Ok(Status::Done)
    }

    /// Opens the records of the run, and what batch moments and scores are computed from. Saves a first checkpoint where the
    /// run may have to go back to one.
    fn observers(&mut self) -> Result<Observers, TrainError> {
        let Training { comm, cut, ref dataset, .. } = *self.training;
        let records = dataset.split(&self.training.loader.split)?.records();
        let mut recorder =
            agree(comm, RunRecorder::open(self.training, self.standing.step, self.standing.records_per_step, records))?;
        let noted = recorder.as_mut().filter(|_| !self.notes.is_empty());
        agree(comm, noted.map_or(Ok(()), |recorder| recorder.write(self.standing.step, &self.notes)))?;
        if self.stepper.needs_records() {
            self.turn_to(|| "the records of batch moments".to_owned());
            let records = recalibration_records(self.training, self.stepper.recalibration_size() as usize);
            self.stepper.recalibrate_on(agree(comm, records)?);
        }
        if self.training.not_finite == NotFinite::Rollback && self.standing.newest.is_none() {
            self.save(None, recorder.as_mut())?;
        }
        self.turn_to(|| "what is measured".to_owned());
        let validator = (self.training.validator)()?;
        let hosts = comm.gather(machine::host().as_bytes());
        let hosts = hosts.iter().map(|host| String::from_utf8_lossy(host).into_owned());
        let runs = (0..comm.ranks()).map(|rank| tree::leaves_of(rank, comm.ranks(), cut.microbatches));
        let stragglers = Stragglers::new(hosts, runs);
        let since = Since::new(self.stepper.spent());
        Ok(Observers { recorder, validator, watch: Watch::default(), stragglers, since })
    }

    /// Writes a checkpoint.
    fn save(&mut self, measured: Option<&Measured>, recorder: Option<&mut RunRecorder>) -> Result<(), TrainError> {
        if !self.standing.is_saved() {
            self.turn_to(|| format!("the checkpoint of step {}", self.standing.step));
        }
        self.standing.save(&mut self.stepper, measured, recorder)
    }

    /// The metrics of a good step; none after one that the run goes on from without an update.
    fn accept(
        &mut self,
        ended: Ended,
        loaded: Result<Vec<Batch>, TrainError>,
        recorder: Option<&mut RunRecorder>,
    ) -> Result<Vec<(String, f64)>, TrainError> {
        match ended {
            Ended::Accepted { metrics } => {
                self.bad_steps_in_a_row = 0;
                self.training.drills.flip(self.standing.step + 1, &mut self.stepper);
                Ok(metrics)
            }
            Ended::NotFinite { what } => {
                self.bad_steps_in_a_row += 1;
                let (step, in_a_row) = (self.standing.step + 1, self.bad_steps_in_a_row);
                if let Some(end) = meet_bad_step(self.training, &mut self.stepper, step, in_a_row, what)? {
                    self.save(None, recorder)?;
                    return Err(end);
                }
                Ok(Vec::new())
            }
            Ended::Failed => {
                agree::<Vec<Batch>, _>(self.training.comm, loaded)?;
                unreachable!("a step fails where some rank has no records");
            }
        }
    }

    /// What follows a step: validation, records, comparison of ranks, a checkpoint, each when it is due. Returns an error
    /// of this rank that the others do not know of yet.
    fn conclude(&mut self, observers: &mut Observers, finished: &Finished) -> Result<Option<TrainError>, TrainError> {
        let Training { comm, schedule, .. } = *self.training;
        let Observers { recorder, validator, watch, stragglers, since } = observers;
        let Finished { metrics, seconds, skipped, stopping, last } = finished;
        self.turn_to(|| format!("what comes after step {}", self.standing.step));
        let due = validator.as_ref().filter(|_| *last || self.standing.step.is_multiple_of(schedule.validate_every));
        // Where nothing can be measured the step is saved all the same, and the run ends after that.
        let (measured, unmeasured) = match due.map(|validator| validator.measure(comm, &mut self.stepper)).transpose() {
            Ok(measured) => (measured, None),
            Err(error) => (None, Some(TrainError::from(error))),
        };
        self.standing.warn(watch.see(self.stepper.symptom(metrics)), measured.as_ref());
        let told = match recorder {
            Some(recorder) => recorder.tell(self.standing.step, metrics, measured.as_ref(), *seconds, *skipped),
            None => Ok(()),
        };
        // Before every checkpoint too: what is saved is what all ranks have.
        let saves = self.standing.step.is_multiple_of(schedule.checkpoint_every) || *stopping || *last;
        since.add(*seconds);
        if saves || self.standing.step.is_multiple_of(schedule.compare_every) {
            let (mismatch, paces) = self.stepper.compare(since.pace(self.stepper.spent()));
            if let Some(mismatch) = mismatch {
                return Err(TrainError::ParameterMismatch { step: self.standing.step, mismatch });
            }
            for told in stragglers.see(&paces).iter().filter(|_| comm.rank() == 0) {
                log::warn!("step {}: {told}", self.standing.step);
            }
        }
        if !saves {
            return Ok(told.err()); // steps that are measured are saved
        }
        agree(comm, told)?;
        self.save(measured.as_ref(), recorder.as_mut())?;
        if let Some(error) = unmeasured {
            return Err(error);
        }
        // An earlier validation may have no number: a model that is better later is fine.
        match measured.filter(|_| *last).and_then(|measured| measured.missing()) {
            Some(score) => Err(self.standing.no_score(score)),
            None => Ok(None),
        }
    }

    /// This rank's microbatches of the step that comes next in the stream of data, number `step` from 1.
    fn load(&mut self, step: u64) -> Result<Vec<Batch>, TrainError> {
        let Training { device, ref drills, .. } = *self.training;
        let microbatches = self.stepper.batches() * self.stepper.run_of_microbatches().len();
        let mut records = (0..microbatches).map(|_| self.loader.next_batch(device).map_err(TrainError::from)).collect();
        drills.spoil(step, &mut records);
        records
    }
}

/// Blocks whose records are shuffled together for batch moments: enough that neighbours on disk are not all there is.
const RECALIBRATION_WINDOW: usize = 4;

/// Records of the training split that batch moments of averaged weights are computed from, on the host: the first of the
/// run's order with a small window, the same on all ranks.
fn recalibration_records(training: &Training, size: usize) -> Result<Vec<Batch>, TrainError> {
    let plan = BatchPlan { global: size, microbatches: 1, mine: 0..1, seed: training.seed };
    let window_blocks = training.loader.window_blocks.min(RECALIBRATION_WINDOW);
    let settings = LoaderSettings { window_blocks, ..training.loader.clone() };
    let mut loader = Loader::new(Arc::clone(&training.dataset), &settings, plan, 0)?;
    (0..RECALIBRATION_BATCHES).map(|_| loader.next_batch(Device::Cpu).map_err(TrainError::from)).collect()
}
