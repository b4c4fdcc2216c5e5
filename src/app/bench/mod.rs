//! `skyforge bench`: how fast the parts are, here and now.

pub(super) mod allreduce;
mod ledger;
mod limit;
mod loader;
mod pace;
mod scaling;
mod spectra;
mod statistics;
mod step;
mod temporary;
mod workload;

use clap::Subcommand;
use serde_json::{Value, json};

use super::CommandError;
use super::session::Session;
use crate::comm::Communicator;
use crate::exit::Exit;

/// Time a part of the work on these ranks.
#[derive(Debug, Subcommand)]
pub enum Kind {
    /// Training steps on random data.
    Step(step::Arguments),
    /// A step on 1, 2, 4 .. of these ranks, and a model of more.
    Scaling(scaling::Arguments),
    /// Shuffled records from disk.
    Loader(loader::Arguments),
    /// The sum over ranks, beside the one of the ranks' library.
    Allreduce(allreduce::Arguments),
    /// Spectra, histograms and tests of maps.
    Statistics(statistics::Arguments),
    /// Simulated transmission spectra.
    Spectra(spectra::Arguments),
    /// Work shared out over a folder.
    Ledger(ledger::Arguments),
}

/// Times on this rank, together with the others.
pub fn run(session: &Session, kind: &Kind) -> Result<Exit, CommandError> {
    match kind {
        Kind::Step(arguments) => step::run(session, arguments),
        Kind::Scaling(arguments) => scaling::run(session, arguments),
        Kind::Loader(arguments) => loader::run(session, arguments),
        Kind::Statistics(arguments) => statistics::run(session, arguments),
        Kind::Spectra(arguments) => spectra::run(session, arguments),
        Kind::Ledger(arguments) => ledger::run(session, arguments),
        Kind::Allreduce(arguments) => allreduce::run(session, arguments),
    }
}

/// The middle one.
pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[half] } else { f64::midpoint(sorted[half - 1], sorted[half]) }
}

/// The middle one and the range, for JSON.
fn figures(values: &[f64]) -> Value {
    json!({ "median": median(values), "range": range(values) })
}

/// A number of each rank, on every rank.
fn of_all(comm: &dyn Communicator, mine: f64) -> Vec<f64> {
    let all = comm.gather(&mine.to_le_bytes());
    all.iter().map(|bytes| f64::from_le_bytes(bytes.as_slice().try_into().expect("8 bytes were sent"))).collect()
}

/// The smallest and the largest.
fn range(values: &[f64]) -> (f64, f64) {
    values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &value| (low.min(value), high.max(value)))
}
