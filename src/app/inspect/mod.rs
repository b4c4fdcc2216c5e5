//! `skyforge inspect`: what a thing on disk is, and whether it is whole.

mod checkpoint;
mod dataset;
mod plain;
mod range;
mod run;
mod shard;
mod table;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::CommandError;
use super::output::say;
use crate::catalog::parquet_file;
use crate::checkpoint::Checkpoint;
use crate::exit::Exit;
use crate::files;
use crate::report::{ExampleMaps, grid_png};

/// What to show, and how.
#[derive(Clone, Debug)]
pub struct Look {
    pub json: bool,
    /// Whether ranges are those of all values.
    pub all: bool,
    /// Where a picture of the first maps goes.
    pub png: Option<PathBuf>,
}

/// A thing on disk.
struct Found {
    /// All that is told of it.
    told: Value,
    /// What is wrong with it, a line each.
    damaged: Vec<String>,
    /// Its first maps, where it has any that are whole.
    maps: Option<ExampleMaps>,
}

/// Maps of a picture.
const DRAWN: u64 = 16;

/// Describes what is at the path.
pub fn run(path: &Path, look: &Look) -> Result<Exit, CommandError> {
    tell(path, look)?;
    Ok(Exit::Done)
}

fn tell(path: &Path, look: &Look) -> Result<(), CommandError> {
    let Found { mut told, damaged, maps } = find(path, look.all)?;
    if let Some(png) = &look.png {
        let none = || {
            CommandError::Usage(format!(
                "--png: {} has no square maps, nor spectra with the seven parameters, expected a dataset of them",
                path.display()
            ))
        };
        let picture = grid_png(&maps.ok_or_else(none)?);
        files::write_whole(png, &picture).map_err(CommandError::io(png))?;
    }
    told["whole"] = damaged.is_empty().into();
    told["damaged"] = damaged.clone().into();
    say(&if look.json { told.to_string() } else { plain::lines(&told, &["tensors"]) })?;
    match damaged.split_first() {
        None => Ok(()),
        Some((first, rest)) => {
            let more = if rest.is_empty() { String::new() } else { format!(", and {} more", rest.len()) };
            let place = format!("{}/", path.display());
            Err(CommandError::Wrong {
                path: path.to_owned(),
                fault: format!("{}{more}", first.strip_prefix(&place).unwrap_or(first)),
            })
        }
    }
}

fn find(path: &Path, all: bool) -> Result<Found, CommandError> {
    if !path.exists() {
        files::expect_file(path, "a dataset, shard, table, checkpoint or run").map_err(CommandError::io(path))?;
    }
    if !path.is_dir() {
        let mut signature = [0; 8];
        let read = File::open(path).and_then(|mut file| file.read(&mut signature)).map_err(CommandError::io(path))?;
        if signature[..read] == *b"\x89HDF\r\n\x1a\n" {
            return shard::look(path, all);
        }
        if parquet_file::is_parquet(path) {
            return table::look(path);
        }
        let fault =
            "is neither HDF5 nor Parquet, expected a shard, a table, or the folder of a dataset, checkpoint or run"
                .into();
        return Err(CommandError::Wrong { path: path.to_owned(), fault });
    }
    if path.join("manifest.toml").is_file() {
        return dataset::look(path, all);
    }
    if path.join("CHECKSUMS").is_file() {
        return checkpoint::look(&Checkpoint::open(path)?);
    }
    if path.join("checkpoints").is_dir() || path.join("config.toml").is_file() {
        return run::look(path);
    }
    let fault = "is no dataset (manifest.toml), checkpoint (CHECKSUMS) or run (config.toml)".into();
    Err(CommandError::Wrong { path: path.to_owned(), fault })
}
