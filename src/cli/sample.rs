//! Arguments of `skyforge sample`.

use std::path::PathBuf;

use clap::Args;

use super::options::WhichArguments;
use crate::app::sample::Request;

/// Draw new records from a trained generator.
///
/// They come as a dataset of the same format and unit as the training data. The same seed gives the same record
/// number i, and the same bytes on disk, on any number of ranks.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  skyforge sample runs/maps --count 1024 --out data/generated")]
pub struct Arguments {
    /// The run folder
    run: PathBuf,
    /// How many records
    #[arg(long, allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(1..))]
    count: u64,
    /// The dataset folder, which must not hold one yet; RUN/samples where it is not given
    #[arg(long)]
    out: Option<PathBuf>,
    /// All chance follows from it
    #[arg(long, default_value_t = 0, allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: u64,
    #[command(flatten)]
    which: WhichArguments,
}

impl Arguments {
    /// Without clap.
    pub fn request(self) -> Request {
        let Self { run, count, out, seed, which } = self;
        Request { run, count, out, seed, which: which.request() }
    }
}
