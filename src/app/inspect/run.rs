//! A run: how it ended, what it measured, which of its checkpoints are whole.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::{Found, checkpoint as one};
use crate::app::CommandError;
use crate::checkpoint;
use crate::train::{Outcome, TrainError, metrics};

/// Looks at all of it.
pub(super) fn look(path: &Path) -> Result<Found, CommandError> {
    let (mut damaged, mut whole) = (Vec::new(), Vec::new());
    for (_, opened) in checkpoint::all(&path.join("checkpoints"))? {
        match opened {
            Ok(checkpoint) => whole.push(checkpoint),
            Err(error) => damaged.push(error.to_string()), // it says whether it is damaged or cannot be read
        }
    }
    let metrics_path = path.join("metrics.jsonl");
    let rows =
        if metrics_path.is_file() { metrics::read(&metrics_path).map_err(TrainError::from)? } else { Vec::new() };
    let told = json!({
        "what": "run", "whole": true, "checkpoints": whole.len(),
        "outcome": Outcome::read(path).and_then(|outcome| serde_json::to_value(outcome).ok()),
        "newest": whole.first().map(one::summary), "metrics": series(&rows),
    });
    Ok(Found { told, damaged, maps: None })
}

/// Where each scalar of the metrics lay over the run, and where it ended.
fn series(rows: &[Map<String, Value>]) -> Vec<Value> {
    let names = rows.first().map_or(Vec::new(), |row| row.keys().cloned().collect());
    let of = |name: &String| {
        let values: Vec<f64> = rows.iter().filter_map(|row| row.get(name)?.as_f64()).collect();
        let (low, high) =
            values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &x| (low.min(x), high.max(x)));
        json!({ "name": name, "rows": values.len(), "first": values.first(), "last": values.last(), "min": low, "max": high })
    };
    names.iter().map(of).collect()
}
