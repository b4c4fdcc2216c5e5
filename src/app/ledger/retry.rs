//! `skyforge ledger retry`: another chance for what failed.

use std::path::Path;
use std::time::Instant;

use crate::app::CommandError;
use crate::app::output::say;
use crate::exit::Exit;
use crate::ledger::Ledger;
use crate::ledger::retry::retry_failed;
use crate::train::progress::{Progress, Task};

/// Retries all objects that failed.
pub fn run(ledger: &Path) -> Result<Exit, CommandError> {
    let ledger = Ledger::open(ledger)?;
    let total = ledger.work().blocks().count() as u64;
    let task = Task { unit: "block", total, start: 0, item: "blocks", items_per_unit: 1 };
    let mut progress = Progress::new(task, Instant::now());
    let mut seen = 0;
    let retried = retry_failed(&ledger, || {
        seen += 1;
        progress.update(Instant::now(), u64::min(seen, total), None, &[]); // halves are no blocks of their own here
    })?;
    drop(progress);
    for block in &retried.blocks {
        log::warn!("objects {block}: their result was damaged, and is removed");
    }
    say(&format!("objects {}\ndamaged_blocks {}", retried.objects.len(), retried.blocks.len()))?;
    Ok(Exit::Done)
}
