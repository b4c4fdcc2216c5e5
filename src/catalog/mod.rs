//! Catalogues: tables with a row an object, as Parquet files that pandas opens.

pub mod by_ranks;
pub mod parquet_file;
pub mod table;

pub use by_ranks::write_by_ranks;
pub use table::{Column, Metadata, Table, Values};

use std::io;
use std::path::{Path, PathBuf};

use crate::exit::{Ends, Exit};

/// What can be wrong with a table on disk.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// It cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Something else than a table.
    #[error("{}: is no Parquet file, expected a table", path.display())]
    NotParquet {
        /// Which.
        path: PathBuf,
    },
    /// Its end is missing.
    #[error("{}: is cut off, expected a Parquet file with its end", path.display())]
    CutOff {
        /// Which.
        path: PathBuf,
    },
    /// It is not what was written.
    #[error("{}: is damaged: checksum {found:016x}, expected {wanted:016x}", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// The checksum of what was read.
        found: u64,
        /// The checksum of what was written.
        wanted: u64,
    },
    /// Another program's table, or another version's.
    #[error("{}: {reason}", path.display())]
    Foreign {
        /// Which.
        path: PathBuf,
        /// Why not, and what was wanted.
        reason: String,
    },
    /// It does not hold what it should.
    #[error("{}: {fault}", path.display())]
    Column {
        /// Which.
        path: PathBuf,
        /// What is wrong with which column.
        fault: ColumnFault,
    },
}

/// What can be wrong with a column.
#[derive(Debug, thiserror::Error)]
pub enum ColumnFault {
    /// It is not there.
    #[error("has no column `{name}`, expected one of {wanted}")]
    Missing {
        /// Its name.
        name: String,
        /// The type that it should have.
        wanted: &'static str,
    },
    /// It holds something else.
    #[error("column `{name}` is of {found}, expected {wanted}")]
    Type {
        /// Its name.
        name: String,
        /// The type it has.
        found: &'static str,
        /// The type that it should have.
        wanted: &'static str,
    },
}

impl Ends for TableError {
    fn exit(&self) -> Exit {
        match self {
            Self::File { .. } => Exit::FileSystem,
            Self::NotParquet { .. }
            | Self::CutOff { .. }
            | Self::Damaged { .. }
            | Self::Foreign { .. }
            | Self::Column { .. } => Exit::Data,
        }
    }
}

impl TableError {
    fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::File { path, source }
    }

    pub(crate) fn column(path: &Path) -> impl FnOnce(ColumnFault) -> Self {
        let path = path.to_path_buf();
        move |fault| Self::Column { path, fault }
    }
}
