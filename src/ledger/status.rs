//! How far a ledger is, in numbers and in names.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::LedgerError;
use super::block::Block;
use super::ledger_file::Ledger;
use super::outcomes;
use super::owner::Owner;
use super::sight::{Leaf, Sight, State, attempt_name};

/// The rate is that of the time before the newest result, as long as this, and longer where that holds few results.
const RATE_OVER: Duration = Duration::from_mins(10);
const RATE_OF: usize = 4;

/// How far a ledger is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Status {
    /// The command whose work it is.
    pub command: String,
    /// All objects.
    pub objects: u64,
    /// Objects with a payload.
    pub done: u64,
    /// Objects of blocks that a worker has, or had until it died.
    pub claimed: u64,
    /// Objects of blocks that nobody has.
    pub free: u64,
    /// Objects that cannot be done, with reasons.
    pub quarantined: Vec<Quarantined>,
    /// Workers that have something.
    pub workers: Vec<AtWork>,
    /// Failed attempts at blocks that are not done.
    pub failed_attempts: u64,
    /// Blocks that were halved or are one object of a block, and are not done.
    pub suspect_blocks: u64,
    /// Objects done a second in the last ten minutes of work; none where there is no time to divide by.
    pub objects_per_second: Option<f64>,
    /// How long the rest takes at that rate; none while nobody shows that it is at work.
    pub seconds_left: Option<f64>,
}

/// An object that cannot be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Quarantined {
    /// Which.
    pub object: u64,
    /// Why not.
    pub reason: String,
}

/// A worker that has something.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AtWork {
    /// Host name of its machine.
    pub host: String,
    /// Its process id there.
    pub pid: u32,
    /// Its rank, or the number that its launcher gave it.
    pub rank: usize,
    /// The blocks that it has.
    pub blocks: Vec<String>,
    /// Since its last heartbeat, by the clocks of this machine and of the file system.
    pub seconds_since_heartbeat: f64,
    /// Whether this machine sees that its process is gone.
    pub process_gone: bool,
    /// Whether that is longer than a lease, by those clocks.
    pub lease_expired: bool,
}

impl AtWork {
    /// Whether it shows that it lives.
    fn shows(&self) -> bool {
        !self.process_gone && !self.lease_expired
    }
}

/// Who looks at a ledger again and again, and remembers what does not change.
pub struct Observer<'a> {
    ledger: &'a Ledger,
    me: Owner,
    /// When results were made.
    made: HashMap<Block, SystemTime>,
}

impl<'a> Observer<'a> {
    /// Of `ledger`.
    pub fn new(ledger: &'a Ledger) -> Self {
        Self { ledger, me: Owner::new(0), made: HashMap::new() }
    }

    /// Reads the ledger's folders, what claims say, and what faulty results say.
    pub fn look(&mut self) -> Result<Status, LedgerError> {
        let ledger = self.ledger;
        let sight = Sight::take(ledger)?;
        let in_state = |wanted: State| {
            let of = sight.leaves.iter().filter(move |leaf| leaf.state == wanted);
            of.map(|leaf| leaf.block.count()).sum::<u64>()
        };
        let (claimed, free, objects) = (in_state(State::Claimed), in_state(State::Free), ledger.work().count());
        let quarantined = outcomes::quarantined(ledger, &sight)?.into_iter();
        let quarantined: Vec<Quarantined> =
            quarantined.map(|(object, reason)| Quarantined { object, reason }).collect();
        let open = || sight.leaves.iter().filter(|leaf| matches!(leaf.state, State::Free | State::Claimed));
        let workers = self.workers(&sight)?;
        let objects_per_second = self.objects_per_second(&sight);
        let rate = objects_per_second.filter(|_| workers.iter().any(AtWork::shows));
        Ok(Status {
            command: ledger.work().command.clone(),
            objects,
            done: objects - claimed - free - quarantined.len() as u64,
            claimed,
            free,
            quarantined,
            workers,
            failed_attempts: open().map(|leaf| u64::from(leaf.attempt)).sum(),
            suspect_blocks: open().filter(|leaf| leaf.suspect).count() as u64,
            objects_per_second,
            seconds_left: rate.map(|rate| (claimed + free) as f64 / rate),
        })
    }

