//! Whether other workers still live.
//!
//! A claim that does not change for a lease, by the watcher's own watch, is void: no two machines' clocks are ever
//! compared. That watch runs while the watcher is awake only, so one that was suspended together with others does not take
//! them for dead. A worker on the same machine whose process is gone is known to be dead as soon as its claim is read.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant, SystemTime};

use super::LedgerError;
use super::ledger_file::Ledger;
use super::owner::Owner;
use super::sight::{Leaf, Sight, State, attempt_name};

/// Claims that one look reads. Each is a file that is opened on a server which all workers ask, and there may be thousands; the next look
/// goes on behind them.
const READ_AT_ONCE: usize = 32;

/// Between two looks at most this part of a lease has passed: whoever lives gives a sign meanwhile.
const LOOKS_IN_A_LEASE: u32 = 4;

/// What one worker has seen of others.
pub(super) struct Watch {
    lease: Duration,
    /// For how long this worker has watched, and when it looked last.
    awake: Duration,
    last: Instant,
    /// Claims that are not done: how they looked last, and since when.
    seen: HashMap<String, Look>,
    /// The object at which the next look begins.
    next: u64,
}

struct Look {
    words: Vec<u8>,
    changed: SystemTime,
    since: Duration,
}

/// An attempt whose worker is lost, and how that is known.
pub(super) struct Lost {
    pub leaf: Leaf,
    pub reason: String,
}

impl Watch {
    /// One that begins at object `next`.
    pub fn new(lease: Duration, next: u64) -> Self {
        Self { lease, awake: Duration::ZERO, last: Instant::now(), seen: HashMap::new(), next }
    }

    /// Looks at claims of others in `sight`: at all of them, or where there are many at some more each time.
    pub fn look(&mut self, ledger: &Ledger, sight: &Sight, me: &Owner) -> Result<Vec<Lost>, LedgerError> {
        self.awake += self.last.elapsed().min(self.lease / LOOKS_IN_A_LEASE);
        self.last = Instant::now();
        let claimed: Vec<&Leaf> = sight.leaves.iter().filter(|leaf| leaf.state == State::Claimed).collect();
        let names: HashSet<String> = claimed.iter().map(|leaf| attempt_name(leaf.block, leaf.attempt)).collect();
        self.seen.retain(|name, _| names.contains(name));
        let start = claimed.iter().position(|leaf| leaf.block.first >= self.next).unwrap_or(0);
        let row = claimed[start..].iter().chain(&claimed[..start]);
        self.next = row.clone().nth(READ_AT_ONCE).map_or(0, |leaf| leaf.block.first);
        let mut lost = Vec::new();
        for leaf in row.take(READ_AT_ONCE) {
            let name = attempt_name(leaf.block, leaf.attempt);
            let Some(now) = ledger.disk().read(&ledger.disk().path("claims", &name))? else { continue };
            // A worker may die before it has said who it is.
            let owner: Option<Owner> = serde_json::from_slice(&now.bytes).ok();
            if owner.as_ref().is_some_and(|owner| owner.worker_id == me.worker_id) {
                continue;
            }
            let who = owner.as_ref().map_or("a worker without a name".to_owned(), Owner::to_string);
            if owner.is_some_and(|owner| owner.is_gone(me)) {
                lost.push(Lost { leaf: **leaf, reason: format!("{who} died") });
                continue;
            }
            let since = match self.seen.get(&name) {
                Some(look) if look.words == now.bytes && look.changed == now.changed => look.since,
                _ => self.awake,
            };
            if self.awake >= since + self.lease {
                let seconds = self.lease.as_secs_f64();
                lost.push(Lost { leaf: **leaf, reason: format!("{who} gave no sign of life for {seconds} s") });
            } else {
                self.seen.insert(name, Look { words: now.bytes, changed: now.changed, since });
            }
        }
        Ok(lost)
    }
}
