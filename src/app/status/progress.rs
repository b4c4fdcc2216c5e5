//! How far one piece of work is, and how fast it goes: a training by its metrics, shared work by its ledger.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::time::Duration;

use indicatif::HumanDuration;
use serde::Serialize;
use serde_json::Value;

use crate::app::CommandError;
use crate::ledger::Ledger;
use crate::ledger::status::{AtWork, Quarantined, Status as LedgerStatus};
use crate::train::{Outcome, Status};

/// Objects in quarantine that are named; `--json` names all.
const NAMED: usize = 5;

/// Steps over which the rate is taken.
const RATE_OVER: usize = 50;

/// How far it is.
#[derive(Debug, Serialize)]
pub(super) struct Progress {
    /// In a word: running, waiting (for workers), done, stopped, failed.
    pub state: &'static str,
    pub unit: &'static str,
    pub done: u64,
    pub total: u64,
    /// A second; none where nothing moves.
    pub rate: Option<f64>,
    /// Seconds that the rest takes at that rate.
    pub left: Option<f64>,
    /// Why it ended, where it is not done.
    pub reason: String,
    pub workers: Vec<AtWork>,
    pub quarantined: Vec<Quarantined>,
}

impl Progress {
    pub fn is_over(&self) -> bool {
        !["running", "waiting"].contains(&self.state)
    }

    /// In a line; with reasons, in some.
    pub fn line(&self) -> String {
        self.line_beside("")
    }

    /// The same beside what is `told`, which is not told again.
    pub fn line_beside(&self, told: &str) -> String {
        let share = if self.total == 0 { 100.0 } else { 100.0 * self.done as f64 / self.total as f64 };
        let Self { state, done, total, unit, .. } = self;
        let mut parts = vec![format!("{state} {done} of {total} ({share:.1} %) {unit}")];
        parts.extend(self.rate.filter(|_| !self.is_over()).map(|rate| format!("{rate:.3} {}/s", self.unit)));
        parts.extend(self.left.map(|left| format!("{} left", HumanDuration(Duration::from_secs_f64(left.min(1e15))))));
        if !self.workers.is_empty() {
            parts.push(format!("{} workers", self.workers.len()));
        }
        if !self.quarantined.is_empty() {
            parts.push(format!("{} in quarantine", self.quarantined.len()));
        }
        if !self.reason.is_empty() && !told.contains(&self.reason) {
            parts.push(self.reason.clone());
        }
        let mut lines = vec![parts.join(", ")];
        let named = self.quarantined.iter().take(NAMED);
        lines.extend(named.map(|one| format!("  quarantined {}: {}", one.object, one.reason)));
        lines.join("\n")
    }
}

/// That of a ledger.
pub(super) fn of_ledger(folder: &Path) -> Result<Progress, CommandError> {
    let status = LedgerStatus::take(&Ledger::open(folder)?)?;
    let state = match (status.is_finished(), status.is_worked_on()) {
        (true, _) => "done",
        (false, true) => "running",
        (false, false) => "waiting",
    };
    Ok(Progress {
        state,
        unit: "objects",
        done: status.done,
        total: status.objects,
        rate: status.objects_per_second.filter(|_| status.is_worked_on()),
        left: status.seconds_left,
        reason: String::new(),
        workers: status.workers,
        quarantined: status.quarantined,
    })
}

/// That of a training, if one was begun in `run`.
pub(super) fn of_run(run: &Path) -> Option<Progress> {
    let outcome = Outcome::read(run)?;
    let rows = newest_rows(&run.join("metrics.jsonl"));
    let running = outcome.status == Status::Running;
    // The outcome is written with checkpoints; what is under way is further.
    let measured = rows.last().and_then(|row| row.get("step")?.as_u64()).unwrap_or(0);
    let done = if running { measured.max(outcome.step) } else { outcome.step };
    let seconds: Vec<f64> = rows.iter().filter_map(|row| row.get("step_seconds")?.as_f64()).collect();
    let rate = (!seconds.is_empty()).then(|| seconds.len() as f64 / seconds.iter().sum::<f64>());
    Some(Progress {
        state: match outcome.status {
            Status::Running => "running",
            Status::Done => "done",
            Status::Stopped => "stopped",
            Status::Failed => "failed",
        },
        unit: "steps",
        done,
        total: outcome.steps,
        rate,
        left: rate.filter(|_| running).map(|rate| outcome.steps.saturating_sub(done) as f64 / rate),
        reason: outcome.reason,
        workers: Vec::new(),
        quarantined: Vec::new(),
    })
}

/// The last records of a file of metrics, however long it is; the one that is just being written is not whole yet.
fn newest_rows(path: &Path) -> Vec<Value> {
    const TAIL: u64 = 64 << 10;
    let read = || {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok::<_, std::io::Error>(String::from_utf8_lossy(&bytes).into_owned())
    };
    let text = read().unwrap_or_default();
    let rows: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    rows[rows.len().saturating_sub(RATE_OVER)..].to_vec()
}
