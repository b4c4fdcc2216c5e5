//! A copy of a dataset on a disk of the node, which ranks read instead. It is checked by the checksums of its blocks, and
//! what an earlier try has left of it is taken over.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

use rayon::prelude::*;

use super::DataError;
use super::dataset::Dataset;
use super::manifest::{FILE_NAME, ShardEntry};
use crate::files;

/// Bytes that are read and written at once.
const PIECE: usize = 4 << 20;

/// How much of a copy was there and how much was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Bytes copied now.
    pub bytes: u64,
    /// Bytes that an earlier try had left.
    pub kept: u64,
}

/// Bytes that a copy of `dataset` takes.
pub fn size(dataset: &Dataset) -> u64 {
    dataset.manifest().shards.iter().map(|entry| entry.bytes).sum()
}

/// Copies `dataset` into the folder `to`, where nobody else is at work, and opens it there when all of it is verified.
///
/// A shard that is there and the beginning of one are kept; if the whole is then not what it should be, everything is
/// copied anew, once.
pub fn copy(dataset: &Dataset, to: &Path) -> Result<(Dataset, Copied), DataError> {
    files::create_folder(to).map_err(error(to))?;
    let copied = copy_all(dataset, to)?;
    match open(to) {
        Ok(copy) => Ok((copy, copied)),
        Err(_) if copied.kept > 0 => {
            for entry in &dataset.manifest().shards {
                let path = to.join(&entry.file);
                files::remove_file(&path).map_err(error(&path))?;
            }
            let copied = copy_all(dataset, to)?;
            Ok((open(to)?, copied))
        }
        Err(fault) => Err(fault),
    }
}

fn copy_all(dataset: &Dataset, to: &Path) -> Result<Copied, DataError> {
    let from = dataset.folder();
    let shards: Vec<Copied> =
        dataset.manifest().shards.par_iter().map(|entry| copy_shard(from, to, entry)).collect::<Result<_, _>>()?;
    // Last, as in every dataset.
    let (there, here) = (from.join(FILE_NAME), to.join(FILE_NAME));
    let manifest = fs::read(&there).map_err(error(&there))?;
    files::write_whole(&here, &manifest).map_err(error(&here))?;
    let sum = |of: fn(&Copied) -> u64| shards.iter().map(of).sum();
    Ok(Copied { bytes: sum(|shard| shard.bytes), kept: sum(|shard| shard.kept) })
}

fn copy_shard(from: &Path, to: &Path, entry: &ShardEntry) -> Result<Copied, DataError> {
    let (there, here) = (from.join(&entry.file), to.join(&entry.file));
    if fs::metadata(&here).is_ok_and(|found| found.len() == entry.bytes) {
        return Ok(Copied { bytes: 0, kept: entry.bytes });
    }
    let part = files::part_of(&here);
    let source = File::open(&there).map_err(error(&there))?;
    let kept = fs::metadata(&part).map_or(0, |found| found.len());
    let kept = if kept <= entry.bytes { kept } else { 0 };
    let file = if kept > 0 { files::open(&part) } else { files::create(&part) }.map_err(error(&part))?;
    let mut piece = vec![0; PIECE];
    let mut place = kept;
    while place < entry.bytes {
        let piece = &mut piece[..PIECE.min((entry.bytes - place) as usize)];
        source.read_exact_at(piece, place).map_err(error(&there))?;
        files::write_at(&file, &part, piece, place).map_err(error(&part))?;
        place += piece.len() as u64;
    }
    files::settle(&file, &here).map_err(error(&here))?;
    Ok(Copied { bytes: entry.bytes - kept, kept })
}

fn open(folder: &Path) -> Result<Dataset, DataError> {
    let dataset = Dataset::open(folder)?;
    dataset.verify()?;
    Ok(dataset)
}

fn error(path: &Path) -> impl FnOnce(std::io::Error) -> DataError + use<'_> {
    move |source| DataError::File { path: path.to_owned(), source }
}
