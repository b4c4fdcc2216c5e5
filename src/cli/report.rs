//! Arguments of `skyforge report`.

use std::path::PathBuf;

use clap::Args;

/// Write a run's report.html.
///
/// One file with its figures inside, made of what the run folder holds: what is not there yet is named in it.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  skyforge report runs/maps")]
pub struct Arguments {
    /// The run folder
    pub run: PathBuf,
    /// Where the report goes; RUN/report.html where it is not given
    #[arg(long)]
    pub out: Option<PathBuf>,
}
