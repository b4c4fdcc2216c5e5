//! Arguments of `skyforge status`.

use std::path::PathBuf;

use clap::Args;

/// Show the progress of a campaign, a run or a ledger.
///
/// What is done, how fast, how long the rest takes, and what failed for which reason: from the files, and from squeue and sacct where they
/// answer. On a terminal it follows the work to its end; Ctrl-C leaves the work alone.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  skyforge status runs/exogan
  watch -n 60 skyforge status --once runs/exogan/run")]
pub struct Arguments {
    /// The folder of a campaign, a run or a ledger
    pub path: PathBuf,
    /// Looks once, on a terminal too
    #[arg(long)]
    pub once: bool,
    /// Print it as JSON
    #[arg(long)]
    pub json: bool,
}
