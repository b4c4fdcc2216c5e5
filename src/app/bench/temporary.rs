//! A folder that is gone at the end.

use std::fs;
use std::path::{Path, PathBuf};

use crate::app::CommandError;
use crate::app::session::Session;

/// The same for all ranks, named after the first.
pub(super) struct Temporary(pub(super) PathBuf);

impl Temporary {
    /// A folder in `within`.
    pub(super) fn create(session: &Session, within: &Path) -> Result<Self, CommandError> {
        let number = session.comm().broadcast(&std::process::id().to_le_bytes());
        let number = u32::from_le_bytes(number.try_into().expect("4 bytes were sent"));
        let folder = within.join(format!("skyforge-bench-{number}"));
        fs::create_dir_all(&folder).map_err(CommandError::io(&folder))?;
        Ok(Self(folder))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0); // who has no room for it may remove it
    }
}
