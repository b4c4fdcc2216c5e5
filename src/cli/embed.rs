//! Arguments of `skyforge embed`.

use std::path::PathBuf;

use clap::Args;

use super::options::{LedgerArguments, WhichArguments};
use crate::app::columns::Request;

/// Compute feature vectors of the records of a dataset.
///
/// The table contains one row per record, in the order of DATASET: its id, and the feature vector that the encoder or
/// the embedder of the run computes, in the columns feature_0, feature_1, ... The features of a record depend neither
/// on the number of ranks nor on other records.
///
/// With --ledger, any number of workers (MPI ranks, processes, tasks of a job array) share the records. The same
/// command joins the work or resumes it; `skyforge ledger merge LEDGER --out TABLE` writes the table.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mpirun -n 2 skyforge embed runs/autoencoder data/maps --out features.parquet
  skyforge embed runs/exogan data/planets --ledger ledgers/features")]
pub struct Arguments {
    /// Run folder
    run: PathBuf,
    /// Dataset, with records like those that the run was trained on
    dataset: PathBuf,
    /// Output table, Parquet; required without --ledger
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
