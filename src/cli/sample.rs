//! Arguments of `skyforge sample`.

use std::path::PathBuf;

use clap::Args;

use super::options::WhichArguments;
use crate::app::sample::Request;

/// Generate new records with a trained model.
///
/// The output is a dataset in the format and unit of the training data. For a given seed record i is the same, and
/// files are identical to the bit, on any number of ranks.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  skyforge sample runs/maps --count 1024 --out data/generated")]
pub struct Arguments {
    /// Run folder
    run: PathBuf,
    /// Number of records
    #[arg(long, allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(1..))]
    count: u64,
    /// Output dataset folder; must not already contain a dataset [default: RUN/samples]
    #[arg(long)]
    out: Option<PathBuf>,
    /// Seed of all random numbers
    #[arg(long, default_value_t = 0, allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: u64,
    #[command(flatten)]
    which: WhichArguments,
}

impl Arguments {
    /// Converts the arguments to a request of `app`.
    pub fn request(self) -> Request {
        let Self { run, count, out, seed, which } = self;
        Request { run, count, out, seed, which: which.request() }
    }
}
