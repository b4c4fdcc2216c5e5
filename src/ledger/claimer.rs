//! Which block a worker takes next.
//!
//! Blocks that nobody was lost with come first, in a run from a place that chance picks, so that neighbours are read one
//! after the other and workers are seldom in each other's way. Suspects come last, and each alone: whoever is lost with
//! one is then lost because of it.

use std::collections::VecDeque;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::LedgerError;
use super::claim::{Claim, fail};
use super::ledger_file::Ledger;
use super::owner::Owner;
use super::sight::{Leaf, Sight, State};
use super::watch::Watch;

/// What there is to take.
pub(super) enum Found {
    /// A block, which is this worker's now.
    Block(Claim),
    /// Nothing at the moment: other workers have the rest, or it is to be done alone.
    Nothing,
    /// Nothing ever.
    AllDone,
}

pub(super) struct Claimer {
    ledger: Ledger,
    me: Owner,
    watch: Watch,
    fresh: VecDeque<Leaf>,
    suspects: VecDeque<Leaf>,
    /// How often somebody was faster, since the folders were read.
    too_late: usize,
    /// After so often they are read again: that costs as much as a directory of so many blocks.
    patience: usize,
    thrown: u64,
    /// Objects that were done or given up at the last look.
    pub done: u64,
    /// Claims at the last look.
    pub claims: u32,
}

impl Claimer {
    pub fn new(ledger: Ledger, me: Owner) -> Self {
        // Each begins elsewhere, so that many workers together see all claims soon.
        let work = ledger.work();
        let begin = work.first_object + xxh3_64_with_seed(me.worker_id.as_bytes(), 0) % work.count().max(1);
        let watch = Watch::new(ledger.lease().duration(), begin);
        let (fresh, suspects) = (VecDeque::new(), VecDeque::new());
        Self { ledger, me, watch, fresh, suspects, too_late: 0, patience: 0, thrown: 0, done: 0, claims: 0 }
    }

    /// Takes a block; `alone`: this worker has no other.
    pub fn find(&mut self, alone: bool) -> Result<Found, LedgerError> {
        if let Some(claim) = self.take_fresh()? {
            return Ok(Found::Block(claim));
        }
        if self.look()? {
            return Ok(Found::AllDone);
        }
        if let Some(claim) = self.take_fresh()? {
            return Ok(Found::Block(claim));
        }
        while alone && let Some(leaf) = self.suspects.pop_front() {
            if let Some(claim) = Claim::take(&self.ledger, &leaf, &self.me)? {
                return Ok(Found::Block(claim));
            }
        }
        Ok(Found::Nothing)
    }

    fn take_fresh(&mut self) -> Result<Option<Claim>, LedgerError> {
        while self.too_late <= self.patience {
            let Some(leaf) = self.fresh.pop_front() else { return Ok(None) };
            if let Some(claim) = Claim::take(&self.ledger, &leaf, &self.me)? {
                return Ok(Some(claim));
            }
            // Here somebody else is under way.
            self.too_late += 1;
            let thrown = self.throw();
            turn(&mut self.fresh, thrown);
        }
        Ok(None)
    }

    /// Reads the folders, says who is lost, and whether there is nothing to do any more.
    fn look(&mut self) -> Result<bool, LedgerError> {
        let sight = loop {
            let sight = Sight::take(&self.ledger)?;
            let lost = self.watch.look(&self.ledger, &sight, &self.me)?;
            for lost in &lost {
                log::warn!("objects {}: {}", lost.leaf.block, lost.reason);
                fail(&self.ledger, lost.leaf.block, lost.leaf.attempt, &lost.reason, &self.me)?;
            }
            if lost.is_empty() {
                break sight;
            }
        };
        let left = sight.left();
        self.done = self.ledger.work().count() - left;
        self.claims = sight.leaves.iter().filter(|leaf| leaf.state == State::Claimed).count() as u32;
        self.patience = 4 + sight.leaves.len() / 64;
        self.too_late = 0;
        let free = sight.leaves.into_iter().filter(|leaf| leaf.state == State::Free);
        (self.suspects, self.fresh) = free.partition(|leaf| leaf.suspect);
        let thrown = self.throw();
        turn(&mut self.fresh, thrown);
        turn(&mut self.suspects, thrown);
        Ok(left == 0)
    }

    /// Another number each time, and for each worker.
    fn throw(&mut self) -> u64 {
        self.thrown += 1;
        xxh3_64_with_seed(self.me.worker_id.as_bytes(), self.thrown)
    }
}

/// Has the row begin elsewhere.
fn turn(leaves: &mut VecDeque<Leaf>, thrown: u64) {
    if !leaves.is_empty() {
        leaves.rotate_left((thrown % leaves.len() as u64) as usize);
    }
}
