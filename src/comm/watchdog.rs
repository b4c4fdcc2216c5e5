//! The watchdog: a thread a rank that looks whether the rank goes on, says who holds it up where it does not, and ends
//! the job in time, so that a node that hangs does not burn an allocation.
//!
//! What takes ten times as long as a step does usually (and a tenth of the limit) is told of, with the record of the last
//! operations in a file. The first rank that notices asks all others. A rank that does not answer, since it is stopped
//! or its node is gone, ends the job at half the limit; one that answers and yet does not go on ends it at the limit.
//!
//! Time counts only while the watchdog itself is awake: a job that is suspended and resumed as a whole goes on.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::alarm;
use super::flight::{Flight, Mark};
use super::inquiry::{Verdict, judge};
use crate::exit::Exit;
use crate::files;

/// So many usual steps are unusual.
const UNUSUAL: u32 = 10;
/// Parts of the limit, the pause between two questions.
const PARTS: u32 = 10;
/// So often a rank is asked in vain before it counts as silent.
const IN_VAIN: u32 = 2;
/// Ranks beyond this one notice last, all at once.
const FIRST_TO_ASK: usize = 3;

/// What a watchdog is to do.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Where the record of the last operations goes.
    pub record: PathBuf,
    /// After this time without going on the job ends.
    pub limit: Duration,
    /// What the limit is called where it is set.
    pub key: &'static str,
}

/// A watchdog at work, until it is dropped.
pub struct Watchdog {
    flight: Arc<Flight>,
    /// None when it is closing down.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    /// Watches what is recorded in `flight` on rank `rank`; `hosts[rank]` is where each rank is.
    pub(super) fn start(flight: Arc<Flight>, rank: usize, hosts: Vec<String>, terms: Terms) -> Self {
        let (stop, stopped) = channel::<()>();
        let tick = (terms.limit / 100).clamp(Duration::from_millis(5), Duration::from_secs(1));
        let mut guard = Guard::new(Arc::clone(&flight), rank, hosts, terms);
        let body = move || {
            let mut last = Instant::now();
            while stopped.recv_timeout(tick) == Err(RecvTimeoutError::Timeout) {
                // Who slept for longer was stopped.
                let passed = last.elapsed().min(2 * tick);
                last = Instant::now();
                if let Some(End { cause, speaker }) = guard.look(passed) {
                    alarm::raise_by(&cause, Exit::Hardware, speaker);
                }
            }
        };
        let thread = std::thread::Builder::new().name("watchdog".into()).spawn(body);
        Self { flight, stop: Some(stop), thread: Some(thread.expect("the system has a thread for the watchdog")) }
    }

    /// The rank begins a step, as in `step 12`: how long steps take is what is usual.
    pub fn step(&self, what: &str) {
        self.flight.turn_to(what, true);
    }

    /// The rank begins something else, as in `the checkpoint of step 12`.
    pub fn aside(&self, what: &str) {
        self.flight.turn_to(what, false);
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // it has nothing to say
        }
    }
}

/// Why the job is to end, and who says so to the world.
#[derive(Debug, PartialEq, Eq)]
struct End {
    cause: String,
    speaker: usize,
}

/// When something is told of, when silence ends the job, and when anything does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Limits {
    told: Duration,
    silent: Duration,
    any: Duration,
}

impl Limits {
    fn new(any: Duration, usual: Option<Duration>) -> Self {
        let part = any / PARTS;
        let told = usual.map_or(any / 2, |usual| (UNUSUAL * usual).clamp(part, any / 2));
        // Long enough to be asked in vain.
        Self { told, silent: (any / 2).max(told + (IN_VAIN + 2) * part), any }
    }
}

/// What the thread knows.
struct Guard {
    flight: Arc<Flight>,
    rank: usize,
    hosts: Vec<String>,
    terms: Terms,
    mark: Mark,
    /// For how long nothing has changed.
    still: Duration,
    told: bool,
    named: bool,
    /// Since this rank asked last; nothing where it did not.
    asked: Option<Duration>,
    /// Since a rank before this one asked; it then sees to it.
    led: Option<Duration>,
}

impl Guard {
    fn new(flight: Arc<Flight>, rank: usize, hosts: Vec<String>, terms: Terms) -> Self {
        let mark = flight.mark();
        let still = Duration::ZERO;
        Self { flight, rank, hosts, terms, mark, still, told: false, named: false, asked: None, led: None }
    }

