//! Arguments of `skyforge try-stacks`, which `ingest` starts.

use std::path::PathBuf;

use clap::Args;

/// Read HDF5 files in a process of its own, which a damaged file may kill.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Path of the dataset in each file
    #[arg(long)]
    pub dataset: Option<String>,
    /// They hold spectra, to be read as this JSON says
    #[arg(long)]
    pub spectra: Option<String>,
    /// The files
    #[arg(required = true)]
    pub inputs: Vec<PathBuf>,
}
