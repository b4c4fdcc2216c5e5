//! Whether a stage of a campaign is done, by what it must leave.

use std::path::Path;

use super::CommandError;
use crate::files;
use crate::ledger::status::Status as LedgerStatus;
use crate::ledger::{self, Ledger};
use crate::train::{Outcome, Status};

/// The outcome of a training, the page of a ledger: there long before the work is done.
const OUTCOME: &str = "outcome.toml";

/// Whether `proof` says that the work is done.
pub fn is_done(proof: &Path) -> Result<bool, CommandError> {
    let folder = proof.parent().unwrap_or(Path::new("."));
    Ok(proof.is_file()
        && match files::name_of(proof).as_str() {
            OUTCOME => Outcome::read(folder).is_some_and(|outcome| outcome.status == Status::Done),
            ledger::FILE_NAME => LedgerStatus::take(&Ledger::open(folder)?)?.is_finished(),
            _ => true,
        })
}
