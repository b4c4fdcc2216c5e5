//! Arguments of `skyforge inspect`.

use std::path::PathBuf;

use clap::Args;

use crate::app::inspect::Look;

/// Describe a dataset, shard, table, checkpoint or run, and verify its checksums.
///
/// All checksums are verified; damaged files are named, and the exit code is 65. The ranges of the values of a dataset
/// are computed from blocks spread over it, or from all blocks with --all.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  skyforge inspect data/maps --png maps.png
  skyforge inspect runs/maps/checkpoints/step-0001000")]
pub struct Arguments {
    /// Dataset, checkpoint or run folder, .h5 file of a shard, or .parquet file of a table
    path: PathBuf,
    /// Print the description as JSON
    #[arg(long)]
    json: bool,
    /// Compute the ranges of values from all blocks, which reads the whole dataset
    #[arg(long)]
    all: bool,
    /// Draw the first 16 maps, or spectra as images, of a dataset or shard to this PNG file
    #[arg(long, value_name = "FILE")]
    png: Option<PathBuf>,
}

impl Arguments {
    pub fn look(self) -> (PathBuf, Look) {
        let Self { path, json, all, png } = self;
        (path, Look { json, all, png })
    }
}
