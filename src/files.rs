//! Files that exist whole or not at all.
//!
//! A thing is written under a name ending in `.part`, synced and renamed: whatever happens in between, readers see
//! either nothing, or what was there before, or all of it.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The name under which `path` is written until it is whole.
pub fn part_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().map(std::ffi::OsStr::to_os_string).unwrap_or_default();
    name.push(".part");
    path.with_file_name(name)
}

/// Writes `bytes` to `path`, whole or not at all, and to the disk.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let part = part_of(path);
    let written = File::create(&part).and_then(|mut file| {
        file.write_all(bytes)?;
        settle(&file, path)
    });
    if written.is_err() {
        let _ = fs::remove_file(&part); // half a file is of no use, and there is an error already
    }
    written
}

/// Gives `file`, which was written as `part_of(path)` and is complete, its name; both are on the disk afterwards.
pub fn settle(file: &File, path: &Path) -> io::Result<()> {
    file.sync_all()?;
    fs::rename(part_of(path), path)?;
    sync_parent(path)
}

/// Writes `bytes` to `path` and to the disk, for files inside a folder that is renamed when it is whole.
pub fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes sure that the disk knows the names in the folder that holds `path`.
pub fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
        _ => File::open(".")?.sync_all(),
    }
}
