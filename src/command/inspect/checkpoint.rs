//! A checkpoint: what it continues, and what its tensors hold.

use std::path::Path;

use safetensors::{Dtype, SafeTensors};
use serde_json::{Value, json};

use super::Found;
use super::range::Range;
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::command::CommandError;

/// Looks at all of it.
pub(super) fn look(checkpoint: &Checkpoint) -> Result<Found, CommandError> {
    let mut told = summary(checkpoint);
    let mut bytes = 0;
    for (what, name) in [("tensors", "model.safetensors"), ("moments", "optimiser.safetensors")] {
        let (size, rows) = tensors(&checkpoint.folder().join(name))?;
        bytes += size;
        told[what] = rows.into();
    }
    told["bytes"] = bytes.into();
    Ok(Found { told, damaged: Vec::new(), maps: None })
}

/// What it continues.
pub(super) fn summary(checkpoint: &Checkpoint) -> Value {
    json!({
        "what": "checkpoint", "whole": true, "step": checkpoint.state.step, "position": checkpoint.state.position,
        "updates": checkpoint.state.updates, "checksum": checkpoint.checksum(),
    })
}

/// The size of a file of tensors, and each of them in the order of their names.
fn tensors(path: &Path) -> Result<(u64, Vec<Value>), CommandError> {
    let bytes = std::fs::read(path).map_err(CommandError::io(path))?;
    let damaged = |fault: String| CheckpointError::Damaged { path: path.to_owned(), fault };
    let file = SafeTensors::deserialize(&bytes).map_err(|error| damaged(error.to_string()))?;
    let mut rows = Vec::new();
    for (name, tensor) in file.iter() {
        if tensor.dtype() != Dtype::F32 {
            return Err(damaged(format!("{name} is {:?}, expected F32", tensor.dtype())).into());
        }
        let mut range = Range::default();
        range.extend(tensor.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)));
        let row = json!({
            "name": name, "shape": tensor.shape(), "numbers": range.values(), "norm": range.norm(),
            "not_finite": range.not_finite(),
        });
        rows.push((name.to_owned(), row));
    }
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    Ok((bytes.len() as u64, rows.into_iter().map(|(_, row)| row).collect()))
}
