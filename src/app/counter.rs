//! How far a command that makes or reads many records is: rank 0 tells of its own share, a worker of the whole ledger.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::CommandError;
use super::session::Session;
use crate::ledger::Worker;
use crate::train::progress::{Progress, Task};

/// Counts records over the threads of this rank.
pub struct Counter {
    told: Option<Mutex<(Progress, u64)>>,
}

impl Counter {
    /// For `total` records on this rank, each called `unit`, several `units`.
    pub fn new(session: &Session, unit: &'static str, units: &'static str, total: u64) -> Self {
        let task = Task { unit, total, start: 0, item: units, items_per_unit: 1 };
        let told = (session.rank() == 0 && total > 0).then(|| Mutex::new((Progress::new(task, Instant::now()), 0)));
        Self { told }
    }

    /// Some more are done.
    pub fn add(&self, records: u64) {
        if let Some(told) = &self.told {
            let (progress, done) = &mut *told.lock().unwrap_or_else(PoisonError::into_inner);
            *done += records;
            progress.update(Instant::now(), *done, None, &[]);
        }
    }
}

/// What others have done is looked up at most so often, and in at most this share of the time: it is a folder with a name a block.
const LOOK_EVERY: Duration = Duration::from_secs(30);
const LOOK_SHARE: u32 = 1000;

/// Tells how many objects of a ledger are done, and how many of them by this worker. Of tasks that one launcher started the
/// first one tells.
pub struct LedgerCounter {
    task: Option<Task>,
    told: Option<Progress>,
    mine: u64,
    next_look: Instant,
}

impl LedgerCounter {
    /// For `total` objects, each called `unit`, several `units`.
    pub fn new(session: &Session, [unit, item]: [&'static str; 2], total: u64) -> Self {
        let task = Task { unit, total, start: 0, item, items_per_unit: 1 };
        Self { task: session.is_first_task().then_some(task), told: None, mine: 0, next_look: Instant::now() }
    }

    /// The worker begins.
    pub fn start<I: Send + 'static>(&mut self, worker: &Worker<I>) -> Result<(), CommandError> {
        let Some(task) = self.task else { return Ok(()) };
        self.look(worker)?;
        self.told = Some(Progress::new(Task { start: worker.done(), ..task }, Instant::now()));
        Ok(())
    }

    /// Another object is done by this worker.
    pub fn add<I: Send + 'static>(&mut self, worker: &Worker<I>) -> Result<(), CommandError> {
        self.mine += 1;
        if self.told.is_some() && Instant::now() >= self.next_look {
            self.look(worker)?;
        }
        if let Some(progress) = &mut self.told {
            progress.update(Instant::now(), worker.done(), None, &[("mine", self.mine as f64)]);
        }
        Ok(())
    }

    fn look<I: Send + 'static>(&mut self, worker: &Worker<I>) -> Result<(), CommandError> {
        let begun = Instant::now();
        worker.look()?;
        self.next_look = Instant::now() + LOOK_EVERY.max(begun.elapsed() * LOOK_SHARE);
        Ok(())
    }
}
