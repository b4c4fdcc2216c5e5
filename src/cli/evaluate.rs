//! Arguments of `skyforge evaluate`.

use std::path::PathBuf;

use clap::Args;

use crate::app::evaluate::Request;

/// Compare records or retrieved parameters with a reference dataset.
///
/// Generated maps: the reference is divided into two halves. The statistics of the maps are compared with those of the
/// first half. The second half is compared with the first in the same way, which gives the distance expected between
/// samples of the same distribution.
///
/// Restored maps: each map is compared with the map of the reference that has the same id.
///
/// Table of `skyforge retrieve`: each row is compared with the true parameters of the record that has the same id.
///
/// A run folder stands for the results in it: RUN/samples, RUN/restored or RUN/retrieval/table.parquet. Statistics of
/// RUN/samples and RUN/restored, and some example maps, are also written to the run folder for `skyforge report`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  skyforge evaluate data/generated --against data/maps --out statistics.json
  skyforge evaluate runs/exogan/retrieval/table.parquet \\
      --against data/planets --coverage")]
pub struct Arguments {
    /// Dataset, run folder, or .parquet table of `skyforge retrieve`
    records: PathBuf,
    /// Reference dataset: maps of the wanted distribution, original maps, or spectra with true parameters
    #[arg(long)]
    against: PathBuf,
    /// Split of the reference dataset [default: test for maps, if the dataset has splits; else all records]
    #[arg(long)]
    split: Option<String>,
    /// For a table NAME.parquet, also compute how often its intervals contain the true values, and the ranks of the
    /// true values among the samples in NAME.samples.parquet
    #[arg(long)]
    coverage: bool,
    /// Output file of the statistics, JSON [default: NAME.statistics.json for a table NAME.parquet, none for a dataset]
    #[arg(long)]
    out: Option<PathBuf>,
    /// Print all statistics to stdout as JSON, instead of a summary
    #[arg(long)]
    json: bool,
}

impl Arguments {
    /// Converts the arguments to a request of `app`.
    pub fn request(self) -> Request {
        let Self { records, against, split, coverage, out, json } = self;
        Request { records, against, split, coverage, out, json }
    }
}
