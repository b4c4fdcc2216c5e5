//! Files that exist whole or not at all.
//!
//! A thing is written under a name ending in `.part`, synced and renamed: whatever happens in between, readers see
//! either nothing, or what was there before, or all of it. Everything that changes what a folder holds goes through the
//! doors below, where tests can make it fail (`faults`).

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Timespec, Timestamps, UTIME_NOW, futimens};

#[doc(hidden)]
pub mod faults;
mod lock;

use faults::{Operation, reach};
pub use lock::FileLock;

/// Whether the folder that a user names is there: `wanted` says which, as in "the folder of a dataset".
pub fn expect_folder(path: &Path, wanted: &str) -> io::Result<()> {
    expect(path, wanted, fs::Metadata::is_dir, (io::ErrorKind::NotADirectory, "is a file"))
}

/// Whether the file that a user names is there: `wanted` says which.
pub fn expect_file(path: &Path, wanted: &str) -> io::Result<()> {
    expect(path, wanted, |found| !found.is_dir(), (io::ErrorKind::IsADirectory, "is a folder"))
}

/// The text of a file that a user names, without the byte order mark that some editors put at its begin. `wanted` says
/// which file.
pub fn read_text(path: &Path, wanted: &str) -> io::Result<String> {
    expect_file(path, wanted)?;
    let mut text = fs::read_to_string(path)?;
    if text.starts_with('\u{feff}') {
        text.remove(0);
    }
    Ok(text)
}

fn expect(
    path: &Path,
    wanted: &str,
    is: impl FnOnce(&fs::Metadata) -> bool,
    (kind, instead): (io::ErrorKind, &str),
) -> io::Result<()> {
    let told = |kind, what: &str| io::Error::new(kind, format!("{what}, expected {wanted}"));
    match fs::metadata(path) {
        Ok(found) if is(&found) => Ok(()),
        Ok(_) => Err(told(kind, instead)),
        Err(error) if [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory].contains(&error.kind()) => {
            Err(told(io::ErrorKind::NotFound, "is not there"))
        }
        Err(error) => Err(error),
    }
}

/// The name of a file in its folder.
pub fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The name under which `path` is written until it is whole.
pub fn part_of(path: &Path) -> PathBuf {
    let mut name = path.file_name().map(std::ffi::OsStr::to_os_string).unwrap_or_default();
    name.push(".part");
    path.with_file_name(name)
}

/// Writes `bytes` to `path`, whole or not at all, and to the disk.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_whole_by(path, |error| error, |file, part| write_at(file, part, bytes, 0))
}

/// The same by `write`, which gets the new file, and the name that it has until it is whole.
///
/// - `failed`: makes the caller's error of one of the system's
pub fn write_whole_by<T, E>(
    path: &Path,
    failed: impl Fn(io::Error) -> E,
    write: impl FnOnce(&File, &Path) -> Result<T, E>,
) -> Result<T, E> {
    let part = part_of(path);
    let told = |error: io::Error| {
        let told = match error.kind() {
            io::ErrorKind::IsADirectory => "is a folder, expected the name of a file",
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => "its folder is not there, expected one that is",
            _ => return failed(error),
        };
        failed(io::Error::new(error.kind(), told))
    };
    if path.is_dir() {
        return Err(told(io::ErrorKind::IsADirectory.into())); // before what may be long work
    }
    let written = create(&part).map_err(told).and_then(|file| {
        let made = write(&file, &part)?;
        settle(&file, path).map_err(told)?;
        Ok(made)
    });
    if written.is_err() {
        let _ = remove_file(&part); // half a file is of no use, and there is an error already
    }
    written
}

/// Gives `file`, which was written as `part_of(path)` and is complete, its name; both are on the disk afterwards.
pub fn settle(file: &File, path: &Path) -> io::Result<()> {
    let part = part_of(path);
    sync(file, &part)?;
    rename(&part, path)?;
    sync_parent(path)
}

/// Writes `bytes` to `path` and to the disk, for files inside a folder that is renamed when it is whole.
pub fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let file = create(path)?;
    write_at(&file, path, bytes, 0)?;
    sync(&file, path)
}

/// Makes sure that the disk knows the names in the folder that holds `path`.
pub fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    reach(Operation::SyncFolder, parent, || {})?;
    File::open(parent)?.sync_all()
}

/// Makes an empty file, or empties the one that is there.
pub fn create(path: &Path) -> io::Result<File> {
    reach(Operation::Create, path, || {})?;
    File::create(path)
}

/// Makes an empty file where nothing of that name is there; of all who try at once, on any machine, one succeeds.
pub fn create_new(path: &Path) -> io::Result<File> {
    reach(Operation::Create, path, || {})?;
    File::create_new(path)
}

/// Opens a file that is there, for reading and writing.
pub fn open(path: &Path) -> io::Result<File> {
    reach(Operation::Open, path, || {})?;
    File::options().read(true).write(true).open(path)
}

/// Reads a whole file.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    reach(Operation::Read, path, || {})?;
    fs::read(path)
}

/// Writes `bytes` into `file`, called `path`, from byte `place` on.
pub fn write_at(file: &File, path: &Path, bytes: &[u8], place: u64) -> io::Result<()> {
    reach(Operation::Write, path, || {
        let _ = file.write_all_at(&bytes[..bytes.len() / 2], place);
    })?;
    file.write_all_at(bytes, place)
}

/// Returns when what was written to `file`, called `path`, is on the disk.
pub fn sync(file: &File, path: &Path) -> io::Result<()> {
    reach(Operation::Sync, path, || {})?;
    file.sync_all()
}

/// Gives a file or folder another name.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    reach(Operation::Rename, from, || {})?;
    fs::rename(from, to)
}

/// Gives a file a second name where nothing of that name is there, as `create_new` does.
pub fn link(from: &Path, to: &Path) -> io::Result<()> {
    reach(Operation::Link, from, || {})?;
    fs::hard_link(from, to)
}

/// Marks `file`, called `path`, as changed now, by the clock of whoever keeps it.
pub fn touch(file: &File, path: &Path) -> io::Result<()> {
    reach(Operation::Touch, path, || {})?;
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    Ok(futimens(file, &Timestamps { last_access: now, last_modification: now })?)
}

/// Makes a folder, and those above it that are not there.
pub fn create_folder(path: &Path) -> io::Result<()> {
    reach(Operation::CreateFolder, path, || {})?;
    fs::create_dir_all(path).map_err(|error| match path.ancestors().find(|above| above.exists() && !above.is_dir()) {
        Some(file) if file == path => io::Error::new(io::ErrorKind::NotADirectory, "is a file, expected a folder"),
        Some(file) => {
            let told = format!("{} is a file, expected a folder", file.display());
            io::Error::new(io::ErrorKind::NotADirectory, told)
        }
        None => error,
    })
}

/// Removes a file.
pub fn remove_file(path: &Path) -> io::Result<()> {
    reach(Operation::Remove, path, || {})?;
    fs::remove_file(path)
}

/// Removes a folder and all in it.
pub fn remove_folder(path: &Path) -> io::Result<()> {
    reach(Operation::Remove, path, || {
        let mut entries = fs::read_dir(path).into_iter().flatten().flatten();
        let _ = entries.next().map(|entry| fs::remove_file(entry.path()));
    })?;
    fs::remove_dir_all(path)
}
