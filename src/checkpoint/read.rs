//! Finding, checking and reading checkpoints.

use std::fs;
use std::path::{Path, PathBuf};

use safetensors::{Dtype, SafeTensors};
use tch::{Tensor, nn};

use super::checksum::{checksum_line, checksum_of};
use super::{CHECKSUMS, CheckpointError, Criterion, FILES, FORMAT, Identity, NetworkSlots, STATE, State, at};
use crate::optim::{Entry, FlatSpace};
use crate::{files, one_line};

/// A checkpoint whose files were all found as they were written.
#[derive(Debug)]
pub struct Checkpoint {
    folder: PathBuf,
    /// What it says of the run.
    pub state: State,
    checksum: String,
}

/// The checkpoints of a run, newest first, each opened and checked, or what is wrong with it.
pub fn all(checkpoints: &Path) -> Result<impl Iterator<Item = (PathBuf, Opened)>, CheckpointError> {
    Ok(finished(checkpoints)?.into_iter().rev().map(|folder| {
        let opened = Checkpoint::open(&folder);
        (folder, opened)
    }))
}

/// A checkpoint, or what is wrong with it.
pub type Opened = Result<Checkpoint, CheckpointError>;

/// The newest whole checkpoint in `checkpoints`, if there is any, and those newer than it that are damaged, with what is
/// wrong with them.
///
/// # Errors
/// A checkpoint that cannot be read (an I/O error) or has another format is not damaged: it is returned as the error, and
/// no older one takes its place.
pub fn newest(checkpoints: &Path) -> Result<Newest, CheckpointError> {
    newest_of(finished(checkpoints)?)
}

/// As [`newest`], among the checkpoints of a step that is a multiple of `every`.
pub fn newest_scheduled(checkpoints: &Path, every: u64) -> Result<Newest, CheckpointError> {
    newest_of(scheduled(finished(checkpoints)?, every))
}

/// A whole checkpoint, and the damaged ones that are newer.
pub type Newest = (Option<Checkpoint>, Vec<(PathBuf, CheckpointError)>);

fn newest_of(folders: Vec<PathBuf>) -> Result<Newest, CheckpointError> {
    let mut damaged = Vec::new();
    for folder in folders.into_iter().rev() {
        match Checkpoint::open(&folder) {
            Ok(checkpoint) => return Ok((Some(checkpoint), damaged)),
            Err(error @ CheckpointError::Damaged { .. }) => damaged.push((folder, error)),
            Err(error) => return Err(error),
        }
    }
    Ok((None, damaged))
}

/// Takes a damaged checkpoint out of the way, as `step-0001000.damaged`.
pub fn set_aside(folder: &Path) -> Result<(), CheckpointError> {
    let aside = folder.with_extension("damaged");
    if aside.exists() {
        files::remove_folder(&aside).map_err(at(&aside))?;
    }
    files::rename(folder, &aside).map_err(at(folder))
}

/// The whole checkpoint with the best score, the newest of equals, if any was measured. Damaged ones are passed over.
pub fn best(checkpoints: &Path) -> Result<Option<Checkpoint>, CheckpointError> {
    for folder in by_score(finished(checkpoints)?)? {
        if let Some(checkpoint) = unless_damaged(Checkpoint::open(&folder))? {
            return Ok(Some(checkpoint));
        }
    }
    Ok(None)
}

/// Those of `folders` that have a finite score, the best first, the newest of equals first. Which score that is, the newest
/// checkpoint that names one says. Only `state.toml` is read.
fn by_score(folders: Vec<PathBuf>) -> Result<Vec<PathBuf>, CheckpointError> {
    let mut states: Vec<(State, PathBuf)> = Vec::new();
    for folder in folders.into_iter().rev() {
        if let Some(state) = unless_damaged(read_state(&folder))? {
            states.push((state, folder));
        }
    }
    let Some(Criterion { score, direction }) = states.iter().find_map(|(state, _)| state.best.clone()) else {
        return Ok(Vec::new());
    };
    let score_of = |state: &State| state.scores.get(&score).copied().filter(|score| score.is_finite());
    let scored = states.into_iter().filter_map(|(state, folder)| Some((score_of(&state)?, folder)));
    let mut scored: Vec<(f64, PathBuf)> = scored.collect();
    scored.sort_by(|(a, _), (b, _)| direction.order(*a, *b));
    Ok(scored.into_iter().map(|(_, folder)| folder).collect())
}

