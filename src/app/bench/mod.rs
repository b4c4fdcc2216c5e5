//! `skyforge bench`: how fast the parts are, here and now.

pub mod allreduce;
pub mod ledger;
pub mod loader;
pub mod scaling;
pub mod spectra;
pub mod statistics;
pub mod step;

mod limit;
mod pace;
mod temporary;
mod workload;

pub use pace::Rounds;

use serde_json::{Value, json};

use crate::comm::Communicator;

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