    /// A look at the rank, `passed` after the last one.
    fn look(&mut self, passed: Duration) -> Option<End> {
        let mark = self.flight.mark();
        let asker = self.flight.inquiry.take_asker();
        self.led = if asker.is_some_and(|by| by < self.rank) { Some(Duration::ZERO) } else { later(self.led, passed) };
        if mark != self.mark {
            self.mark = mark;
            self.still = Duration::ZERO;
            (self.told, self.named, self.asked) = (false, false, None);
            self.flight.inquiry.forget();
            return None;
        }
        self.still += passed;
        self.asked = later(self.asked, passed);
        if !mark.in_operation && mark.tasks == 0 {
            return None; // it was not told what it is at
        }
        let limits = Limits::new(self.terms.limit, self.flight.usual());
        if self.still < limits.told {
            return None;
        }
        if !self.told {
            self.told = true;
            self.tell();
        }
        if self.hosts.len() > 1 {
            self.find_who(limits) // a computing rank too: it may wait for others inside a library
        } else if self.still >= limits.any {
            Some(End { cause: self.story(limits.any), speaker: 0 })
        } else {
            None
        }
    }

    /// Says that something takes long.
    fn tell(&self) {
        let (story, file) = (self.flight.tell(), &self.terms.record);
        match files::write_whole(file, self.flight.text(self.rank).as_bytes()) {
            Ok(()) => log::warn!("{story}; the last operations of this rank are in {}", file.display()),
            Err(error) => log::warn!("{story}; {}: {error}", file.display()),
        }
    }

    /// Asks the others, and ends the job when it is time.
    fn find_who(&mut self, limits: Limits) -> Option<End> {
        let part = self.terms.limit / PARTS;
        if self.led.is_some_and(|since| since < 2 * part) {
            // Another rank sees to it; unless it is lost as well.
            return None;
        }
        let turn = limits.told + part / 4 * self.rank.min(FIRST_TO_ASK) as u32;
        if self.still < turn {
            return None;
        }
        if self.asked.is_none_or(|since| since >= part) {
            if self.asked.is_some() && !self.named {
                self.named = true;
                log::warn!("{}", self.verdict().words);
            }
            self.asked = Some(Duration::ZERO);
            self.flight.inquiry.ask();
        }
        if self.still >= limits.any {
            return Some(self.end(limits.any));
        }
        if self.still >= limits.silent && !self.verdict().silent.is_empty() {
            return Some(self.end(limits.silent));
        }
        None
    }

    fn verdict(&self) -> Verdict {
        let mut standings = self.flight.inquiry.answers(self.hosts.len(), IN_VAIN);
        standings[self.rank] = Some(self.flight.standing());
        judge(&standings, &self.hosts)
    }

    fn end(&self, limit: Duration) -> End {
        let Verdict { silent, words } = self.verdict();
        let speaker = (0..self.hosts.len()).find(|rank| !silent.contains(rank)).unwrap_or(self.rank);
        End { cause: format!("{words}; {}", self.story(limit)), speaker }
    }

    /// What this rank met, and which limit that breaks.
    fn story(&self, limit: Duration) -> String {
        let Terms { limit: whole, key, .. } = self.terms;
        let (told, host) = (self.flight.tell(), &self.hosts[self.rank]);
        let share = if limit < whole { ", less for a rank that is silent" } else { "" };
        let (limit, whole) = (limit.as_secs_f64(), whole.as_secs_f64());
        format!("{told} on {host}, which ends the job after {limit:.1} s ({key} = {whole}{share})")
    }
}

fn later(since: Option<Duration>, passed: Duration) -> Option<Duration> {
    since.map(|since| since + passed)
}

#[cfg(test)]
mod tests {
    use super::super::inquiry::Standing;
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    struct Scene {
        _folder: tempfile::TempDir,
        flight: Arc<Flight>,
        guard: Guard,
    }

    /// Rank `rank` of `ranks`, with a limit of 100 s.
    fn scene(rank: usize, ranks: usize) -> Scene {
        let folder = tempfile::tempdir().expect("a folder");
        let flight = Arc::new(Flight::default());
        let hosts = (0..ranks).map(|rank| format!("n{rank}")).collect();
        let terms = Terms { record: folder.path().join("record.txt"), limit: 100 * SECOND, key: "limit" };
        let guard = Guard::new(Arc::clone(&flight), rank, hosts, terms);
        Scene { _folder: folder, flight, guard }
    }

