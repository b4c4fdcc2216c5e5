//! Lock files: one program at a time, on any machine that sees the file.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::faults::{Operation, reach};

/// Attempts to lock a file that others remove.
const MOST_TRIES: u32 = 100;

/// A locked file. The system releases the lock when the program ends, however it ends.
#[derive(Debug)]
pub struct FileLock {
    path: PathBuf,
    _file: File,
}

impl FileLock {
    /// Locks `path`, which is created if it does not exist; `None` if another program has locked it.
    ///
    /// Some file systems have no locks. There it is granted, with a warning in the log, since refusing to run would be worse.
    pub fn take(path: &Path) -> io::Result<Option<Self>> {
        let mut tries = 0;
        loop {
            reach(Operation::Create, path, || {})?;
            let file = File::options().create(true).truncate(false).write(true).open(path)?;
            let fault = match file.try_lock() {
                // Its last owner may have removed the file after we opened it: then the lock guards nothing.
                Ok(()) if !is_at(&file, path)? && tries < MOST_TRIES => {
                    tries += 1;
                    continue;
                }
                Ok(()) if tries == MOST_TRIES => "the file system shows another file each time".to_owned(),
                Ok(()) => return Ok(Some(Self { path: path.to_owned(), _file: file })),
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => error.to_string(),
            };
            log::warn!("{}: cannot be locked ({fault}), nothing keeps a second program out", path.display());
            return Ok(Some(Self { path: path.to_owned(), _file: file }));
        }
    }

    /// Removes the file, then releases the lock.
    pub fn remove(self) -> io::Result<()> {
        fs::remove_file(&self.path)
    }
}

/// Whether `path` is the name of `file`.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let ours = file.metadata()?;
    match fs::metadata(path) {
        Ok(there) => Ok((there.dev(), there.ino()) == (ours.dev(), ours.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_by_one_and_free_again_when_it_is_dropped_or_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lock");
        let first = FileLock::take(&path).expect("it can be made").expect("nobody has it");
        assert!(FileLock::take(&path).expect("it can be opened").is_none());
        drop(first);
        let second = FileLock::take(&path).expect("it can be opened").expect("nobody has it");
        second.remove().expect("it is ours");
        assert!(!path.exists());
        assert!(FileLock::take(&path).expect("it can be made").is_some());
    }

    #[test]
    fn a_lock_on_a_file_that_was_removed_is_not_taken_for_the_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lock");
        let file = File::create(&path).expect("room");
        assert!(is_at(&file, &path).expect("readable"));
        fs::remove_file(&path).expect("it is ours");
        assert!(!is_at(&file, &path).expect("readable"));
        let other = File::create(&path).expect("room");
        assert!(!is_at(&file, &path).expect("readable") && is_at(&other, &path).expect("readable"));
    }
}
