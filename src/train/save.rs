//! What a run leaves behind while it trains: checkpoints, `outcome.toml`, and warnings in the log.

use std::time::Instant;

use super::bad_step::NotFinite;
use super::error::TrainError;
use super::outcome::{Outcome, Status};
use super::recorder::RunRecorder;
use super::resume::{checkpoints, name_of};
use super::settings::Training;
use super::step::Stepper;
use super::validation::{Measured, Score};
use super::watch::PATIENCE;
use crate::checkpoint::{self, Keep, State};
use crate::comm::agree;
use crate::exit::Exit;

/// Where a run stands.
pub(super) struct Standing<'a> {
    pub training: &'a Training<'a>,
    pub started: Instant,
    /// Steps made, and how many of them before this program began.
    pub step: u64,
    pub first_step: u64,
    /// Records that a step takes, all ranks together.
    pub records_per_step: u64,
    /// The newest checkpoint: folder name and checksum.
    pub newest: Option<(String, String)>,
}

impl Standing<'_> {
    /// Says early that a run goes wrong, and where it was still well.
    pub fn warn(&self, symptom: Option<&'static str>, measured: Option<&Measured>) {
        if self.training.comm.rank() != 0 {
            return;
        }
        let told = symptom.map(|symptom| format!("{symptom}, for {PATIENCE} steps now"));
        let told = told.or_else(|| measured?.warning.clone());
        let told = told.or_else(|| Some(format!("the score `{}` is not a finite number", measured?.missing()?)));
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

    /// Why a run whose last validation gave no number for `score` is not done.
    pub fn no_score(&self, score: &'static str) -> TrainError {
        let checkpoint = self.newest.as_ref().map_or_else(String::new, |(name, _)| name.clone());
        TrainError::NoScore { step: self.step, score, checkpoint }
    }

    /// Whether a checkpoint of this step is there, since the run resumed from it.
    pub fn is_saved(&self) -> bool {
        self.step == self.first_step && self.newest.is_some()
    }

    /// Writes a checkpoint: rank 0 does, all learn how it went.
    pub fn save(
        &mut self,
        stepper: &mut Stepper,
        measured: Option<&Measured>,
        recorder: Option<&mut RunRecorder>,
    ) -> Result<(), TrainError> {
        let Training { comm, schedule, ref identity, not_finite, .. } = *self.training;
        if self.is_saved() {
            return Ok(());
        }
        let checkpoints = checkpoints(self.training);
        let scores = measured.iter().flat_map(|measured| &measured.scores);
        let scores = scores.map(|(name, score)| ((*name).to_owned(), *score)).collect();
        let best = schedule.best.filter(|_| schedule.validate_every > 0).map(Score::criterion);
        let position = self.step * self.records_per_step;
        let state = State { scores, best, ..State::new(self.step, position, identity.table().clone()) };
        let written = if comm.rank() == 0 {
            let synced = recorder.map_or(Ok(()), RunRecorder::sync);
            synced.and_then(|()| {
                let saved = stepper.with_records(|records| checkpoint::save(&checkpoints, state, records))?;
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
    pub fn tell(&self, status: Status, exit: Option<Exit>, reason: &str) -> Result<Outcome, TrainError> {
        let seconds = self.started.elapsed().as_secs_f64();
        let samples = ((self.step - self.first_step) * self.records_per_step) as f64;
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
