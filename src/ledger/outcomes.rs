//! What came of a ledger's objects: results as they lie in its folder, and the objects in quarantine with the reasons.

use super::LedgerError;
use super::block::Block;
use super::ledger_file::Ledger;
use super::payloads::{Outcome, unpack};
use super::sight::{Leaf, Sight, State, attempt_name};

/// What came of the objects of a block that was done; nothing where `retry` has made it free again.
pub(super) fn read_result(ledger: &Ledger, block: Block) -> Result<Option<Vec<Outcome>>, LedgerError> {
    let path = ledger.result(block);
    let Some(seen) = ledger.disk().read(&path)? else { return Ok(None) };
    unpack(ledger.key(), block, &seen.bytes).map(Some).map_err(|fault| LedgerError::Wrong {
        path,
        fault: format!("{fault}: `ledger retry --failed` removes it, so that a worker makes it again"),
    })
}

/// All objects in quarantine, in order, each with the reason.
pub(super) fn quarantined(ledger: &Ledger, sight: &Sight) -> Result<Vec<(u64, String)>, LedgerError> {
    let mut found = Vec::new();
    for leaf in &sight.leaves {
        match leaf.state {
            State::GivenUp => found.push((leaf.block.first, given_up(ledger, leaf)?)),
            State::Done { faulty: true } => {
                let outcomes = read_result(ledger, leaf.block)?;
                found.extend(quarantined_in(sight, leaf.block, outcomes.unwrap_or_default()));
            }
            State::Done { faulty: false } | State::Free | State::Claimed => {}
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// The objects in quarantine among those of a block that is done, each with the reason.
pub(super) fn quarantined_in(sight: &Sight, block: Block, outcomes: Vec<Outcome>) -> Vec<(u64, String)> {
    let faults = block.objects().zip(outcomes).filter_map(|(object, outcome)| Some((object, outcome.err()?)));
    faults.filter(|(object, _)| sight.speaks_for(block, *object)).collect()
}

/// Why an object was given up.
pub(super) fn given_up(ledger: &Ledger, leaf: &Leaf) -> Result<String, LedgerError> {
    let last = ledger.disk().path("failed", attempt_name(leaf.block, leaf.attempt - 1));
    let seen = ledger.disk().read(&last)?;
    let last = seen.map_or("nobody knows why".into(), |seen| String::from_utf8_lossy(&seen.bytes).into_owned());
    let times = leaf.attempt;
    Ok(format!("{times} worker{} lost with it alone, the last one so: {last}", if times == 1 { "" } else { "s" }))
}
