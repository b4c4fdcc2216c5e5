//! A worker: it gets one object after the other and gives back what came of each, in any order.
//!
//! A thread beside it takes the next block and loads its inputs while the last one is worked on, so that objects of the
//! next block can join those of the last that are not ready yet. A block is written when all its objects are back.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::LedgerError;
use super::block::Block;
use super::claim::Claim;
use super::claimer::{Claimer, Found};
use super::heart::Heart;
use super::ledger_file::Ledger;
use super::owner::Owner;
use super::patience::{self, Patience};
use super::payloads::{Outcome, pack};

/// The first and the longest pause before somebody who found nothing looks again, which is longer where many work, since all of them
/// look; a lease has at least this many.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
const PAUSE_PER_CLAIM: Duration = Duration::from_millis(20);
const PAUSES_PER_LEASE: u32 = 8;

/// How often somebody who waits looks whether to stop.
const GLANCE: Duration = Duration::from_millis(50);

/// How a worker is to work.
#[derive(Clone)]
pub struct Hand {
    /// Its rank, for people.
    pub rank: usize,
    /// Whether it is to end, as when its time is up; asked often.
    pub stop: Arc<dyn Fn() -> bool + Send + Sync>,
    /// After this time with an object it ends its process with 69, unless objects take long.
    pub limit: Duration,
}

impl Default for Hand {
    fn default() -> Self {
        Self { rank: 0, stop: Arc::new(|| false), limit: patience::LIMIT }
    }
}

/// What there is to do next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next<I> {
    /// This object, with its input.
    Object(u64, I),
    /// Nothing yet, while objects are out: finish some and ask again.
    Later,
    /// Nothing.
    End(End),
}

/// Why there is nothing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Every object of the ledger is done or given up.
    AllDone,
    /// The worker was asked to end. What is out may be finished or not; blocks that are not complete are others' then.
    Stopped,
}

/// What a worker has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Blocks.
    pub blocks: u64,
    /// Objects in them.
    pub objects: u64,
    /// Those of the objects that are faults.
    pub faults: u64,
}

/// A worker whose objects have inputs `I`.
pub struct Worker<I> {
    ledger: Ledger,
    me: Owner,
    stop: Arc<dyn Fn() -> bool + Send + Sync>,
    shared: Arc<Shared<I>>,
    claimer: Option<JoinHandle<()>>,
    /// What is left of the block whose objects go out.
    current: std::iter::Zip<std::ops::Range<u64>, std::vec::IntoIter<I>>,
    open: Vec<Open>,
    out: u64,
    patience: Patience,
    tally: Tally,
}

/// A block of which objects are out.
struct Open {
    claim: Arc<Claim>,
    outcomes: Vec<Option<Outcome>>,
    missing: u64,
}

struct Shared<I> {
    desk: Mutex<Desk<I>>,
    changed: Condvar,
    heart: Heart,
}

/// What the worker and the thread beside it tell each other.
struct Desk<I> {
    ready: VecDeque<(Arc<Claim>, Vec<I>)>,
    /// Claims of this worker that are not done.
    held: usize,
    /// One of them is a suspect.
    alone: bool,
    /// The thread found nothing to take, and has taken nothing since.
    dry: bool,
    leaving: bool,
    end: Option<Result<(), LedgerError>>,
    /// Objects of the ledger that were done, as far as is known.
    done: u64,
}

impl<I> Shared<I> {
    fn desk(&self) -> MutexGuard<'_, Desk<I>> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, desk: MutexGuard<'a, Desk<I>>, longest: Duration) -> MutexGuard<'a, Desk<I>> {
        self.changed.wait_timeout(desk, longest).unwrap_or_else(PoisonError::into_inner).0
    }
}

