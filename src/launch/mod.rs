//! From what is wanted (a job file) and what a cluster is (a site file) to batch scripts, their order, and what SLURM says of them.
//!
//! This room starts no work itself and knows no command: `app/submit` joins it to what a stage's words mean.

mod amount;
pub mod campaign;
pub mod job;
pub mod plan;
pub mod quote;
pub mod script;
pub mod site;
pub mod slurm;

use std::path::{Path, PathBuf};

pub use amount::{Memory, Wall};
pub use campaign::Campaign;
pub use job::{Job, Stage};
pub use plan::{Kind, Planned};
pub use site::Site;

use crate::exit::{Ends, Exit};
use crate::{config, files, one_line};

/// What is wrong with a job, a site, or a campaign's record, or what SLURM refuses.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is not the TOML that is wanted.
    #[error("{}: {fault}", path.display())]
    Text {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what was wanted.
        fault: String,
    },
    /// A stage that this site, or any, cannot have.
    #[error("stage `{stage}`: {fault}")]
    Stage {
        /// Its name.
        stage: String,
        /// What is wrong, and what was wanted.
        fault: String,
    },
    /// SLURM says no.
    #[error("{command}: {said}")]
    Refused {
        /// Which of its programs, and what it was asked for.
        command: String,
        /// Its answer.
        said: String,
    },
    /// sbatch has ended well and its answer has no number of a job.
    #[error(
        "sbatch: `{said}` has no line NUMBER or NUMBER;CLUSTER, but a job may have been submitted: find it with \
         `squeue --me --name={name}` and end it with `scancel NUMBER` before the stage is submitted again"
    )]
    Unnumbered {
        /// The name of the job.
        name: String,
        /// What came instead of a number.
        said: String,
    },
    /// SLURM says nothing.
    #[error("{command}: {said}, expected the programs of SLURM and an answer of its controller")]
    Silent {
        /// Which of its programs.
        command: String,
        /// What came instead of an answer.
        said: String,
    },
}

impl Ends for LaunchError {
    fn exit(&self) -> Exit {
        match self {
            LaunchError::Io { .. } => Exit::FileSystem,
            LaunchError::Text { .. } | LaunchError::Stage { .. } | LaunchError::Refused { .. } => Exit::Usage,
            LaunchError::Silent { .. } | LaunchError::Unnumbered { .. } => Exit::Hardware,
        }
    }
}

impl LaunchError {
    /// Adds the path to an error of the file system.
    fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| LaunchError::Io { path, source }
    }
}

/// Reads a file of TOML, unknown keys refused.
fn read<T: serde::de::DeserializeOwned>(path: &Path, wanted: &str) -> Result<T, LaunchError> {
    let there = files::expect_file(path, wanted);
    let text = there.and_then(|()| std::fs::read_to_string(path)).map_err(LaunchError::io(path))?;
    parse(path, &text)
}

/// The same for a text that was read from `path`.
fn parse<T: serde::de::DeserializeOwned>(path: &Path, text: &str) -> Result<T, LaunchError> {
    let wrong = |fault: String| LaunchError::Text { path: path.to_owned(), fault };
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| wrong(one_line::toml(&error, text)))?;
    config::read(toml::Value::Table(table)).map_err(wrong)
}
