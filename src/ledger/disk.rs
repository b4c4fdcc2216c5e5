//! The folder that workers share, and what is asked of it: every operation is counted by its kind.
//!
//! On a parallel file system each of them is a round trip to a server that many programs share, so their number is what a
//! ledger costs there.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use super::LedgerError;
use crate::files;

/// Kinds of operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// A file is made, or somebody was faster.
    Create,
    /// Its bytes are written.
    Write,
    /// They are on the disk, or the folder's names are.
    Sync,
    /// It gets its name.
    Link,
    /// A name goes.
    Remove,
    /// It is marked as changed.
    Touch,
    /// It is opened, looked at and read.
    Read,
    /// A folder's names are read.
    List,
}

/// All kinds, as they are counted.
pub const OPERATIONS: [Operation; 8] = [
    Operation::Create,
    Operation::Write,
    Operation::Sync,
    Operation::Link,
    Operation::Remove,
    Operation::Touch,
    Operation::Read,
    Operation::List,
];

impl Operation {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Write => "write",
            Self::Sync => "sync",
            Self::Link => "link",
            Self::Remove => "remove",
            Self::Touch => "touch",
            Self::Read => "read",
            Self::List => "list",
        }
    }
}

/// The doors to a ledger's folder.
#[derive(Debug)]
pub struct Disk {
    folder: PathBuf,
    sync: bool,
    counts: [AtomicU64; OPERATIONS.len()],
}

/// What a file holds, and when it was last changed, by its keeper's clock.
pub struct Seen {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The time.
    pub changed: SystemTime,
}

impl Disk {
    /// For the ledger in `folder`; without `sync` a power cut may undo what is written.
    pub fn new(folder: &Path, sync: bool) -> Self {
        Self { folder: folder.to_owned(), sync, counts: Default::default() }
    }

    /// The ledger's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The path of `name` in the folder called `kind`.
    pub fn path(&self, kind: &str, name: impl std::fmt::Display) -> PathBuf {
        self.folder.join(kind).join(name.to_string())
    }

    /// How many operations of each kind there were.
    pub fn counts(&self) -> [u64; OPERATIONS.len()] {
        self.counts.each_ref().map(|count| count.load(Ordering::Relaxed))
    }

    fn count(&self, operation: Operation) {
        self.counts[operation as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Makes a file with these bytes, if nobody was faster. It is there before its bytes are.
    pub fn claim(&self, path: &Path, bytes: &[u8]) -> Result<Option<File>, LedgerError> {
        self.count(Operation::Create);
        let file = match files::create_new(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
            Err(error) => return Err(LedgerError::file(path)(error)),
        };
        self.count(Operation::Write);
        match files::write_at(&file, path, bytes, 0) {
            Ok(()) => Ok(Some(file)),
            Err(error) => {
                let _ = files::remove_file(path); // what cannot be written would be nobody's claim
                Err(LedgerError::file(path)(error))
            }
        }
    }

    /// Makes an empty file; one that is there is as good.
    pub fn mark(&self, path: &Path) -> Result<(), LedgerError> {
        self.claim(path, &[]).map(drop)
    }

    /// Makes a file, whole or not at all, if nobody was faster: whether it did. `writer` is a word that no other writer has.
    pub fn write_new(&self, path: &Path, bytes: &[u8], writer: &str) -> Result<bool, LedgerError> {
        let part = path.with_file_name(format!("{}.{writer}.part", files::name_of(path)));
        let made = self.write_part(&part, bytes).and_then(|()| self.name(&part, path));
        self.count(Operation::Remove);
        let removed = files::remove_file(&part); // it has its other name now, or is of no use
        let made = made.map_err(LedgerError::file(path))?;
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(LedgerError::file(&part)(error)),
            _ => {}
        }
        if made && self.sync {
            self.count(Operation::Sync);
            files::sync_parent(path).map_err(LedgerError::file(path))?;
        }
        Ok(made)
    }

    fn write_part(&self, part: &Path, bytes: &[u8]) -> io::Result<()> {
        self.count(Operation::Create);
        let file = files::create(part)?;
        self.count(Operation::Write);
        files::write_at(&file, part, bytes, 0)?;
        if self.sync {
            self.count(Operation::Sync);
            files::sync(&file, part)?;
        }
        Ok(())
    }

    /// Gives what is called `part` the name `path`, if that is free: whether it was.
    fn name(&self, part: &Path, path: &Path) -> io::Result<bool> {
        use io::ErrorKind::{AlreadyExists, PermissionDenied, Unsupported};
        self.count(Operation::Link);
        match files::link(part, path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == AlreadyExists => Ok(false),
            // Some file systems know no second names. Then two who are equally fast both succeed, the later one's bytes stay.
            Err(error) if [PermissionDenied, Unsupported].contains(&error.kind()) => {
                let free = !path.try_exists()?;
                if free {
                    files::rename(part, path)?;
                }
                Ok(free)
            }
            Err(error) => Err(error),
        }
    }

    /// Marks a file as changed.
    pub fn touch(&self, file: &File, path: &Path) -> io::Result<()> {
        self.count(Operation::Touch);
        files::touch(file, path)
    }

    /// Removes a file; one that is gone is as good.
    pub fn remove(&self, path: &Path) -> Result<(), LedgerError> {
        self.count(Operation::Remove);
        match files::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(LedgerError::file(path)(error)),
            _ => Ok(()),
        }
    }

    /// What a file holds, where it is there. It is opened first, since a client of NFS then asks the server for its time.
    pub fn read(&self, path: &Path) -> Result<Option<Seen>, LedgerError> {
        self.count(Operation::Read);
        let read = || -> io::Result<Seen> {
            let mut file = File::open(path)?;
            let changed = file.metadata()?.modified()?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok(Seen { bytes, changed })
        };
        match read() {
            Ok(seen) => Ok(Some(seen)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(LedgerError::file(path)(error)),
        }
    }

    /// The names in the folder called `kind`, in no order.
    pub fn list(&self, kind: &str) -> Result<Vec<String>, LedgerError> {
        self.count(Operation::List);
        let folder = self.folder.join(kind);
        let entries = fs::read_dir(&folder).and_then(|entries| {
            entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect::<io::Result<_>>()
        });
        entries.map_err(LedgerError::file(folder))
    }
}