impl<I: Send + 'static> Worker<I> {
    /// Begins to work on `ledger`.
    ///
    /// - `load`: the inputs of some neighbouring objects, one for each, in order; on a thread of its own. What is wrong with
    ///   one object belongs into its input; an error ends the worker, and others get what it held
    pub fn start(
        ledger: &Ledger,
        hand: Hand,
        load: impl FnMut(Block) -> Result<Vec<I>, String> + Send + 'static,
    ) -> Self {
        let me = Owner::new(hand.rank);
        let patience = Patience::start(me.to_string(), hand.limit);
        let desk =
            Desk { ready: VecDeque::new(), held: 0, alone: false, dry: false, leaving: false, end: None, done: 0 };
        let heart = Heart::start(ledger.clone());
        let shared = Arc::new(Shared { desk: Mutex::new(desk), changed: Condvar::new(), heart });
        let claimer = Claimer::new(ledger.clone(), me.clone());
        let aside = Aside { ledger: ledger.clone(), shared: Arc::clone(&shared), claimer, load };
        let thread = thread::Builder::new().name("claims".into()).spawn(move || aside.run());
        Self {
            ledger: ledger.clone(),
            me,
            stop: hand.stop,
            shared,
            claimer: Some(thread.expect("the system has a thread for us")),
            current: (0..0).zip(Vec::new()),
            open: Vec::new(),
            out: 0,
            patience,
            tally: Tally::default(),
        }
    }

    /// The next object. While others are out it waits for no more than a block that is about to come, and a moment only: whoever works
    /// on many objects at once loses more by a batch that is half full.
    pub fn next_object(&mut self) -> Result<Next<I>, LedgerError> {
        let mut waited = false;
        loop {
            if (self.stop)() {
                return Ok(Next::End(End::Stopped));
            }
            if let Some((object, input)) = self.current.next() {
                self.out += 1;
                self.patience.begin(object);
                return Ok(Next::Object(object, input));
            }
            let mut desk = self.shared.desk();
            if let Some((claim, inputs)) = desk.ready.pop_front() {
                self.shared.changed.notify_all();
                drop(desk);
                let (block, count) = (claim.block, inputs.len());
                self.open.push(Open { claim, outcomes: vec![None; count], missing: block.count() });
                self.current = block.objects().zip(inputs);
                continue;
            }
            match desk.end.take() {
                Some(Ok(())) => {
                    desk.end = Some(Ok(()));
                    return Ok(Next::End(End::AllDone));
                }
                Some(Err(error)) => return Err(error),
                None if self.claimer.as_ref().is_none_or(JoinHandle::is_finished) => {
                    drop(desk);
                    self.hear_panic();
                    return Ok(Next::End(End::Stopped)); // the error was told before
                }
                None if self.out > 0 && (waited || desk.dry || desk.alone) => return Ok(Next::Later),
                None => {
                    waited = true;
                    drop(self.shared.wait(desk, GLANCE));
                }
            }
        }
    }

    /// What came of an object that is out: a payload, or why there can be none. An object's payload hangs on nothing but
    /// the object, to the byte.
    pub fn finish(&mut self, object: u64, outcome: Outcome) -> Result<(), LedgerError> {
        let place = self.open.iter().position(|open| open.claim.block.objects().contains(&object));
        let place = place.expect("the object is out");
        let open = &mut self.open[place];
        let before = open.outcomes[(object - open.claim.block.first) as usize].replace(outcome);
        assert!(before.is_none(), "object {object} is given back once");
        open.missing -= 1;
        self.out -= 1;
        self.patience.end(object);
        if open.missing > 0 {
            return Ok(());
        }
        let Open { claim, outcomes, .. } = self.open.swap_remove(place);
        let outcomes: Vec<Outcome> = outcomes.into_iter().map(|outcome| outcome.expect("none is missing")).collect();
        let written = self.write(claim.block, &outcomes);
        self.shared.heart.leave(&claim);
        let mut desk = self.shared.desk();
        desk.held -= 1;
        desk.alone = false;
        desk.done += claim.block.count();
        drop(desk);
        self.shared.changed.notify_all();
        if written.is_err() {
            claim.give_back(&self.ledger)?;
        }
        written
    }

    fn write(&mut self, block: Block, outcomes: &[Outcome]) -> Result<(), LedgerError> {
        let (ledger, disk) = (&self.ledger, self.ledger.disk());
        let faults = outcomes.iter().filter(|outcome| outcome.is_err()).count() as u64;
        if faults > 0 {
            disk.mark(&disk.path("faulty", block))?;
        }
        let (path, bytes) = (ledger.result(block), pack(ledger.key(), block, outcomes));
        if !disk.write_new(&path, &bytes, &self.me.worker_id)?
            && disk.read(&path)?.is_none_or(|seen| seen.bytes != bytes)
        {
            return Err(LedgerError::Differs { path });
        }
        self.tally.blocks += 1;
        self.tally.objects += block.count();
        self.tally.faults += faults;
        Ok(())
    }

    /// What it has done so far.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// Objects of the whole ledger that are done or given up, as far as this worker knows.
    pub fn done(&self) -> u64 {
        self.shared.desk().done.min(self.ledger.work().count())
    }

    /// Learns what others have done, from the names of the results: one folder is read.
    pub fn look(&self) -> Result<(), LedgerError> {
        let names = self.ledger.disk().list("results")?;
        let done = names.iter().filter_map(|name| Block::named(name)).map(Block::count).sum();
        let mut desk = self.shared.desk();
        desk.done = desk.done.max(done);
        Ok(())
    }

    /// Gives back what is not done.
    pub fn end(mut self) -> Result<Tally, LedgerError> {
        self.leave()?;
        Ok(self.tally)
    }
}

