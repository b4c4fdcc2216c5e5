//! Objects in quarantine get another chance.

use super::LedgerError;
use super::block::Block;
use super::ledger_file::Ledger;
use super::outcomes::{quarantined_in, read_result};
use super::sight::{Leaf, Sight, State, attempt_name};

/// What may be done again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retried {
    /// Objects that were in quarantine.
    pub objects: Vec<u64>,
    /// Blocks whose results were damaged.
    pub blocks: Vec<Block>,
}

/// Makes all objects in quarantine free, and removes results that are damaged. Workers may be at work meanwhile.
///
/// - `next`: called for every block that is looked at
pub fn retry_failed(ledger: &Ledger, mut next: impl FnMut()) -> Result<Retried, LedgerError> {
    let sight = Sight::take(ledger)?;
    let mut retried = Retried::default();
    for leaf in &sight.leaves {
        next();
        match leaf.state {
            State::Free | State::Claimed => {}
            State::GivenUp => {
                forget(ledger, leaf)?;
                retried.objects.push(leaf.block.first);
            }
            State::Done { .. } => match read_result(ledger, leaf.block) {
                Err(LedgerError::Wrong { .. }) => {
                    forget(ledger, leaf)?;
                    retried.blocks.push(leaf.block);
                }
                outcomes => {
                    for (object, _) in quarantined_in(&sight, leaf.block, outcomes?.unwrap_or_default()) {
                        // It becomes a block of its own, unless it is one.
                        if leaf.block.count() == 1 {
                            forget(ledger, leaf)?;
                        } else {
                            ledger.disk().mark(&ledger.disk().path("retry", format!("{object:012}")))?;
                        }
                        retried.objects.push(object);
                    }
                }
            },
        }
    }
    Ok(retried)
}

/// Makes a block as if nobody had ever taken it. The result goes last, so that nobody takes it before all else is gone.
fn forget(ledger: &Ledger, leaf: &Leaf) -> Result<(), LedgerError> {
    let disk = ledger.disk();
    for attempt in 0..=leaf.attempt {
        disk.remove(&disk.path("claims", attempt_name(leaf.block, attempt)))?;
    }
    for attempt in (0..leaf.attempt).rev() {
        disk.remove(&disk.path("failed", attempt_name(leaf.block, attempt)))?;
    }
    disk.remove(&disk.path("faulty", leaf.block))?;
    disk.remove(&ledger.result(leaf.block))
}
