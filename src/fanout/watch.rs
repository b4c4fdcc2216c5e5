//! Whether other workers still live.
//!
//! A claim that does not change for a lease, by the watcher's own watch, is void: no two machines' clocks are ever
//! compared. A worker on the same machine whose process is gone is known to be dead at once.

use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime};

use super::FanoutError;
use super::claim::Owner;
use super::ledger::Ledger;
use super::sight::{Leaf, Sight, State, attempt_name};

/// What one worker has seen of others.
pub(super) struct Watch {
    lease: Duration,
    /// Claims that are not done: how they looked last, and since when.
    seen: HashMap<String, Look>,
}

struct Look {
    words: Vec<u8>,
    changed: SystemTime,
    since: Instant,
}

/// An attempt whose worker is lost, and how that is known.
pub(super) struct Lost {
    pub leaf: Leaf,
    pub reason: String,
}

impl Watch {
    pub fn new(lease: Duration) -> Self {
        Self { lease, seen: HashMap::new() }
    }

    /// Looks at all claims of others in `sight`.
    pub fn look(&mut self, ledger: &Ledger, sight: &Sight, me: &Owner) -> Result<Vec<Lost>, FanoutError> {
        let mut before = std::mem::take(&mut self.seen);
        let mut lost = Vec::new();
        for leaf in sight.leaves.iter().filter(|leaf| leaf.state == State::Claimed) {
            let name = attempt_name(leaf.block, leaf.attempt);
            let Some(now) = ledger.disk().read(&ledger.disk().path("claims", &name))? else { continue };
            // A worker may die before it has said who it is.
            let owner: Option<Owner> = serde_json::from_slice(&now.bytes).ok();
            if owner.as_ref().is_some_and(|owner| owner.token == me.token) {
                continue;
            }
            let who = owner.as_ref().map_or("a worker without a name".to_owned(), Owner::to_string);
            if owner.is_some_and(|owner| owner.is_gone(me)) {
                lost.push(Lost { leaf: *leaf, reason: format!("{who} died") });
                continue;
            }
            let look = match before.remove(&name) {
                Some(look) if look.words == now.bytes && look.changed == now.changed => look,
                _ => Look { words: now.bytes, changed: now.changed, since: Instant::now() },
            };
            if look.since.elapsed() >= self.lease {
                let seconds = self.lease.as_secs_f64();
                lost.push(Lost { leaf: *leaf, reason: format!("{who} gave no sign of life for {seconds} s") });
            } else {
                self.seen.insert(name, look);
            }
        }
        Ok(lost)
    }
}
