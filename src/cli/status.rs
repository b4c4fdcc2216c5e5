//! Arguments of `skyforge status`.

use std::path::PathBuf;

use clap::Args;

/// Show the progress of a campaign, a run or a ledger.
///
/// Shows what is done, the rate, the remaining time, and failures with their reasons, from the files and, for a
/// campaign, from squeue and sacct if available. On a terminal the display is updated until all work is done; Ctrl-C
/// ends the display and leaves the work running.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  skyforge status runs/exogan
  watch -n 60 skyforge status --once runs/exogan/run")]
pub struct Arguments {
    /// Folder of a campaign, a run or a ledger
    pub path: PathBuf,
    /// Print the progress once, even on a terminal
    #[arg(long)]
    pub once: bool,
    /// Print the progress as JSON
    #[arg(long)]
    pub json: bool,
}
