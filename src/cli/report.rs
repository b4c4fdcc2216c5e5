//! Arguments of `skyforge report`.

use std::path::PathBuf;

use clap::Args;

/// Write the HTML report of a run.
///
/// The report is one file that contains its figures. It shows the results in the run folder, and names those that do
/// not exist yet.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  skyforge report runs/maps")]
pub struct Arguments {
    /// Run folder
    pub run: PathBuf,
    /// Output file, HTML [default: RUN/report.html]
    #[arg(long)]
    pub out: Option<PathBuf>,
}