    /// Who has claims that are not done, in the order of their first blocks.
    fn workers(&self, sight: &Sight) -> Result<Vec<AtWork>, LedgerError> {
        let disk = self.ledger.disk();
        let mut order = Vec::new();
        let mut found: BTreeMap<String, AtWork> = BTreeMap::new();
        for leaf in sight.leaves.iter().filter(|leaf| leaf.state == State::Claimed) {
            let path = disk.path("claims", attempt_name(leaf.block, leaf.attempt));
            let Some(seen) = disk.read(&path)? else { continue };
            let silent = SystemTime::now().duration_since(seen.changed).unwrap_or_default().as_secs_f64();
            let Ok(owner) = serde_json::from_slice::<Owner>(&seen.bytes) else { continue };
            let process_gone = owner.is_gone(&self.me);
            let Owner { worker_id, host, pid, rank, .. } = owner;
            let worker = found.entry(worker_id.clone()).or_insert_with(|| {
                order.push(worker_id);
                AtWork {
                    host,
                    pid,
                    rank,
                    blocks: Vec::new(),
                    seconds_since_heartbeat: silent,
                    process_gone,
                    lease_expired: false,
                }
            });
            worker.blocks.push(leaf.block.to_string());
            worker.seconds_since_heartbeat = worker.seconds_since_heartbeat.min(silent);
        }
        let lease = self.ledger.lease().seconds;
        for worker in found.values_mut() {
            worker.lease_expired = worker.seconds_since_heartbeat > lease;
        }
        Ok(order.iter().filter_map(|worker_id| found.remove(worker_id)).collect())
    }

    /// By the times of the results, all of one clock or nearly so.
    fn objects_per_second(&mut self, sight: &Sight) -> Option<f64> {
        let results = || sight.leaves.iter().filter(|leaf| matches!(leaf.state, State::Done { .. }));
        let mut times: Vec<(SystemTime, u64)> = Vec::new();
        for Leaf { block, .. } in results() {
            let made = self.made.get(block).copied().or_else(|| {
                let file = fs::metadata(self.ledger.result(*block));
                let made = file.and_then(|file| file.modified()).ok()?;
                self.made.insert(*block, made);
                Some(made)
            });
            times.extend(made.map(|made| (made, block.count())));
        }
        // What `retry` removes is made again, at another time.
        if self.made.len() > times.len() {
            let there: HashSet<Block> = results().map(|leaf| leaf.block).collect();
            self.made.retain(|block, _| there.contains(block));
        }
        times.sort_unstable();
        let (newest, _) = times.last()?;
        let too_old = |(time, _): &(SystemTime, u64)| newest.duration_since(*time).unwrap_or_default() > RATE_OVER;
        let first = times.partition_point(too_old).min(times.len().saturating_sub(RATE_OF));
        let late = &times[first..];
        // From the first result to the last: what was done before the first is no part of it.
        let seconds = newest.duration_since(late[0].0).ok()?.as_secs_f64();
        let objects: u64 = late[1..].iter().map(|(_, objects)| objects).sum();
        (seconds > 0.0).then(|| objects as f64 / seconds)
    }
}

impl Status {
    /// One look at `ledger`.
    pub fn take(ledger: &Ledger) -> Result<Self, LedgerError> {
        Observer::new(ledger).look()
    }

    /// Whether somebody who has something of it shows that it lives.
    pub fn is_worked_on(&self) -> bool {
        self.workers.iter().any(AtWork::shows)
    }

    /// Whether every object is done or in quarantine.
    pub fn is_finished(&self) -> bool {
        self.claimed + self.free == 0
    }
}
