//! How far a verb that makes or reads many records is: rank 0 tells of its own share.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::session::Session;
use crate::trainer::progress::{Progress, Task};

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
