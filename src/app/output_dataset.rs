//! The folder of a dataset that a command is about to write.

use std::path::{Path, PathBuf};

use super::CommandError;
use super::session::Session;
use crate::data::OutputLock;

/// A folder for a new dataset, locked by rank 0 until this is dropped.
pub struct OutputDataset {
    folder: PathBuf,
    _lock: Option<OutputLock>,
}

impl OutputDataset {
    /// Locks `folder`, before any long work. Called by all ranks.
    pub fn lock(session: &Session, folder: &Path) -> Result<Self, CommandError> {
        let lock = if session.rank() == 0 { OutputLock::take(folder).map(Some) } else { Ok(None) };
        Ok(Self { folder: folder.to_owned(), _lock: session.agree(lock)? })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}
