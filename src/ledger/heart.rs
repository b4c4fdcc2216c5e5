//! The thread that shows that a worker lives: it marks its claims as changed, again and again.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::claim::Claim;
use super::ledger_file::Ledger;

/// Beats within a lease.
const BEATS: u32 = 6;

pub(super) struct Heart {
    held: Arc<Held>,
    thread: Option<JoinHandle<()>>,
}

/// The claims of a worker.
#[derive(Default)]
struct Held {
    claims: Mutex<(Vec<Arc<Claim>>, bool)>,
    stopped: Condvar,
}

impl Heart {
    pub fn start(ledger: Ledger) -> Self {
        let held = Arc::new(Held::default());
        let pause = ledger.lease().duration() / BEATS;
        let shared = Arc::clone(&held);
        let thread = thread::spawn(move || {
            while let Some(claims) = shared.next_beat(pause) {
                for claim in claims {
                    if let Err(error) = ledger.disk().touch(&claim.file, &claim.path) {
                        log::warn!("{}: {error}: other workers may think that this one is dead", claim.path.display());
                    }
                }
            }
        });
        Self { held, thread: Some(thread) }
    }

    /// One more claim to keep.
    pub fn keep(&self, claim: Arc<Claim>) {
        self.held.claims.lock().unwrap_or_else(PoisonError::into_inner).0.push(claim);
    }

    /// One less.
    pub fn leave(&self, claim: &Arc<Claim>) {
        let claims = &mut self.held.claims.lock().unwrap_or_else(PoisonError::into_inner).0;
        claims.retain(|kept| !Arc::ptr_eq(kept, claim));
    }
}

impl Held {
    /// Waits, and gives what is held then; nothing when the worker ends.
    fn next_beat(&self, pause: Duration) -> Option<Vec<Arc<Claim>>> {
        let claims = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.stopped.wait_timeout_while(claims, pause, |(_, stopped)| !*stopped);
        let (claims, _) = waited.unwrap_or_else(PoisonError::into_inner);
        (!claims.1).then(|| claims.0.clone())
    }
}

impl Drop for Heart {
    fn drop(&mut self) {
        self.held.claims.lock().unwrap_or_else(PoisonError::into_inner).1 = true;
        self.held.stopped.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // it has nothing to say
        }
    }
}
