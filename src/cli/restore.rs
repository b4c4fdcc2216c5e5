//! Arguments of `skyforge restore`.

use std::path::PathBuf;

use clap::Args;

use super::options::{LedgerArguments, WhichArguments};
use crate::app::restore::Request;

/// Reconstruct the records of a dataset.
///
/// OUT contains the reconstructions of the records of DATASET, in the same order, with the same ids, labels and splits.
/// The log reports their deviation from the records of DATASET and, for comparison, that of the mean of each record.
/// The reconstruction of a record depends neither on the number of ranks nor on other records.
///
/// With --ledger, any number of workers (MPI ranks, processes, tasks of a job array) share the records. The same
/// command joins the work or resumes it; `skyforge ledger merge LEDGER --out OUT` writes the dataset.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mpirun -n 2 skyforge restore runs/autoencoder data/maps --out data/restored
  skyforge evaluate data/restored --against data/maps --out statistics.json")]
pub struct Arguments {
    /// Run folder
    run: PathBuf,
    /// Dataset, with records like those that the run was trained on
    dataset: PathBuf,
    /// Output dataset folder; must not already contain a dataset; required without --ledger
    #[arg(long, required_unless_present = "ledger")]
    out: Option<PathBuf>,
    #[command(flatten)]
    workers: LedgerArguments,
    #[command(flatten)]
    which: WhichArguments,
}

impl Arguments {
    /// Converts the arguments to a request of `app`.
    pub fn request(self) -> Request {
        let Self { run, dataset, out, workers, which } = self;
        Request { run, dataset, out, workers: workers.request(), which: which.request() }
    }
}
