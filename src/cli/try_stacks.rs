//! Arguments of `skyforge try-stacks`, which `ingest` starts.

use std::path::PathBuf;

use clap::Args;

/// Read HDF5 files in a separate process, which a damaged file may crash.
///
/// `skyforge ingest` runs this command before it reads the files itself. It prints the number of each file, from 0,
/// before reading it.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  skyforge try-stacks --dataset kappa maps.h5")]
pub struct Arguments {
    /// Path of the dataset in each file [default: the only dataset of maps in the root group]
    #[arg(long)]
    pub dataset: Option<String>,
    /// Read spectra instead of maps, with these settings, JSON
    #[arg(long)]
    pub spectra: Option<String>,
    /// HDF5 files
    #[arg(required = true)]
    pub inputs: Vec<PathBuf>,
}
