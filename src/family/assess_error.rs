//! What can go wrong while a family evaluates records or reads the files of a run for its report.

use std::io;
use std::path::PathBuf;

use crate::catalog::TableError;
use crate::data::DataError;
use crate::exit::{Ends, Exit};
use crate::statistics::StatisticsError;

/// Why something cannot be evaluated or reported.
#[derive(Debug, thiserror::Error)]
pub enum AssessError {
    /// A file that cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file that is not what it should be.
    #[error("{}: {fault}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what was wanted.
        fault: String,
    },
    /// Data.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A table.
    #[error(transparent)]
    Table(#[from] TableError),
    /// Statistics.
    #[error(transparent)]
    Statistics(#[from] StatisticsError),
}

impl AssessError {
    /// That the file or folder at `path` is not what it should be.
    pub fn wrong(path: impl Into<PathBuf>, fault: impl Into<String>) -> Self {
        Self::Wrong { path: path.into(), fault: fault.into() }
    }
}

impl Ends for AssessError {
    fn exit(&self) -> Exit {
        match self {
            Self::Io { .. } => Exit::FileSystem,
            Self::Wrong { .. } | Self::Statistics(_) => Exit::Data,
            Self::Data(error) => error.exit(),
            Self::Table(error) => error.exit(),
        }
    }
}
