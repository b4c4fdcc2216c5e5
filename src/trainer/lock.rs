//! One program at a time in a run folder.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::TrainError;
use crate::files;

/// A run folder that nobody else may train in. The system takes the lock back when the program ends, however it ends.
#[derive(Debug)]
pub struct RunLock {
    folder: PathBuf,
    made: bool,
    _file: File,
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
        let file = File::create(&path).map_err(io(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { folder: folder.to_owned(), made, _file: file }),
            Err(TryLockError::WouldBlock) => Err(TrainError::InUse { folder: folder.to_owned() }),
            // Some file systems know no locks: better no guard than no run.
            Err(TryLockError::Error(error)) => {
                log::warn!("{}: cannot be locked ({error}), nothing keeps a second program out", path.display());
                Ok(Self { folder: folder.to_owned(), made, _file: file })
            }
        }
    }

    /// Gives a folder up in which nothing was begun: one that was made for it goes.
    pub fn abandon(self) {
        if self.made {
            let _ = fs::remove_file(self.folder.join("lock"));
            let _ = fs::remove_dir(&self.folder); // stays where somebody put something into it
        }
    }
}