    /// Looks once a second until the job ends: after how many seconds, and why. `each` is called before every look.
    fn until_the_end(scene: &mut Scene, mut each: impl FnMut(&Flight, u32)) -> (u32, End) {
        for second in 1..1000 {
            each(&scene.flight, second);
            if let Some(end) = scene.guard.look(SECOND) {
                return (second, end);
            }
        }
        panic!("it does not end");
    }

    #[test]
    fn what_is_unusual_follows_from_the_steps_and_the_limit() {
        let told = |usual| Limits::new(300 * SECOND, usual).told;
        assert_eq!(told(None), 150 * SECOND);
        assert_eq!(told(Some(Duration::from_millis(20))), 30 * SECOND, "a tenth of the limit at least");
        assert_eq!(told(Some(4 * SECOND)), 40 * SECOND);
        assert_eq!(told(Some(90 * SECOND)), 150 * SECOND, "half of it at most");
    }

    #[test]
    fn a_rank_that_goes_on_is_left_alone_however_long_it_works() {
        let mut scene = scene(0, 2);
        for step in 0..500 {
            scene.flight.turn_to(&format!("step {step}"), true);
            scene.flight.begin(1, "exchange".into());
            assert_eq!(scene.guard.look(40 * SECOND), None);
            scene.flight.end();
            assert_eq!(scene.guard.look(40 * SECOND), None);
        }
    }

    #[test]
    fn who_is_not_told_what_it_is_at_is_not_watched() {
        let mut scene = scene(0, 1);
        assert!((0..1000).all(|_| scene.guard.look(SECOND).is_none()));
    }

    #[test]
    fn a_rank_alone_ends_at_the_limit_with_what_it_was_at() {
        let mut scene = scene(0, 1);
        scene.flight.turn_to("step 12", true);
        let (second, end) = until_the_end(&mut scene, |_, _| ());
        assert_eq!(second, 101, "the first look sees the step begin");
        assert!(end.cause.starts_with("step 12 has taken"), "{end:?}");
        assert!(end.cause.ends_with(" on n0, which ends the job after 100.0 s (limit = 100)"), "{end:?}");
        assert!(scene.guard.terms.record.exists(), "it was told of before");
    }

    #[test]
    fn a_silent_rank_ends_the_job_at_half_the_limit_and_is_named() {
        let mut scene = scene(0, 3);
        scene.flight.label("step 3, generator");
        scene.flight.begin(1, "exchange with rank 1".into());
        scene.flight.end();
        scene.flight.begin(1, "exchange with rank 1".into());
        let (second, end) = until_the_end(&mut scene, |flight, _| flight.inquiry.note_answer(2, Standing::default()));
        assert!((50..=91).contains(&second), "{second}");
        assert_eq!(end.speaker, 0);
        assert!(end.cause.starts_with("rank 1 on n1 does not answer, last heard of"), "{end:?}");
        assert!(end.cause.contains("step 3, generator: exchange with rank 1 (operation 1 of rank 0)"), "{end:?}");
    }

    #[test]
    fn another_rank_speaks_for_a_silent_first_one() {
        let mut scene = scene(1, 2);
        scene.flight.begin(0, "receive from rank 0".into());
        let (_, end) = until_the_end(&mut scene, |_, _| ());
        assert!(end.speaker == 1 && end.cause.starts_with("rank 0 on n0 does not answer"), "{end:?}");
    }

    #[test]
    fn a_rank_that_answers_has_the_whole_limit() {
        let mut scene = scene(0, 2);
        scene.flight.begin(1, "exchange with rank 1".into());
        let busy = Standing { at: Some(("step 9".into(), 77.0)), ..Standing::default() };
        let (second, end) = until_the_end(&mut scene, |flight, _| flight.inquiry.note_answer(1, busy.clone()));
        assert_eq!(second, 101);
        assert!(end.cause.starts_with("rank 1 on n1 has been at step 9 for 77.0 s; "), "{end:?}");
    }

    #[test]
    fn one_rank_asks_for_all_and_the_next_one_if_it_is_lost() {
        let mut scene = scene(2, 4);
        scene.flight.begin(3, "exchange with rank 3".into());
        let (second, _) = until_the_end(&mut scene, |flight, second| {
            if second < 200 {
                flight.inquiry.note_question(0);
            }
        });
        assert!(second > 200, "it is left to rank 0 as long as that one asks: {second}");
    }
}
