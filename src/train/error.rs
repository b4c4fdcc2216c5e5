//! Why a training run ends before its last step.

use std::path::PathBuf;

use super::bad_step::MOST_IN_A_ROW;
use super::compare::ParameterMismatch;
use super::metrics::MetricsError;
use crate::checkpoint::CheckpointError;
use crate::comm::{Disagreement, There};
use crate::data::DataError;
use crate::exit::{Ends, Exit};

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
    /// The trained model cannot be measured.
    #[error(
        "step {step}: the score `{score}` of the trained model is not a finite number, expected one: look at the values \
         of the model and of the validation records; the checkpoint {checkpoint} is kept"
    )]
    NoScore {
        /// The last step, from 1.
        step: u64,
        /// Which score.
        score: &'static str,
        /// The folder of the trained weights.
        checkpoint: String,
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
    #[error("step {step}: {mismatch}, expected the same bits on all ranks; not saved")]
    ParameterMismatch {
        /// The step, from 1.
        step: u64,
        /// Which.
        mismatch: ParameterMismatch,
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
            TrainError::ParameterMismatch { .. } => Exit::Hardware,
            TrainError::Io { .. } | TrainError::Split { .. } | TrainError::InUse { .. } => Exit::FileSystem,
            TrainError::NotFinite { .. }
            | TrainError::NeverFinite { .. }
            | TrainError::NoWayBack { .. }
            | TrainError::NoScore { .. }
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
