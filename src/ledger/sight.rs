//! What a ledger's folder shows at a glance: which blocks there are, and how far each is.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::LedgerError;
use super::block::Block;
use super::ledger_file::Ledger;

/// How far a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Anybody may take it.
    Free,
    /// A worker has it, or had it until it died.
    Claimed,
    /// There is a result.
    Done {
        /// Some of its objects are faults.
        faulty: bool,
    },
    /// One object with which too many workers were lost.
    GivenUp,
}

/// A block that is not, or no longer, made of others.
#[derive(Clone, Copy, Debug)]
pub struct Leaf {
    /// The block.
    pub block: Block,
    /// Attempts that came to nothing before this one.
    pub attempt: u32,
    /// A worker was lost with it, or with what it was a half of.
    pub suspect: bool,
    /// How far it is.
    pub state: State,
}

/// All blocks of a ledger as they were while its folders were read.
#[derive(Debug)]
pub struct Sight {
    /// In order, but that an object which is tried again comes after the block that has it as a fault.
    pub leaves: Vec<Leaf>,
    /// Those objects.
    pub again: BTreeSet<u64>,
}

/// What the folders hold, by their names.
struct Names {
    claims: HashSet<(Block, u32)>,
    failed: HashMap<Block, u32>,
    results: HashSet<Block>,
    faulty: HashSet<Block>,
    again: BTreeSet<u64>,
    attempts: u32,
}

impl Sight {
    /// Reads the folders.
    pub fn take(ledger: &Ledger) -> Result<Self, LedgerError> {
        let list = |kind: &str| ledger.disk().list(kind);
        // A block may go on meanwhile. Results come last, so that one which is done is not taken for one that was given back.
        let claims = list("claims")?.iter().filter_map(|name| attempt_named(name)).collect();
        let mut failed = HashMap::new();
        for (block, attempt) in list("failed")?.iter().filter_map(|name| attempt_named(name)) {
            let attempts = failed.entry(block).or_insert(0);
            *attempts = u32::max(*attempts, attempt + 1);
        }
        let again = list("retry")?.iter().filter_map(|name| name.parse().ok()).collect();
        let results = list("results")?.iter().filter_map(|name| Block::named(name)).collect();
        let faulty = list("faulty")?.iter().filter_map(|name| Block::named(name)).collect();
        let names = Names { claims, failed, results, faulty, again, attempts: ledger.lease().attempts };
        let mut leaves = Vec::new();
        for block in ledger.work().blocks() {
            names.leaves(block, false, &mut leaves);
        }
        Ok(Self { leaves, again: names.again })
    }

    /// Objects that nobody has done or given up.
    pub fn left(&self) -> u64 {
        let left = |leaf: &&Leaf| matches!(leaf.state, State::Free | State::Claimed);
        self.leaves.iter().filter(left).map(|leaf| leaf.block.count()).sum()
    }

    /// Whether the result of `block` speaks for its `object`.
    pub fn speaks_for(&self, block: Block, object: u64) -> bool {
        block.count() == 1 || !self.again.contains(&object)
    }
}

impl Names {
    /// Adds the blocks that `block` is made of; `half`: it comes of one with which workers were lost.
    fn leaves(&self, block: Block, half: bool, found: &mut Vec<Leaf>) {
        let attempt = self.failed.get(&block).copied().unwrap_or(0);
        let leaf = |state| Leaf { block, attempt, suspect: half || attempt > 0, state };
        if self.results.contains(&block) {
            found.push(leaf(State::Done { faulty: self.faulty.contains(&block) }));
            if block.count() > 1 {
                for object in self.again.range(block.objects()) {
                    self.leaves(Block::of(*object), false, found);
                }
            }
            return;
        }
        let most = if half && block.count() > 1 { 1 } else { self.attempts };
        match block.halves() {
            _ if attempt < most => {
                let claimed = self.claims.contains(&(block, attempt));
                found.push(leaf(if claimed { State::Claimed } else { State::Free }));
            }
            Some(halves) => halves.into_iter().for_each(|block| self.leaves(block, true, found)),
            None => found.push(leaf(State::GivenUp)),
        }
    }
}

/// The name of a file about one attempt at a block.
pub(super) fn attempt_name(block: Block, attempt: u32) -> String {
    format!("{block}.{attempt}")
}

fn attempt_named(name: &str) -> Option<(Block, u32)> {
    let (block, attempt) = name.split_once('.')?;
    Some((Block::named(block)?, attempt.parse().ok()?))
}
