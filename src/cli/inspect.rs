//! Arguments of `skyforge inspect`.

use std::path::PathBuf;

use clap::Args;

use crate::app::inspect::Look;

/// Describe a dataset, shard, table, checkpoint or run, and verify its checksums.
///
/// Every checksum is checked; what is damaged is named, with exit code 65. Ranges of a dataset's values come from blocks
/// all over it, or with --all from every one.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  skyforge inspect data/maps --png maps.png
  skyforge inspect runs/maps/checkpoints/step-0001000")]
pub struct Arguments {
    /// A dataset, checkpoint or run folder, a shard's .h5 file, or a table's .parquet file
    path: PathBuf,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
    /// Ranges of all values
    #[arg(long)]
    all: bool,
    /// Draws the first maps of a dataset or shard
    #[arg(long, value_name = "FILE")]
    png: Option<PathBuf>,
}

impl Arguments {
    pub fn look(self) -> (PathBuf, Look) {
        let Self { path, json, all, png } = self;
        (path, Look { json, all, png })
    }
}
