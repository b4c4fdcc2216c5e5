//! Arguments of `skyforge evaluate`.

use std::path::PathBuf;

use clap::Args;

use crate::app::evaluate::Request;

/// Compare records, or retrieved parameters, with a reference.
///
/// Maps: the reference is held in two halves; records are compared with the first, and the second half too, which gives the
/// distance that equal sets have. A run's folder stands for RUN/samples, and its statistics and some maps are kept in it for
/// `skyforge report`; those of a dataset go to --out alone.
///
/// A retrieval's table: each row is held against the true parameters of the record with its id. What is measured goes to
/// --out, or to NAME.statistics.json beside the table; `skyforge report RUN` shows that of RUN/retrieval/table.parquet.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  skyforge evaluate data/generated --against data/maps --out statistics.json
  skyforge evaluate runs/exogan/retrieval/table.parquet --against data/spectra --coverage")]
pub struct Arguments {
    /// A dataset, a run folder with samples, or a retrieval's .parquet file
    records: PathBuf,
    /// The dataset they should be like, or that has the truth
    #[arg(long)]
    against: PathBuf,
    /// Which of its splits; where it is not given: test, or all of a dataset without splits; all for a table
    #[arg(long)]
    split: Option<String>,
    /// How often a table's intervals hold the truth, and the truth's ranks among NAME.samples.parquet
    #[arg(long)]
    coverage: bool,
    /// Where the statistics go, JSON
    #[arg(long)]
    out: Option<PathBuf>,
    /// Print all of it on stdout, as JSON
    #[arg(long)]
    json: bool,
}

impl Arguments {
    /// Without clap.
    pub fn request(self) -> Request {
        let Self { records, against, split, coverage, out, json } = self;
        Request { records, against, split, coverage, out, json }
    }
}
