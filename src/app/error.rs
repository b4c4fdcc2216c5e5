//! Everything a command can fail with.

use std::path::PathBuf;

use crate::catalog::TableError;
use crate::checkpoint::CheckpointError;
use crate::comm::{Disagreement, There};
use crate::config::ConfigError;
use crate::data::DataError;
use crate::data::mask::MaskError;
use crate::device::DeviceError;
use crate::exit::{Ends, Exit};
use crate::family::AssessError;
use crate::family::spectra_gan::OffsetError;
use crate::family::spectra_gan::retrieval::CalibrationError;
use crate::infer::MapError;
use crate::ingest::IngestError;
use crate::launch::LaunchError;
use crate::ledger::LedgerError;
use crate::simulate::SimulateError;
use crate::statistics::StatisticsError;
use crate::train::TrainError;

/// Everything a command can fail with.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The command line asks for what cannot be.
    #[error("{0}")]
    Usage(String),
    /// A file of the command's own.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file that is not what it should be.
    #[error("{}: {fault}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what was wanted.
        fault: String,
    },
    /// A configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Data.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A mask.
    #[error(transparent)]
    Mask(#[from] MaskError),
    /// Offsets between instruments.
    #[error(transparent)]
    Offsets(#[from] OffsetError),
    /// A table.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A simulation.
    #[error(transparent)]
    Simulate(#[from] SimulateError),
    /// What is to be ingested.
    #[error(transparent)]
    Ingest(#[from] IngestError),
    /// A checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Training.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// Statistics.
    #[error(transparent)]
    Statistics(#[from] StatisticsError),
    /// What is made of records.
    #[error(transparent)]
    Map(#[from] MapError),
    /// A calibration.
    #[error(transparent)]
    Calibration(#[from] CalibrationError),
    /// What is evaluated, or the files of a run for its report.
    #[error(transparent)]
    Assess(#[from] AssessError),
    /// Shared work.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A campaign.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// What a stage of a campaign would fail with.
    #[error("stage `{stage}`: {error}")]
    Stage {
        /// Its name.
        stage: String,
        /// What it would say.
        error: Box<CommandError>,
    },
    /// A device.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// Another rank failed.
    #[error(transparent)]
    There(#[from] There),
    /// Ranks that cannot count.
    #[error("the {whose}'s sum over ranks is {value} at {place}, expected {wanted}")]
    WrongSum {
        /// Tree or library.
        whose: String,
        /// Which number.
        place: usize,
        /// What it is.
        value: f32,
        /// What it should be.
        wanted: f32,
    },
    /// Tasks that do not know of each other.
    #[error(
        "the launcher started {tasks} tasks, but {}: expected a build with MPI, of the launcher's own \
         MPI (with srun: --mpi=pmix or pmi2)",
        if *ranks == 1 { "this program is alone".to_owned() } else { format!("MPI knows of {ranks}") }
    )]
    Alone {
        /// How many.
        tasks: usize,
        /// How many of them are in the world of this one.
        ranks: usize,
    },
}

impl Ends for CommandError {
    fn exit(&self) -> Exit {
        match self {
            CommandError::Usage(_) => Exit::Usage,
            CommandError::Io { .. } => Exit::FileSystem,
            CommandError::Wrong { .. } | CommandError::Statistics(_) => Exit::Data,
            CommandError::Config(error) => error.exit(),
            CommandError::Data(error) => error.exit(),
            CommandError::Mask(error) => error.exit(),
            CommandError::Offsets(error) => error.exit(),
            CommandError::Table(error) => error.exit(),
            CommandError::Simulate(error) => error.exit(),
            CommandError::Ingest(error) => error.exit(),
            CommandError::Checkpoint(error) => error.exit(),
            CommandError::Train(error) => error.exit(),
            CommandError::Map(error) => error.exit(),
            CommandError::Calibration(error) => error.exit(),
            CommandError::Assess(error) => error.exit(),
            CommandError::Ledger(error) => error.exit(),
            CommandError::Device(error) => error.exit(),
            CommandError::There(there) => there.exit(),
            CommandError::Launch(error) => error.exit(),
            CommandError::Stage { error, .. } => error.exit(),
            CommandError::Alone { .. } | CommandError::WrongSum { .. } => Exit::Hardware,
        }
    }
}

impl CommandError {
    /// Adds the path to an error of the file system.
    pub fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| CommandError::Io { path, source }
    }
}

impl<E: Into<CommandError>> From<Disagreement<E>> for CommandError {
    fn from(disagreement: Disagreement<E>) -> Self {
        match disagreement {
            Disagreement::Here(error) => error.into(),
            Disagreement::There(there) => CommandError::There(there),
        }
    }
}
