//! Who does a block.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use super::block::Block;
use super::ledger_file::Ledger;
use super::{LedgerError, sight};
use crate::machine;

/// A worker, as its claims tell of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// No other worker has it.
    pub token: String,
    /// The name of its machine.
    pub host: String,
    /// Machines, and parts of a machine that do not see each other's processes, differ in it.
    pub place: String,
    /// Its process there.
    pub process: u32,
    /// When that began, in the system's ticks: numbers of processes are used again.
    pub begun: String,
    /// Its rank.
    pub rank: usize,
    /// When the claim was taken, in seconds since 1970 by that machine's clock; for people.
    pub time: u64,
}

static WORKERS: AtomicU64 = AtomicU64::new(0);

impl Owner {
    /// A new worker in this process.
    pub fn new(rank: usize) -> Self {
        let process = process::id();
        let (host, place) = (machine::host(), place());
        let begun = alive(process).unwrap_or_default();
        let now = since_1970();
        let worker = WORKERS.fetch_add(1, Ordering::Relaxed);
        let token = xxh3_64(format!("{host} {place} {process} {begun} {worker} {}", now.as_nanos()).as_bytes());
        Self { token: format!("{token:016x}"), host, place, process, begun, rank, time: now.as_secs() }
    }

    /// Whether its process is known to be gone, by who can see that.
    pub fn is_gone(&self, seen_by: &Self) -> bool {
        self.place == seen_by.place
            && !self.place.is_empty()
            && !self.begun.is_empty()
            && alive(self.process).is_none_or(|begun| begun != self.begun)
    }
}

fn since_1970() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// In a message: which worker.
impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "rank {} of process {} on {}", self.rank, self.process, self.host)
    }
}

/// The running system and its list of processes; empty where it does not tell.
fn place() -> String {
    let system = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let list = fs::read_link("/proc/self/ns/pid").map(|list| list.to_string_lossy().into_owned()).unwrap_or_default();
    if system.is_empty() || list.is_empty() { String::new() } else { format!("{} {list}", system.trim()) }
}

/// When a process of this machine began, if it still lives.
fn alive(process: u32) -> Option<String> {
    let line = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // Behind the name in parentheses: the state first, the start as the 20th.
    let mut words = line.rsplit(')').next()?.split_whitespace();
    let state = words.next()?;
    if ["Z", "X"].contains(&state) { None } else { words.nth(18).map(str::to_owned) }
}

/// An attempt at a block that is this worker's.
#[derive(Debug)]
pub(super) struct Claim {
    pub block: Block,
    pub attempt: u32,
    /// It is done alone: a worker was lost with it before.
    pub suspect: bool,
    pub file: File,
    pub path: PathBuf,
}

impl Claim {
    /// Takes what was free when it was looked at; nothing if somebody was faster.
    pub fn take(ledger: &Ledger, leaf: &sight::Leaf, me: &Owner) -> Result<Option<Self>, LedgerError> {
        let sight::Leaf { block, attempt, suspect, .. } = *leaf;
        let path = ledger.disk().path("claims", sight::attempt_name(block, attempt));
        let words = serde_json::to_vec(&Owner { time: since_1970().as_secs(), ..me.clone() });
        let words = words.expect("names and numbers are JSON");
        Ok(ledger.disk().claim(&path, &words)?.map(|file| Self { block, attempt, suspect, file, path }))
    }

    /// Lets others have it.
    pub fn give_back(&self, ledger: &Ledger) -> Result<(), LedgerError> {
        ledger.disk().remove(&self.path)
    }

    /// The attempt came to nothing, for this reason.
    pub fn fail(&self, ledger: &Ledger, reason: &str, me: &Owner) -> Result<(), LedgerError> {
        fail(ledger, self.block, self.attempt, reason, me)
    }
}

/// Has an attempt count as one that came to nothing; who says so first is heard.
pub(super) fn fail(ledger: &Ledger, block: Block, attempt: u32, reason: &str, me: &Owner) -> Result<(), LedgerError> {
    let path = ledger.disk().path("failed", sight::attempt_name(block, attempt));
    ledger.disk().write_new(&path, reason.as_bytes(), &me.token).map(drop)
}
