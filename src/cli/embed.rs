//! Arguments of `skyforge embed`.

use std::path::PathBuf;

use clap::Args;

use super::options::{LedgerArguments, WhichArguments};
use crate::app::columns::Request;

/// Compute features of the records of a catalogue.
///
/// TABLE gets a row a record, in the order of DATASET: its id, and the feature vector that the encoder or the embedder of
/// the run computes of it, in the columns feature_0, feature_1 and so on. The features of a record are the same on any
/// number of ranks, and whatever its neighbours are.
///
/// With --ledger any number of workers share the records: ranks, processes, tasks of an array. The same command joins the
/// work or goes on with it; `skyforge ledger merge LEDGER --out TABLE` writes the table.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  mpirun -n 2 skyforge embed runs/autoencoder data/maps --out features.parquet
  skyforge embed runs/exogan data/planets --ledger ledgers/features")]
pub struct Arguments {
    /// The run folder
    run: PathBuf,
    /// The dataset of records such as the run learned from
    dataset: PathBuf,
    /// Where the table goes, Parquet
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
