//! A checkpoint: its step, its measured scores, and what its tensors hold.

use std::path::Path;

use safetensors::{Dtype, SafeTensors};
use serde_json::{Value, json};

use super::Found;
use super::range::Range;
use crate::app::CommandError;
use crate::checkpoint::{Checkpoint, CheckpointError, State};

/// Looks at all of it.
pub(super) fn look(checkpoint: &Checkpoint) -> Result<Found, CommandError> {
    let mut told = summary(checkpoint);
    let (mut bytes, mut networks, mut all) = (0, Vec::new(), Vec::new());
    for (what, name) in [("", "model.safetensors"), (" moments", "optimizer.safetensors")] {
        let path = checkpoint.folder().join(name);
        let (size, tensors) = tensors(&path)?;
        bytes += size;
        // Names are in order, so those of a network are neighbours.
        for network in tensors.chunk_by(|a, b| network_of(a) == network_of(b)) {
            let mut range = Range::default();
            for tensor in network {
                range.add(&tensor.range);
            }
            networks.push(json!({
                "name": format!("{}{what}", network_of(&network[0])), "tensors": network.len(), "numbers": range.values(),
                "norm": range.norm(), "not_finite": range.not_finite(),
            }));
        }
        all.extend(tensors.iter().map(|Named { name, shape, range }| {
            json!({
                "name": name, "shape": shape, "numbers": range.values(), "norm": range.norm(),
                "not_finite": range.not_finite(),
            })
        }));
    }
    told["bytes"] = bytes.into();
    told["networks"] = networks.into();
    told["tensors"] = all.into();
    Ok(Found { told, damaged: Vec::new(), maps: None })
}

/// A tensor without its numbers.
struct Named {
    name: String,
    shape: Vec<usize>,
    range: Range,
}

fn network_of(tensor: &Named) -> &str {
    tensor.name.split('.').next().unwrap_or_default()
}

/// Its step, its scores and the score by which the run chooses its best checkpoint; empty and null where none is measured.
pub(super) fn summary(checkpoint: &Checkpoint) -> Value {
    let State { step, position, updates, scores, best, .. } = &checkpoint.state;
    json!({
        "what": "checkpoint", "whole": true, "step": step, "position": position, "updates": updates,
        "scores": scores, "best": best, "checksum": checkpoint.checksum(),
    })
}

/// The size of a file of tensors, and each of them in the order of their names.
fn tensors(path: &Path) -> Result<(u64, Vec<Named>), CommandError> {
    let bytes = std::fs::read(path).map_err(CommandError::io(path))?;
    let damaged = |fault: String| CheckpointError::Damaged { path: path.to_owned(), fault };
    let file = SafeTensors::deserialize(&bytes).map_err(|error| damaged(error.to_string()))?;
    let mut found = Vec::new();
    for (name, tensor) in file.iter() {
        if tensor.dtype() != Dtype::F32 {
            return Err(damaged(format!("{name} is {:?}, expected F32", tensor.dtype())).into());
        }
        let mut range = Range::default();
        range.extend(tensor.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)));
        found.push(Named { name: name.to_owned(), shape: tensor.shape().to_vec(), range });
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok((bytes.len() as u64, found))
}
