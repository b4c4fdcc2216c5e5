//! What may lie in a folder into which a dataset is written.

use std::fs;
use std::path::Path;

use super::DataError;
use super::manifest::FILE_NAME;
use crate::files;

/// The lock file inside the folder of a dataset that is being written.
pub(super) const LOCK_FILE: &str = "lock";

/// Refuses a folder in which something else is, before any work is done; one that is not there is fine.
pub(super) fn check(folder: &Path) -> Result<(), DataError> {
    let refused = |what: &str| DataError::Usage(format!("{} {what}, expected a new or empty folder", folder.display()));
    if folder.join(FILE_NAME).exists() {
        return Err(refused("already holds a dataset"));
    }
    if !folder.exists() {
        return Ok(());
    }
    files::expect_folder(folder, "a new or empty folder").map_err(DataError::file(folder))?;
    for entry in fs::read_dir(folder).map_err(DataError::file(folder))? {
        let name = entry.map_err(DataError::file(folder))?.file_name().to_string_lossy().into_owned();
        if !is_of_writer(&name) && name != LOCK_FILE {
            return Err(refused(&format!("holds {name}")));
        }
    }
    Ok(())
}

/// Whether a file is one that a writer of datasets leaves behind when it is cut off.
pub(super) fn is_of_writer(name: &str) -> bool {
    name.starts_with("shard-") || name == "manifest.toml.part"
}
