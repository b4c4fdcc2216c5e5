//! From a verb to an exit code.

use std::io::Write;
use std::path::PathBuf;

use super::logging;
use super::session::Session;
use crate::checkpoint::CheckpointError;
use crate::comm::Disagreement;
use crate::config::ConfigError;
use crate::data::DataError;
use crate::exit::Exit;
use crate::simulate::SimulateError;
use crate::statistics::StatisticsError;
use crate::trainer::TrainError;

/// Everything a verb can fail with.
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
    /// A simulation.
    #[error(transparent)]
    Simulate(#[from] SimulateError),
    /// A checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Training.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// Statistics.
    #[error(transparent)]
    Statistics(#[from] StatisticsError),
    /// Another rank failed and says so itself.
    #[error("stopped with rank {rank}: {message}")]
    There {
        /// That rank.
        rank: usize,
        /// What it said.
        message: String,
    },
}

impl CommandError {
    /// How the program ends with it.
    pub fn exit(&self) -> Exit {
        match self {
            CommandError::Usage(_) => Exit::Usage,
            CommandError::Io { .. } => Exit::FileSystem,
            CommandError::Wrong { .. } | CommandError::Statistics(_) => Exit::Data,
            CommandError::Config(error) => error.exit(),
            CommandError::Data(error) => error.exit(),
            CommandError::Simulate(error) => error.exit(),
            CommandError::Checkpoint(error) => error.exit(),
            CommandError::Train(error) => error.exit(),
            CommandError::There { .. } => Exit::Hardware,
        }
    }

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
            Disagreement::There { rank, message } => CommandError::There { rank, message },
        }
    }
}

/// Runs a verb on this rank and says how the program ends.
pub fn run(verb: impl FnOnce(&Session) -> Result<Exit, CommandError>) -> Exit {
    let session = Session::start();
    match verb(&session) {
        Ok(exit) => exit,
        Err(error) => {
            // Rank 0 speaks for all; what another rank has to say is in its log, and in rank 0's sentence.
            logging::error(session.rank(), &error.to_string());
            error.exit()
        }
    }
}

/// Says why the command line cannot be read, in a line; or shows the help that was asked for.
pub fn refuse(error: &clap::Error) -> Exit {
    use clap::error::ErrorKind::{DisplayHelp, DisplayVersion};
    if matches!(error.kind(), DisplayHelp | DisplayVersion) {
        let _ = error.print();
        return Exit::Done;
    }
    // clap writes a paragraph; the first line says what, the lines that begin with "tip:" what was wanted.
    let text = error.to_string();
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut sentence = lines.next().unwrap_or("error: wrong command line").to_owned();
    let rest: Vec<&str> = lines.collect();
    if sentence.ends_with(':') {
        let listed: Vec<&str> = rest.iter().copied().take_while(|line| !line.starts_with("Usage")).collect();
        sentence = format!("{sentence} {}", listed.join(", "));
    }
    for tip in rest.iter().filter_map(|line| line.strip_prefix("tip: ")) {
        sentence = format!("{sentence}; {tip}");
    }
    if matches!(error.kind(), clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand) {
        sentence = format!("error: expected a verb; {}", "skyforge --help lists them");
    }
    let _ = writeln!(std::io::stderr(), "{sentence}");
    Exit::Usage
}
