//! From which checkpoint a run goes on, at its start and after a step that is not finite; all ranks from the same one.

use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

use super::bad_step::{MOST_IN_A_ROW, NotFinite};
use super::error::TrainError;
use super::settings::Training;
use super::step::Stepper;
use crate::checkpoint::{self, Checkpoint, CheckpointError, Newest};
use crate::comm::{Communicator, agree};

/// Fills the networks from the newest whole checkpoint, if there is one: the steps made, its name and checksum.
pub(super) fn resume(
    training: &Training,
    stepper: &mut Stepper,
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
pub(super) fn put_aside(comm: &dyn Communicator, damaged: &[(PathBuf, CheckpointError)]) -> Result<(), TrainError> {
    let aside = damaged.iter().filter(|_| comm.rank() == 0).try_for_each(|(folder, fault)| {
        log::warn!("{fault}: not used");
        checkpoint::set_aside(folder)
    });
    Ok(agree(comm, aside)?)
}

/// Refuses ranks that were given different configurations, data or lengths.
pub(super) fn all_do_the_same(training: &Training) -> Result<(), TrainError> {
    let told = format!("{:?} {}", training.schedule, training.identity.table());
    let all = training.comm.gather(&xxh3_64(told.as_bytes()).to_le_bytes());
    match all.iter().position(|word| *word != all[0]) {
        Some(rank) => Err(TrainError::Unlike { rank }),
        None => Ok(()),
    }
}

/// Refuses ranks that found different checkpoints.
pub(super) fn all_see_the_same(comm: &dyn Communicator, found: Option<&Checkpoint>) -> Result<(), TrainError> {
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

/// The folder of a run's checkpoints.
pub(super) fn checkpoints(training: &Training) -> PathBuf {
    training.folder.join("checkpoints")
}

/// The last part of a path.
pub(super) fn name_of(folder: &Path) -> String {
    folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// What follows a step that is not finite and has changed nothing: `Ok(None)` where the run goes on with the next step,
/// else the error that it ends with.
///
/// - `step`: from 1; `in_a_row`: such steps up to and with this one
pub(super) fn meet_bad_step(
    training: &Training,
    stepper: &mut Stepper,
    step: u64,
    in_a_row: u64,
    what: String,
) -> Result<Option<TrainError>, TrainError> {
    let Training { comm, schedule, not_finite, .. } = *training;
    let every = schedule.checkpoint_every;
    let consequence = match not_finite {
        NotFinite::Stop => return Ok(Some(TrainError::NotFinite { step, what })),
        NotFinite::Skip | NotFinite::Rollback if in_a_row == MOST_IN_A_ROW => {
            return Ok(Some(TrainError::NeverFinite { step, what }));
        }
        NotFinite::Skip => "step skipped".to_owned(),
        NotFinite::Rollback => {
            // Not the newest of all: that may be one that a stop left, which a run without the stop would not have.
            let (found, damaged) = agree(comm, checkpoint::newest_scheduled(&checkpoints(training), every))?;
            all_see_the_same(comm, found.as_ref())?;
            put_aside(comm, &damaged)?;
            let Some(found) = found else { return Ok(Some(TrainError::NoWayBack { step, what, every })) };
            let restored = stepper.restore(|slots| found.restore(slots));
            agree(comm, restored)?;
            format!("back to the weights of {}, on with the next step", name_of(found.folder()))
        }
    };
    if comm.rank() == 0 {
        log::warn!("step {step}: {what} is not finite, {consequence}");
    }
    Ok(None)
}
