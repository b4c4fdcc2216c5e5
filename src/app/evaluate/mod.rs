//! `skyforge evaluate`: records, or a table of what was retrieved from them, against a reference.

mod maps;
mod table;

use std::ops::Range;
use std::path::PathBuf;

use clap::Args;

pub(super) use maps::Sets;
pub(super) use table::Compared;

use super::CommandError;
use crate::data::{DataError, Dataset};
use crate::exit::Exit;

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

/// Compares the records, or the table, with the reference.
pub fn run(arguments: &Arguments) -> Result<Exit, CommandError> {
    evaluate(arguments)?;
    Ok(Exit::Done)
}

fn evaluate(arguments: &Arguments) -> Result<(), CommandError> {
    if arguments.records.is_file() {
        return table::evaluate(arguments);
    }
    if arguments.coverage {
        let records = arguments.records.display();
        return Err(CommandError::Usage(format!("--coverage: {records} is no file, expected a retrieval's table")));
    }
    maps::evaluate(arguments)
}

/// The name of the split that is compared with, and its records.
fn records_of(reference: &Dataset, split: Option<&str>, default: &str) -> Result<(String, Vec<Range<u64>>), DataError> {
    let manifest = reference.manifest();
    if split.is_none() && (default == ALL || manifest.splits.is_empty()) {
        return Ok((ALL.into(), std::iter::once(0..manifest.count).collect()));
    }
    let name = split.unwrap_or(default);
    Ok((name.to_owned(), reference.split(name)?.ranges().collect()))
}

/// What stands for a split where all records are meant.
const ALL: &str = "all";
