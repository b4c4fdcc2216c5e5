//! The right to write a dataset into a folder, held by one program at a time.

use std::fs;
use std::path::{Path, PathBuf};

use super::DataError;
use super::output_folder::{self, LOCK_FILE};
use crate::files::{self, FileLock};

/// A folder into which nobody else writes a dataset until this is dropped. Rank 0 holds it for all ranks.
#[derive(Debug)]
pub struct OutputLock {
    folder: PathBuf,
    /// Folders that did not exist before, the deepest first.
    made: Vec<PathBuf>,
    lock: Option<FileLock>,
}

impl OutputLock {
    /// Locks `folder`, which is created if it does not exist.
    ///
    /// # Errors
    /// `Usage` if it already holds a dataset or something else, `InUse` if another program is writing a dataset there, `File` if it
    /// cannot be created.
    pub fn take(folder: &Path) -> Result<Self, DataError> {
        output_folder::check(folder)?;
        let above = folder.ancestors().filter(|path| !path.as_os_str().is_empty());
        let made = above.take_while(|path| !path.exists()).map(Path::to_owned).collect();
        files::create_folder(folder).map_err(DataError::file(folder))?;
        let mut taken = Self { folder: folder.to_owned(), made, lock: None };
        let path = folder.join(LOCK_FILE);
        taken.lock = FileLock::take(&path).map_err(DataError::file(&path))?;
        if taken.lock.is_none() {
            taken.made.clear(); // they are the other program's
            return Err(DataError::InUse { folder: folder.to_owned() });
        }
        output_folder::check(folder)?; // another program may have finished just before
        Ok(taken)
    }
}

impl Drop for OutputLock {
    fn drop(&mut self) {
        if let Some(lock) = self.lock.take()
            && let Err(error) = lock.remove()
        {
            log::warn!("{}: {error}: the lock file is left there", self.folder.join(LOCK_FILE).display());
        }
        for folder in &self.made {
            let _ = fs::remove_dir(folder); // it stays where something was written into it
        }
    }
}
