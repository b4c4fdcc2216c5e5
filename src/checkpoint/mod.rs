//! Checkpoints: whole or not at all, with a checksum on every file.
//!
//! ```text
//! checkpoints/step-0001000/
//!   model.safetensors      PyTorch's names and layouts: generator.up1.weight, generator_ema.up1.weight, ...
//!   optimizer.safetensors  Adam's moments: generator.up1.weight.first_moment, ...
//!   state.toml             step, position in the data, scores, what the run is
//!   CHECKSUMS              XXH3 of each of them, as `xxhsum -c` reads it
//! ```
//!
//! Nothing in it depends on time, place or the number of ranks: equal training gives equal bytes.

mod checksum;
mod identity;
mod read;
mod write;

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::exit::{Ends, Exit};
use crate::optim::{Adam, Buffer, FlatSpace};

pub use identity::Identity;
pub use read::{Checkpoint, Keep, Newest, Opened, all, best, keep, newest, newest_scheduled, set_aside};
pub use write::{Saved, save};

const FORMAT: u32 = 2;
const STATE: &str = "state.toml";
const FILES: [&str; 3] = ["model.safetensors", "optimizer.safetensors", STATE];
const CHECKSUMS: &str = "CHECKSUMS";

/// What a checkpoint says of the run besides numbers of networks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Version of this layout.
    pub format: u32,
    /// Steps made.
    pub step: u64,
    /// Records taken from the stream of data so far.
    pub position: u64,
    /// Updates of each player.
    pub updates: BTreeMap<String, u64>,
    /// How good it is, by the name of the score, where that was measured.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub scores: BTreeMap<String, f64>,
    /// The score by which the run chooses its best checkpoint, if it measures any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best: Option<Criterion>,
    /// What makes the run what it is, as [`Identity::table`] has it.
    pub run: toml::Table,
}

impl State {
    /// After `step` steps, without scores.
    pub fn new(step: u64, position: u64, run: toml::Table) -> Self {
        let (updates, scores) = (BTreeMap::new(), BTreeMap::new());
        Self { format: FORMAT, step, position, updates, scores, best: None, run }
    }
}

/// The score by which the best of several checkpoints is chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Criterion {
    /// Its name.
    pub score: String,
    /// Which values of it are better.
    pub direction: Direction,
}

/// Which values of a score are better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Smaller values are better.
    Min,
    /// Greater values are better.
    Max,
}

impl Direction {
    /// The better of two values first.
    fn order(self, a: f64, b: f64) -> Ordering {
        match self {
            Self::Min => a.total_cmp(&b),
            Self::Max => b.total_cmp(&a),
        }
    }
}

/// What of a player is saved.
pub struct NetworkRecord<'a> {
    /// Its name.
    pub name: &'a str,
    /// Parameters and state.
    pub space: &'a FlatSpace,
    /// Moments.
    pub adam: &'a Adam,
    /// Averaged parameters, and the state that goes with them.
    pub average: Option<(&'a Buffer, &'a [f32])>,
}

/// Where what was saved of a player goes.
pub struct NetworkSlots<'a> {
    /// Its name.
    pub name: &'a str,
    /// Parameters and state.
    pub space: &'a mut FlatSpace,
    /// Moments.
    pub adam: &'a mut Adam,
    /// Averaged parameters.
    pub average: Option<&'a mut Buffer>,
}

/// The folder of the checkpoint after `step` steps.
pub fn folder(checkpoints: &Path, step: u64) -> PathBuf {
    checkpoints.join(format!("step-{step:07}"))
}

/// What can be wrong with a checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The file system.
    #[error("{}: {source}", path.display())]
    Io {
        /// What was read or written.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is not what was written.
    #[error("{}: {fault}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: String,
    },
    /// It belongs to something else.
    #[error("{}: {fault}", path.display())]
    Another {
        /// The checkpoint.
        path: PathBuf,
        /// What does not fit.
        fault: String,
    },
}

impl Ends for CheckpointError {
    fn exit(&self) -> Exit {
        match self {
            CheckpointError::Io { .. } => Exit::FileSystem,
            CheckpointError::Damaged { .. } => Exit::Data,
            CheckpointError::Another { .. } => Exit::Usage,
        }
    }
}

/// Adds the path to an error of the file system.
fn at(path: &Path) -> impl FnOnce(std::io::Error) -> CheckpointError {
    let path = path.to_owned();
    move |source| CheckpointError::Io { path, source }
}
