//! Arguments of `skyforge restore`.

use std::path::PathBuf;

use clap::Args;

use super::options::{LedgerArguments, WhichArguments};
use crate::app::restore::Request;

/// Reconstruct the records of a dataset.
///
/// OUT has the records of DATASET in their order, with their ids, labels and splits, as the run reconstructs them. The log says how
/// far they are from those of DATASET, and how far the mean of each record would be. A reconstruction is the same on any number of ranks, and
/// whatever its neighbours are.
///
/// With --ledger any number of workers share the records: ranks, processes, tasks of an array. The same command joins the
/// work or goes on with it; `skyforge ledger merge LEDGER --out OUT` writes the dataset.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  mpirun -n 2 skyforge restore runs/autoencoder data/maps --out data/restored
  skyforge evaluate data/restored --against data/maps --out statistics.json")]
pub struct Arguments {
    /// The run folder
    run: PathBuf,
    /// The dataset of records such as the run learned from
    dataset: PathBuf,
    /// The dataset folder, which must not hold one yet
    #[arg(long, required_unless_present = "ledger")]
    out: Option<PathBuf>,
    #[command(flatten)]
    workers: LedgerArguments,
    #[command(flatten)]
    which: WhichArguments,
}

impl Arguments {
    /// Without clap.
    pub fn request(self) -> Request {
        let Self { run, dataset, out, workers, which } = self;
        Request { run, dataset, out, workers: workers.request(), which: which.request() }
    }
}
