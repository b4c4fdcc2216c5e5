//! Arguments of `skyforge report`.

use std::path::PathBuf;

use clap::Args;

use crate::app::{CommandError, report};
use crate::exit::Exit;

/// Write a run's report.html.
///
/// One file with its figures inside, made of what the run folder holds: what is not there yet is named in it.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  skyforge report runs/maps")]
pub struct Arguments {
    /// The run folder
    run: PathBuf,
    /// Where the report goes; RUN/report.html where it is not given
    #[arg(long)]
    out: Option<PathBuf>,
}

impl Arguments {
    /// Runs the command.
    pub fn run(&self) -> Result<Exit, CommandError> {
        report::run(&self.run, self.out.as_deref())
    }
}
