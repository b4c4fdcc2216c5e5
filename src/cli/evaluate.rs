//! Arguments of `skyforge evaluate`.

use std::path::PathBuf;

use clap::Args;

use crate::app::evaluate::Request;

/// Compare records, or retrieved parameters, with a reference.
///
/// Generated maps: the reference is cut in two halves. The maps are compared with the first half, and so is the second half,
/// which gives the distance that two equal sets have.
///
/// Restored maps: each is compared with the map of the reference that has its id.
///
/// A retrieval's table: each row is compared with the true parameters of the record with its id.
///
/// A run folder stands for what its run made: RUN/samples, RUN/restored or RUN/retrieval/table.parquet. Its statistics, and some
/// maps, are kept in it for `skyforge report`. Statistics of a dataset go to --out alone, those of a table to --out or to
/// NAME.statistics.json beside it.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  skyforge evaluate data/generated --against data/maps --out statistics.json
  skyforge evaluate runs/exogan/retrieval/table.parquet --against data/spectra --coverage")]
pub struct Arguments {
    /// A dataset, a run folder, or a retrieval's .parquet file
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
