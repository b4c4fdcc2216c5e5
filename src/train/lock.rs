//! One program at a time in a run folder.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::TrainError;
use crate::files::{self, FileLock};

/// A run folder that nobody else may train in. The system takes the lock back when the program ends, however it ends.
#[derive(Debug)]
pub struct RunLock {
    folder: PathBuf,
    made: bool,
    lock: FileLock,
}

impl RunLock {
    /// Takes `folder`, which is made if it is not there.
    pub fn take(folder: &Path) -> Result<Self, TrainError> {
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source: io::Error| TrainError::Io { path, source }
        };
        let other = |fault: &str| TrainError::NoRun { folder: folder.to_owned(), fault: fault.into() };
        if folder.is_file() {
            return Err(other("is a file, expected the folder of a run"));
        }
        if folder.join("manifest.toml").exists() {
            return Err(other("holds a dataset, expected the folder of a run"));
        }
        let made = !folder.exists();
        files::create_folder(folder).map_err(io(folder))?;
        let path = folder.join("lock");
        match FileLock::take(&path).map_err(io(&path))? {
            Some(lock) => Ok(Self { folder: folder.to_owned(), made, lock }),
            None => Err(TrainError::InUse { folder: folder.to_owned() }),
        }
    }

    /// Gives a folder up in which nothing was begun: one that was made for it goes.
    pub fn abandon(self) {
        if self.made {
            let _ = self.lock.remove();
            let _ = fs::remove_dir(&self.folder); // stays where somebody put something into it
        }
    }
}
