//! All results, object by object.

use super::LedgerError;
use super::ledger_file::Ledger;
use super::outcomes::{given_up, quarantined, read_result};
use super::payloads::Outcome;
use super::sight::{Leaf, Sight, State};

/// What was merged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Merged {
    /// All objects.
    pub objects: u64,
    /// Those among them that are in quarantine.
    pub quarantined: u64,
}

/// Gives `each` every object of `ledger` once, in order, and checks every checksum on the way. Memory is that of one block.
///
/// - `each`: gets the object and its payload, or the reason why it is in quarantine
pub fn merge<E: From<LedgerError>>(
    ledger: &Ledger,
    each: impl FnMut(u64, Outcome) -> Result<(), E>,
) -> Result<Merged, E> {
    Finished::of(ledger)?.merge(each)
}

/// A ledger of which every object is done or in quarantine.
pub struct Finished<'a> {
    ledger: &'a Ledger,
    sight: Sight,
}

impl<'a> Finished<'a> {
    /// `ledger`, if it is one.
    pub fn of(ledger: &'a Ledger) -> Result<Self, LedgerError> {
        let sight = Sight::take(ledger)?;
        let left = sight.left();
        if left > 0 {
            return Err(unfinished(ledger, left));
        }
        Ok(Self { ledger, sight })
    }

    /// Its objects in quarantine, in order.
    pub fn quarantined(&self) -> Result<Vec<u64>, LedgerError> {
        let found = quarantined(self.ledger, &self.sight)?;
        Ok(found.into_iter().map(|(object, _)| object).collect())
    }

    /// As `merge` does.
    pub fn merge<E: From<LedgerError>>(
        &self,
        mut each: impl FnMut(u64, Outcome) -> Result<(), E>,
    ) -> Result<Merged, E> {
        let ledger = self.ledger;
        let mut merged = Merged::default();
        let mut leaves = self.sight.leaves.iter().peekable();
        for block in ledger.work().blocks() {
            let mut outcomes: Vec<Option<Outcome>> = vec![None; block.count() as usize];
            // What is tried again comes after what it replaces.
            while let Some(leaf) = leaves.next_if(|leaf| leaf.block.first < block.end) {
                for (object, outcome) in leaf.block.objects().zip(of_leaf(ledger, leaf)?) {
                    outcomes[(object - block.first) as usize] = Some(outcome);
                }
            }
            for (object, outcome) in block.objects().zip(outcomes) {
                let outcome = outcome.expect("leaves cover their block");
                merged.objects += 1;
                merged.quarantined += u64::from(outcome.is_err());
                each(object, outcome)?;
            }
        }
        Ok(merged)
    }
}

fn unfinished(ledger: &Ledger, left: u64) -> LedgerError {
    LedgerError::Unfinished { folder: ledger.folder().to_owned(), left, objects: ledger.work().count() }
}

fn of_leaf(ledger: &Ledger, leaf: &Leaf) -> Result<Vec<Outcome>, LedgerError> {
    match leaf.state {
        State::Done { .. } => read_result(ledger, leaf.block)?.ok_or_else(|| unfinished(ledger, leaf.block.count())),
        State::GivenUp => Ok(vec![Err(given_up(ledger, leaf)?)]),
        State::Free | State::Claimed => unreachable!("nothing is left"),
    }
}
