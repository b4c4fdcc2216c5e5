//! Arguments of `skyforge predict`.

use std::path::PathBuf;

use clap::Args;

use super::options::{LedgerArguments, WhichArguments};
use crate::app::columns::Request;

/// Predict quantities of the records of a catalogue.
///
/// TABLE gets a row a record, in the order of DATASET: its id, and the quantities that the run predicts, each with its
/// unit. A run on spectra with an embedder predicts the parameters of their atmospheres in one pass, without a fit and
/// without errors (`skyforge retrieve` has both). The prediction for a record is the same on any number of ranks, and whatever
/// its neighbours are.
///
/// With --ledger any number of workers share the records: ranks, processes, tasks of an array. The same command joins the
/// work or goes on with it; `skyforge ledger merge LEDGER --out TABLE` writes the table.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  mpirun -n 2 skyforge predict runs/exogan data/planets --out parameters.parquet")]
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
