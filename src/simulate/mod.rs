//! The built-in skies: records made from a formula and a seed, the same wherever they are made.
//!
//! Convergence maps: background -> matter power -> angular power -> fields on a grid. Transmission spectra: see `spectra`.

pub mod convergence_power;
pub mod cosmology;
pub mod grid_power;
pub mod mass_maps;
pub mod matter_power;
pub mod spectra;

pub use convergence_power::ConvergencePower;
pub use cosmology::Cosmology;
pub use grid_power::Grid;
pub use mass_maps::{Field, MassMapSettings, MassMaps, Workspace};
pub use matter_power::MatterPower;

use std::path::{Path, PathBuf};

use crate::exit::{Ends, Exit};
use crate::files;

/// Why a sky cannot be simulated.
#[derive(Debug, thiserror::Error)]
pub enum SimulateError {
    /// A setting has a value that cannot be used.
    #[error("`{name}` is {value}, expected {wanted}")]
    Setting {
        /// Key of the setting.
        name: &'static str,
        /// What it is.
        value: String,
        /// What it should be.
        wanted: String,
    },
    /// A line of a table is wrong.
    #[error("{} line {line}: {problem}", path.display())]
    Table {
        /// The table.
        path: PathBuf,
        /// Line in the file, from 1.
        line: usize,
        /// What is wrong, and what was wanted.
        problem: String,
    },
    /// A table as a whole cannot be used.
    #[error("{}: {problem}", path.display())]
    WholeTable {
        /// The table.
        path: PathBuf,
        /// What is wrong, and what was wanted.
        problem: String,
    },
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

/// The text of a file that a user names.
pub(crate) fn read_text(path: &Path, wanted: &str) -> Result<String, SimulateError> {
    files::read_text(path, wanted).map_err(|source| match source.kind() {
        std::io::ErrorKind::InvalidData => {
            SimulateError::WholeTable { path: path.to_path_buf(), problem: format!("is no text, expected {wanted}") }
        }
        _ => SimulateError::Read { path: path.to_path_buf(), source },
    })
}

impl Ends for SimulateError {
    fn exit(&self) -> Exit {
        match self {
            Self::Setting { .. } => Exit::Usage,
            Self::Table { .. } | Self::WholeTable { .. } => Exit::Data,
            Self::Read { .. } => Exit::FileSystem,
        }
    }
}

impl SimulateError {
    /// A setting `name` that is `value` where `wanted` was expected.
    pub(crate) fn setting(name: &'static str, value: &dyn std::fmt::Display, wanted: impl Into<String>) -> Self {
        Self::Setting { name, value: value.to_string(), wanted: wanted.into() }
    }
}
