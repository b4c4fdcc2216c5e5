//! Writing a checkpoint.

use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};

use safetensors::{Dtype, View};

use super::checksum::{checksum_line, checksum_of};
use super::{CHECKSUMS, Checkpoint, CheckpointError, FILES, NetworkRecord, State, at, folder};
use crate::files;
use crate::optim::Entry;

/// A checkpoint on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Saved {
    /// Where it lies.
    pub folder: PathBuf,
    /// One number for all of it, as `Checkpoint::checksum`.
    pub checksum: String,
}

/// Saves `players` as the checkpoint after `state.step` steps: a folder of that name in `checkpoints`, which is there
/// only when all of it is. One that is there already is checked and left alone.
pub fn save(checkpoints: &Path, mut state: State, players: &[NetworkRecord]) -> Result<Saved, CheckpointError> {
    if checkpoints.exists() {
        clear(checkpoints)?;
    } else {
        files::create_folder(checkpoints).and_then(|()| files::sync_parent(checkpoints)).map_err(at(checkpoints))?;
    }
    let whole = folder(checkpoints, state.step);
    if whole.exists() {
        let checksum = Checkpoint::open(&whole)?.checksum();
        return Ok(Saved { folder: whole, checksum });
    }
    let part = files::part_of(&whole);
    files::create_folder(&part).map_err(at(&part))?;
    state.updates = players.iter().map(|player| (player.name.to_owned(), player.adam.updates())).collect();

    let written = write_files(&part, &state, players);
    if written.is_err() {
        let _ = files::remove_folder(&part); // a full disk needs the room, and there is an error already
    }
    let checksum = written?;
    files::rename(&part, &whole).map_err(at(&whole))?;
    files::sync_parent(&whole).map_err(at(checkpoints))?;
    Ok(Saved { folder: whole, checksum })
}

/// Removes what was cut off while it was written or removed: it is no checkpoint, and takes the room of one.
fn clear(checkpoints: &Path) -> Result<(), CheckpointError> {
    for entry in fs::read_dir(checkpoints).map_err(at(checkpoints))? {
        let path = entry.map_err(at(checkpoints))?.path();
        if path.extension().is_some_and(|extension| extension == "part") {
            files::remove_folder(&path).map_err(at(&path))?;
        }
    }
    Ok(())
}

/// Writes everything and gives the checksum of it all.
fn write_files(part: &Path, state: &State, players: &[NetworkRecord]) -> Result<String, CheckpointError> {
    let text = toml::to_string(state).expect("a state is a table");
    let contents = [serialise(model_tensors(players)), serialise(optimizer_tensors(players)), text.into_bytes()];
    let mut sums = String::new();
    for (name, bytes) in FILES.iter().zip(&contents) {
        let path = part.join(name);
        files::write_synced(&path, bytes).map_err(at(&path))?;
        sums.push_str(&checksum_line(name, bytes));
    }
    let path = part.join(CHECKSUMS);
    files::write_synced(&path, sums.as_bytes()).map_err(at(&path))?;
    files::sync_parent(&path).map_err(at(part))?;
    Ok(checksum_of(sums.as_bytes()))
}

fn model_tensors<'a>(players: &[NetworkRecord<'a>]) -> Vec<(String, Numbers<'a>)> {
    let mut tensors = Vec::new();
    for player in players {
        let space = player.space;
        let mut add = |prefix: &str, layout: &[Entry], values: Cow<'a, [f32]>| {
            let named = |entry: &Entry| (format!("{prefix}.{}", entry.name), Numbers::of(entry, &values));
            tensors.extend(layout.iter().map(named));
        };
        add(player.name, space.parameter_layout(), space.parameters().host());
        add(player.name, space.state_layout(), space.state().host());
        if let Some((weights, state)) = player.average {
            let prefix = format!("{}_ema", player.name);
            add(&prefix, space.parameter_layout(), weights.host());
            add(&prefix, space.state_layout(), Cow::Borrowed(state));
        }
    }
    tensors
}

fn optimizer_tensors<'a>(players: &[NetworkRecord<'a>]) -> Vec<(String, Numbers<'a>)> {
    let mut tensors = Vec::new();
    for player in players {
        let (first, second) = player.adam.moments();
        let (first, second) = (first.host(), second.host());
        for entry in player.space.parameter_layout() {
            for (moment, values) in [("first_moment", &first), ("second_moment", &second)] {
                tensors.push((format!("{}.{}.{moment}", player.name, entry.name), Numbers::of(entry, values)));
            }
        }
    }
    tensors
}

fn serialise(tensors: Vec<(String, Numbers)>) -> Vec<u8> {
    // One entry of metadata, as PyTorch writes it: more would come out in any order.
    let metadata = [("format".to_owned(), "pt".to_owned())].into_iter().collect();
    safetensors::serialize(tensors, Some(metadata)).expect("every tensor has the bytes of its shape")
}

/// A tensor as safetensors sees it.
struct Numbers<'a> {
    shape: Vec<usize>,
    values: Cow<'a, [f32]>,
}

impl<'a> Numbers<'a> {
    /// Borrowed where `flat` is, else a copy.
    fn of(entry: &Entry, flat: &Cow<'a, [f32]>) -> Self {
        let values = match flat {
            Cow::Borrowed(flat) => Cow::Borrowed(&flat[entry.range()]),
            Cow::Owned(flat) => Cow::Owned(flat[entry.range()].to_vec()),
        };
        Self { shape: entry.shape.iter().map(|&n| n as usize).collect(), values }
    }
}

impl View for Numbers<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        self.values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>().into()
    }

    fn data_len(&self) -> usize {
        size_of_val(&*self.values)
    }
}
