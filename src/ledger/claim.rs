//! Claims: which worker has a block.

use std::fs::File;
use std::path::PathBuf;

use super::block::Block;
use super::ledger_file::Ledger;
use super::owner::Owner;
use super::{LedgerError, sight};

/// An attempt at a block that is this worker's.
#[derive(Debug)]
pub(super) struct Claim {
    pub block: Block,
    pub attempt: u32,
    /// It is done alone: a worker was lost with it before.
    pub suspect: bool,
    pub file: File,
    pub path: PathBuf,
}

impl Claim {
    /// Takes what was free when it was looked at; nothing if somebody was faster.
    pub fn take(ledger: &Ledger, leaf: &sight::Leaf, me: &Owner) -> Result<Option<Self>, LedgerError> {
        let sight::Leaf { block, attempt, suspect, .. } = *leaf;
        let path = ledger.disk().path("claims", sight::attempt_name(block, attempt));
        let words = serde_json::to_vec(&me.claiming_now()).expect("names and numbers are JSON");
        Ok(ledger.disk().claim(&path, &words)?.map(|file| Self { block, attempt, suspect, file, path }))
    }

    /// Lets others have it.
    pub fn give_back(&self, ledger: &Ledger) -> Result<(), LedgerError> {
        ledger.disk().remove(&self.path)
    }

    /// The attempt came to nothing, for this reason.
    pub fn fail(&self, ledger: &Ledger, reason: &str, me: &Owner) -> Result<(), LedgerError> {
        fail(ledger, self.block, self.attempt, reason, me)
    }
}

/// Has an attempt count as one that came to nothing; who says so first is heard.
pub(super) fn fail(ledger: &Ledger, block: Block, attempt: u32, reason: &str, me: &Owner) -> Result<(), LedgerError> {
    let path = ledger.disk().path("failed", sight::attempt_name(block, attempt));
    ledger.disk().write_new(&path, reason.as_bytes(), &me.worker_id).map(drop)
}
