//! Identity of a worker, by which another one on its machine can tell whether it is gone.

use std::fs;
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::machine;

/// Identity of a worker: its machine, process and rank. A claim is this as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Unique per worker.
    pub worker_id: String,
    /// Host name of its machine.
    pub host: String,
    /// Boot id of the system and its PID namespace: only inside one of them can a process id be looked up. Empty where unknown.
    pub pid_namespace: String,
    /// Its process id there.
    pub pid: u32,
    /// Start time of that process in clock ticks since boot, since process ids are used again; empty where unknown.
    pub start_ticks: String,
    /// Its rank, or the number that its launcher gave it.
    pub rank: usize,
    /// When the claim was taken, in seconds since 1970 by that machine's clock; for people only.
    pub claimed_unix_seconds: u64,
}

static WORKERS: AtomicU64 = AtomicU64::new(0);

impl Owner {
    /// A new worker in this process.
    pub fn new(rank: usize) -> Self {
        let pid = process::id();
        let (host, pid_namespace) = (machine::host(), pid_namespace());
        let start_ticks = start_ticks_of(pid).unwrap_or_default();
        let now = since_1970();
        let worker = WORKERS.fetch_add(1, Ordering::Relaxed);
        let unique = format!("{host} {pid_namespace} {pid} {start_ticks} {worker} {}", now.as_nanos());
        let worker_id = format!("{:016x}", xxh3_64(unique.as_bytes()));
        Self { worker_id, host, pid_namespace, pid, start_ticks, rank, claimed_unix_seconds: now.as_secs() }
    }

    /// Copy of it in a claim that it takes now.
    pub fn claiming_now(&self) -> Self {
        Self { claimed_unix_seconds: since_1970().as_secs(), ..self.clone() }
    }

    /// Whether its process is known to be gone, by who can see that.
    pub fn is_gone(&self, seen_by: &Self) -> bool {
        self.pid_namespace == seen_by.pid_namespace
            && !self.pid_namespace.is_empty()
            && !self.start_ticks.is_empty()
            && start_ticks_of(self.pid).is_none_or(|ticks| ticks != self.start_ticks)
    }
}

fn since_1970() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// In a message: which worker.
impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "rank {} of process {} on {}", self.rank, self.pid, self.host)
    }
}

/// Boot id of the running system and PID namespace of this process; empty where the system does not tell.
fn pid_namespace() -> String {
    let system = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let list = fs::read_link("/proc/self/ns/pid").map(|list| list.to_string_lossy().into_owned()).unwrap_or_default();
    if system.is_empty() || list.is_empty() { String::new() } else { format!("{} {list}", system.trim()) }
}

/// Start time of a process of this machine in clock ticks since boot (field 22 of `/proc/PID/stat`); none if it is gone.
fn start_ticks_of(pid: u32) -> Option<String> {
    let line = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Behind the name in parentheses: the state first, the start as the 20th.
    let mut words = line.rsplit(')').next()?.split_whitespace();
    let state = words.next()?;
    if ["Z", "X"].contains(&state) { None } else { words.nth(18).map(str::to_owned) }
}
