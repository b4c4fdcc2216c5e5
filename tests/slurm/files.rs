//! What a campaign's files say of it, while it runs and after.

use std::fs;
use std::path::Path;

/// What the training says of itself.
pub fn outcome(folder: &Path) -> Option<toml::Table> {
    fs::read_to_string(folder.join("run/outcome.toml")).ok()?.parse().ok()
}

/// Steps that are made.
pub fn steps(folder: &Path) -> u64 {
    let metrics = fs::read_to_string(folder.join("run/metrics.jsonl")).unwrap_or_default();
    let last = metrics.lines().rev().find_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    last.and_then(|row| row["step"].as_u64()).unwrap_or(0)
}

/// Files of a folder of the ledger.
pub fn count(folder: &Path, part: &str) -> usize {
    fs::read_dir(folder.join("ledger").join(part)).map_or(0, Iterator::count)
}

/// The log of that name; nothing before there is one.
pub fn log(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join("log").join(name)).unwrap_or_default()
}
