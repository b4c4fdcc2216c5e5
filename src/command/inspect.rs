//! `skyforge inspect`: what a thing on disk is, and whether it is whole.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::CommandError;
use super::output::say;
use super::session::Session;
use crate::checkpoint::{self, Checkpoint};
use crate::data::Dataset;
use crate::exit::Exit;
use crate::trainer::Outcome;

/// Say what a dataset, a checkpoint or a run is, and whether it is whole.
///
/// Every checksum is checked; what is damaged is named, with exit code 65.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  skyforge inspect runs/maps/checkpoints/step-0001000")]
pub struct Arguments {
    /// A dataset, checkpoint or run folder
    path: PathBuf,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

/// Looks on rank 0.
pub fn run(session: &Session, arguments: &Arguments) -> Result<Exit, CommandError> {
    let result = if session.rank() == 0 { inspect(&arguments.path) } else { Ok(Value::Null) };
    let found = session.agree(result)?;
    if session.rank() == 0 {
        say(&if arguments.json { found.to_string() } else { plain(&found) })?;
    }
    let whole = found["whole"].as_bool().unwrap_or(true);
    // What is damaged was named in what was printed; every rank ends alike.
    let whole = session.comm().broadcast(&[u8::from(whole)]) == [1];
    Ok(if whole { Exit::Done } else { Exit::Data })
}

fn inspect(path: &Path) -> Result<Value, CommandError> {
    if path.join("manifest.toml").is_file() {
        return dataset(path);
    }
    if path.join("CHECKSUMS").is_file() {
        return Ok(of_checkpoint(&Checkpoint::open(path)?));
    }
    if path.join("checkpoints").is_dir() || path.join("config.toml").is_file() {
        return of_run(path);
    }
    std::fs::metadata(path).map_err(CommandError::io(path))?;
    let fault = "is no dataset (manifest.toml), checkpoint (CHECKSUMS) or run (config.toml)".into();
    Err(CommandError::Wrong { path: path.to_owned(), fault })
}

fn dataset(path: &Path) -> Result<Value, CommandError> {
    let dataset = Dataset::open(path)?;
    dataset.verify()?;
    let manifest = dataset.manifest();
    let splits: serde_json::Map<String, Value> =
        manifest.splits.iter().map(|(name, split)| (name.clone(), split.records().into())).collect();
    Ok(json!({
        "what": "dataset", "whole": true, "kind": manifest.kind.name(), "count": manifest.count,
        "shape": manifest.shape, "unit": manifest.unit, "shards": manifest.shards.len(),
        "bytes": manifest.shards.iter().map(|shard| shard.bytes).sum::<u64>(), "splits": splits,
        "checksum": dataset.checksum(),
    }))
}

fn of_checkpoint(checkpoint: &Checkpoint) -> Value {
    json!({
        "what": "checkpoint", "whole": true, "step": checkpoint.state.step, "position": checkpoint.state.position,
        "updates": checkpoint.state.updates, "checksum": checkpoint.checksum(),
    })
}

fn of_run(path: &Path) -> Result<Value, CommandError> {
    let mut damaged = Vec::new();
    let mut whole = Vec::new();
    for (_, opened) in checkpoint::all(&path.join("checkpoints"))? {
        match opened {
            Ok(checkpoint) => whole.push(checkpoint),
            Err(error) => damaged.push(error.to_string()),
        }
    }
    Ok(json!({
        "what": "run", "whole": damaged.is_empty(), "damaged": damaged, "checkpoints": whole.len(),
        "outcome": Outcome::read(path).and_then(|outcome| serde_json::to_value(outcome).ok()),
        "newest": whole.first().map(of_checkpoint),
    }))
}

/// The same as lines: `name  value`, what belongs together indented.
fn plain(value: &Value) -> String {
    fn lines(value: &Value, indent: usize, out: &mut Vec<String>) {
        let Value::Object(fields) = value else { return };
        for (name, value) in fields {
            match value {
                Value::Object(_) => {
                    out.push(format!("{:indent$}{name}", ""));
                    lines(value, indent + 2, out);
                }
                Value::String(text) => out.push(format!("{:indent$}{name}  {text}", "")),
                other => out.push(format!("{:indent$}{name}  {other}", "")),
            }
        }
    }
    let mut out = Vec::new();
    lines(value, 0, &mut out);
    out.join("\n")
}