impl<I> Worker<I> {
    /// If the thread beside it panicked, so does the worker.
    fn hear_panic(&mut self) {
        if let Some(Err(panic)) = self.claimer.take().map(JoinHandle::join) {
            std::panic::resume_unwind(panic);
        }
    }

    fn leave(&mut self) -> Result<(), LedgerError> {
        self.shared.desk().leaving = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.claimer.take() {
            let _ = thread.join(); // what it held goes back
        }
        let ready = std::mem::take(&mut self.shared.desk().ready);
        let (begun, not) = (self.open.drain(..).map(|open| open.claim), ready.into_iter().map(|(claim, _)| claim));
        let mut left = Ok(());
        // Whoever panics may do so because of what is out.
        let panics = thread::panicking();
        for (claim, begun) in begun.map(|claim| (claim, true)).chain(not.map(|claim| (claim, false))) {
            self.shared.heart.leave(&claim);
            let gone = if panics && begun {
                claim.fail(&self.ledger, &format!("{} panicked", self.me), &self.me)
            } else {
                claim.give_back(&self.ledger)
            };
            left = left.and(gone);
        }
        left
    }
}

impl<I> Drop for Worker<I> {
    fn drop(&mut self) {
        if let Err(error) = self.leave() {
            log::warn!("{error}: others wait for a lease before they take what this worker held");
        }
    }
}

/// The thread beside a worker.
struct Aside<I, L> {
    ledger: Ledger,
    shared: Arc<Shared<I>>,
    claimer: Claimer,
    load: L,
}

impl<I, L: FnMut(Block) -> Result<Vec<I>, String>> Aside<I, L> {
    fn run(mut self) {
        let end = self.work();
        let mut desk = self.shared.desk();
        if let Some(end) = end.transpose() {
            desk.end = Some(end);
        }
        drop(desk);
        self.shared.changed.notify_all();
    }

    /// Until all is done, or the worker leaves and nobody wants to know.
    fn work(&mut self) -> Result<Option<()>, LedgerError> {
        let seldom = self.ledger.lease().duration() / PAUSES_PER_LEASE;
        let mut pause = FIRST_PAUSE.min(seldom);
        loop {
            let Some(held) = self.wanted() else { return Ok(None) };
            let found = self.claimer.find(held == 0)?;
            match found {
                Found::Block(claim) => {
                    pause = FIRST_PAUSE.min(seldom);
                    self.fetch(claim)?;
                }
                Found::AllDone => {
                    self.shared.desk().done = self.claimer.done;
                    return Ok(Some(()));
                }
                Found::Nothing => {
                    let mut desk = self.shared.desk();
                    desk.done = desk.done.max(self.claimer.done);
                    desk.dry = true;
                    self.shared.changed.notify_all();
                    // What the worker finishes meanwhile may change that.
                    if !desk.leaving && desk.held == held {
                        drop(self.shared.wait(desk, pause));
                    }
                    let longest = LONGEST_PAUSE.max(PAUSE_PER_CLAIM * self.claimer.claims).min(seldom);
                    pause = longest.min(2 * pause);
                }
            }
        }
    }

    /// Waits until the worker can do with another block: how many it has. Nothing when it leaves.
    fn wanted(&self) -> Option<usize> {
        let mut desk = self.shared.desk();
        while !desk.leaving && (desk.alone || !desk.ready.is_empty()) {
            desk = self.shared.wait(desk, LONGEST_PAUSE);
        }
        (!desk.leaving).then_some(desk.held)
    }

    fn fetch(&mut self, claim: Claim) -> Result<(), LedgerError> {
        let claim = Arc::new(claim);
        self.shared.heart.keep(Arc::clone(&claim));
        let block = claim.block;
        let inputs = (self.load)(block).and_then(|inputs| {
            let count = inputs.len();
            if count as u64 == block.count() {
                Ok(inputs)
            } else {
                Err(format!("there are {count} inputs, expected {}", block.count()))
            }
        });
        match inputs {
            Ok(inputs) => {
                let mut desk = self.shared.desk();
                desk.held += 1;
                desk.alone = claim.suspect;
                desk.dry = false;
                desk.ready.push_back((claim, inputs));
                drop(desk);
                self.shared.changed.notify_all();
                Ok(())
            }
            Err(reason) => {
                self.shared.heart.leave(&claim);
                claim.give_back(&self.ledger)?;
                Err(LedgerError::Inputs { block, reason })
            }
        }
    }
}