/// What the checkpoint in `folder` says of the run.
fn read_state(folder: &Path) -> Result<State, CheckpointError> {
    let sums = read(&folder.join(CHECKSUMS))?;
    let (_, bytes) = read_file(folder, STATE, &sums)?;
    parse_state(&folder.join(STATE), bytes)
}

/// `None` where a checkpoint is damaged; all other errors stay errors.
fn unless_damaged<T>(read: Result<T, CheckpointError>) -> Result<Option<T>, CheckpointError> {
    match read {
        Ok(found) => Ok(Some(found)),
        Err(CheckpointError::Damaged { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Which checkpoints stay.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keep {
    /// The newest so many; 0 = all.
    pub newest: usize,
    /// Those of a step that is a multiple of this; 0 = none.
    pub every: u64,
    /// The newest of a step that is a multiple of this, to which a run may go back.
    pub way_back: Option<u64>,
}

/// Removes all checkpoints but those that `keep` names, and the best. Where one cannot be read to tell which is the best, all stay.
pub fn keep(checkpoints: &Path, keep: Keep) -> Result<(), CheckpointError> {
    if keep.newest == 0 {
        return Ok(());
    }
    let found = finished(checkpoints)?;
    let way_back = keep.way_back.and_then(|every| scheduled(found.clone(), every).pop());
    let kept_for_good = if keep.every > 0 { scheduled(found.clone(), keep.every) } else { Vec::new() };
    let too_many: Vec<&PathBuf> = found
        .iter()
        .rev()
        .skip(keep.newest)
        .filter(|folder| Some(*folder) != way_back.as_ref() && !kept_for_good.contains(folder))
        .collect();
    if too_many.is_empty() {
        return Ok(());
    }
    let best = match by_score(found.clone()) {
        Ok(folders) => folders.into_iter().next(),
        Err(error) => {
            log::warn!("{error}: cannot tell which checkpoint is the best, none is removed");
            return Ok(());
        }
    };
    for folder in too_many.into_iter().filter(|folder| Some(*folder) != best.as_ref()) {
        let part = files::part_of(folder); // half removed is no checkpoint
        files::rename(folder, &part).and_then(|()| files::remove_folder(&part)).map_err(at(folder))?;
    }
    Ok(())
}

/// The folders of finished checkpoints, oldest first; none where there is no folder yet.
fn finished(checkpoints: &Path) -> Result<Vec<PathBuf>, CheckpointError> {
    match fs::read_dir(checkpoints) {
        Ok(entries) => {
            let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>();
            let mut folders = paths.map_err(at(checkpoints))?;
            folders.retain(|path| step_of(path).is_some());
            folders.sort_by_key(|folder| step_of(folder));
            Ok(folders)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(at(checkpoints)(error)),
    }
}

/// Those of a step that is a multiple of `every`.
fn scheduled(mut folders: Vec<PathBuf>, every: u64) -> Vec<PathBuf> {
    folders.retain(|folder| step_of(folder).is_some_and(|step| step.is_multiple_of(every)));
    folders
}

/// The step in the name of a finished checkpoint.
fn step_of(path: &Path) -> Option<u64> {
    path.file_name()?.to_str()?.strip_prefix("step-")?.parse().ok()
}

impl Checkpoint {
    /// Opens `folder` and checks every file of it.
    pub fn open(folder: &Path) -> Result<Self, CheckpointError> {
        let sums_path = folder.join(CHECKSUMS);
        let sums = read(&sums_path)?;
        // First, since a checkpoint of another format may have other files.
        let (line_of_state, bytes) = read_file(folder, STATE, &sums)?;
        let state = parse_state(&folder.join(STATE), bytes)?;
        let mut expected = String::new();
        for name in FILES.into_iter().filter(|name| *name != STATE) {
            expected.push_str(&read_file(folder, name, &sums)?.0);
        }
        expected.push_str(&line_of_state);
        if sums != expected.as_bytes() {
            let fault = format!("expected one line for each of {}", FILES.join(", "));
            return Err(CheckpointError::Damaged { path: sums_path, fault });
        }
        Ok(Self { folder: folder.to_owned(), state, checksum: checksum_of(&sums) })
    }

    /// The folder it lies in.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// One number for all of it: equal training, equal number.
    pub fn checksum(&self) -> String {
        self.checksum.clone()
    }

    /// Refuses a run that is not the one the checkpoint was made by. `run` is what makes that run what it is; the keys
    /// in `may_differ` may.
    pub fn belongs_to(&self, run: &Identity, may_differ: &[String]) -> Result<(), CheckpointError> {
        match run.difference(&self.state.run, may_differ) {
            None => Ok(()),
            Some(fault) => Err(CheckpointError::Another { path: self.folder.clone(), fault }),
        }
    }

    /// Fills a network's tensors from those called `prefix.*`.
    pub fn load(&self, prefix: &str, store: &nn::VarStore) -> Result<(), CheckpointError> {
        let file = Tensors::read(&self.folder.join("model.safetensors"))?;
        let mut named: Vec<(String, Tensor)> = store.variables().into_iter().collect();
        named.sort_by(|a, b| a.0.cmp(&b.0));
        for (name, mut tensor) in named {
            let entry = Entry { name, shape: tensor.size(), offset: 0 };
            let mut values = vec![0.0; entry.len()];
            file.fill(prefix, "", std::slice::from_ref(&entry), &mut values)?;
            tch::no_grad(|| tensor.copy_(&Tensor::from_slice(&values).view(entry.shape.as_slice())));
        }
        Ok(())
    }

    /// Whether there are averaged weights of `player`.
    pub fn has_average(&self, player: &str) -> Result<bool, CheckpointError> {
        let prefix = format!("{player}_ema.");
        let file = Tensors::read(&self.folder.join("model.safetensors"))?;
        Ok(file.parse()?.names().iter().any(|name| name.starts_with(&prefix)))
    }

    /// Fills everything of a player.
    pub fn restore(&self, player: NetworkSlots) -> Result<(), CheckpointError> {
        let model = Tensors::read(&self.folder.join("model.safetensors"))?;
        model.fill_space(player.name, player.space)?;
        let layout = player.space.parameter_layout();
        if let Some(average) = player.average {
            average.change(|values| model.fill(&format!("{}_ema", player.name), "", layout, values))?;
        }
        let optimizer = Tensors::read(&self.folder.join("optimizer.safetensors"))?;
        let mut moments = [vec![0.0; player.space.len()], vec![0.0; player.space.len()]];
        for (values, suffix) in moments.iter_mut().zip([".first_moment", ".second_moment"]) {
            optimizer.fill(player.name, suffix, layout, values)?;
        }
        let Some(&updates) = self.state.updates.get(player.name) else {
            let fault = format!("has no network called {}", player.name);
            return Err(CheckpointError::Another { path: self.folder.clone(), fault });
        };
        player.adam.restore(updates, &moments[0], &moments[1]);
        Ok(())
    }
}

/// A file of a checkpoint. One that is not there, or is a folder, is damage; that it cannot be read is not.
fn read(path: &Path) -> Result<Vec<u8>, CheckpointError> {
    use std::io::ErrorKind::{IsADirectory, NotADirectory, NotFound};
    files::read(path).map_err(|error| match error.kind() {
        NotFound | NotADirectory | IsADirectory => {
            CheckpointError::Damaged { path: path.to_owned(), fault: error.to_string() }
        }
        _ => at(path)(error),
    })
}

/// A file of a checkpoint, held against `sums`: its line there, and its bytes.
fn read_file(folder: &Path, name: &str, sums: &[u8]) -> Result<(String, Vec<u8>), CheckpointError> {
    let path = folder.join(name);
    let bytes = read(&path)?;
    let line = checksum_line(name, &bytes);
    if !String::from_utf8_lossy(sums).lines().any(|known| known == line.trim_end()) {
        let fault = format!("its checksum is not the one in {CHECKSUMS}");
        return Err(CheckpointError::Damaged { path, fault });
    }
    Ok((line, bytes))
}

fn parse_state(path: &Path, bytes: Vec<u8>) -> Result<State, CheckpointError> {
    let damaged = |fault: String| CheckpointError::Damaged { path: path.to_owned(), fault };
    let text = String::from_utf8(bytes).map_err(|_| damaged("not UTF-8".into()))?;
    let table: toml::Table = text.parse().map_err(|error| damaged(one_line::toml(&error, &text)))?;
    let format = table.get("format").and_then(toml::Value::as_integer);
    if format != Some(i64::from(FORMAT)) {
        let advice = if format == Some(1) {
            ": train anew with this version of the program, or finish the run with the version that made it"
        } else {
            ""
        };
        let have = format.map_or("missing".into(), |format| format.to_string());
        let fault = format!("format is {have}, expected {FORMAT}{advice}");
        return Err(CheckpointError::Another { path: path.to_owned(), fault });
    }
    table.try_into().map_err(|error| damaged(one_line::message(&error)))
}

/// A safetensors file in memory.
struct Tensors {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Tensors {
    fn read(path: &Path) -> Result<Self, CheckpointError> {
        Ok(Self { path: path.to_owned(), bytes: read(path)? })
    }

    fn parse(&self) -> Result<SafeTensors<'_>, CheckpointError> {
        SafeTensors::deserialize(&self.bytes)
            .map_err(|error| CheckpointError::Damaged { path: self.path.clone(), fault: error.to_string() })
    }

    fn fill_space(&self, prefix: &str, space: &mut FlatSpace) -> Result<(), CheckpointError> {
        let (parameters, state) = (space.parameter_layout().to_vec(), space.state_layout().to_vec());
        space.change_parameters(|buffer| buffer.change(|values| self.fill(prefix, "", &parameters, values)))?;
        space.state_mut().change(|values| self.fill(prefix, "", &state, values))
    }

    /// Fills `values` from the tensors `prefix.NAMEsuffix`, of the shapes of `layout`.
    fn fill(&self, prefix: &str, suffix: &str, layout: &[Entry], values: &mut [f32]) -> Result<(), CheckpointError> {
        let file = self.parse()?;
        let another = |fault: String| CheckpointError::Another { path: self.path.clone(), fault };
        for entry in layout {
            let name = format!("{prefix}.{}{suffix}", entry.name);
            let tensor =
                file.tensor(&name).map_err(|_| another(format!("has no {name}, expected {:?}", entry.shape)))?;
            let shape: Vec<i64> = tensor.shape().iter().map(|&n| n as i64).collect();
            if shape != entry.shape || tensor.dtype() != Dtype::F32 {
                let have = format!("{name} is {:?} {shape:?}", tensor.dtype());
                return Err(another(format!("{have}, expected F32 {:?}", entry.shape)));
            }
            let (numbers, _) = tensor.data().as_chunks::<4>();
            for (slot, bytes) in values[entry.range()].iter_mut().zip(numbers) {
                *slot = f32::from_le_bytes(*bytes);
            }
        }
        Ok(())
    }
}
