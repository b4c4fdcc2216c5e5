//! How long objects take: one that takes far longer than usual is named, and one that does not end ends its worker,
//! whose claims others then take.
//!
//! Time counts only while the thread that looks is awake: a worker that is suspended and resumed goes on.

use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::comm::alarm;
use crate::exit::Exit;

/// After this time an object ends its worker, unless objects take long.
pub(super) const LIMIT: Duration = Duration::from_hours(1);
/// So many usual objects are unusual, and so many are the end where that is beyond the limit.
const UNUSUAL: u32 = 10;
const HOPELESS: u32 = 100;
/// Objects whose middle one is the usual one.
const USUAL_OF: usize = 64;

/// The objects that are out, watched until this is dropped.
pub(super) struct Patience {
    book: Arc<Mutex<Book>>,
    /// None when it is closing down.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Patience {
    /// Watches objects of the worker `who`, of which each may take `limit`, or longer where others do.
    pub fn start(who: String, limit: Duration) -> Self {
        let tick = (limit / 100).clamp(Duration::from_millis(10), Duration::from_secs(5));
        let book = Arc::new(Mutex::new(Book { limit, ..Book::default() }));
        let (stop, stopped) = channel::<()>();
        let shared = Arc::clone(&book);
        let thread = std::thread::spawn(move || {
            let mut last = Instant::now();
            loop {
                if stopped.recv_timeout(tick) != Err(RecvTimeoutError::Timeout) {
                    return;
                }
                let passed = last.elapsed().min(2 * tick);
                last = Instant::now();
                let cause = lock(&shared).look(passed);
                if let Some(cause) = cause {
                    alarm::raise(&format!("{cause}: {who} ends, another one takes it"), Exit::Hardware);
                }
            }
        });
        Self { book, stop: Some(stop), thread: Some(thread) }
    }

    /// An object goes out.
    pub fn begin(&self, object: u64) {
        lock(&self.book).out.insert(object, Out::default());
    }

    /// It is back.
    pub fn end(&self, object: u64) {
        lock(&self.book).end(object);
    }
}

impl Drop for Patience {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // it has nothing to say
        }
    }
}

fn lock(book: &Mutex<Book>) -> MutexGuard<'_, Book> {
    book.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Debug, Default)]
struct Book {
    limit: Duration,
    out: BTreeMap<u64, Out>,
    took: VecDeque<Duration>,
}

#[derive(Debug, Default)]
struct Out {
    since: Duration,
    told: bool,
}

impl Book {
    fn end(&mut self, object: u64) {
        let Some(Out { since, told }) = self.out.remove(&object) else { return };
        if told {
            log::warn!("object {object} is done after {:.1} s", since.as_secs_f64());
        }
        if self.took.len() == USUAL_OF {
            self.took.pop_front();
        }
        self.took.push_back(since);
    }

    fn usual(&self) -> Option<Duration> {
        let mut took: Vec<Duration> = self.took.iter().copied().collect();
        took.sort_unstable();
        took.get(took.len() / 2).copied()
    }

    /// A look at what is out, `passed` after the last one: why the worker is to end, if it is.
    fn look(&mut self, passed: Duration) -> Option<String> {
        let usual = self.usual();
        let limit = usual.map_or(self.limit, |usual| self.limit.max(HOPELESS * usual));
        let unusual = usual.map_or(limit / 2, |usual| (UNUSUAL * usual).clamp(limit / 10, limit / 2));
        let beside = usual.map_or_else(String::new, |usual| format!(", {:.1} s are usual", usual.as_secs_f64()));
        for (object, out) in &mut self.out {
            out.since += passed;
            let seconds = out.since.as_secs_f64();
            if out.since >= limit {
                return Some(format!("object {object} has taken {seconds:.1} s so far{beside}"));
            }
            if out.since >= unusual && !out.told {
                out.told = true;
                log::warn!("object {object} has taken {seconds:.1} s so far{beside}");
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn book(limit: Duration) -> Book {
        Book { limit, ..Book::default() }
    }

    /// An object goes out and is looked at once a second: after how many seconds it was told of, and ended the worker.
    fn endure(book: &mut Book) -> (u32, u32) {
        book.out.insert(7, Out::default());
        let mut told = 0;
        for second in 1.. {
            if book.look(SECOND).is_some() {
                return (told, second);
            }
            if told == 0 && book.out[&7].told {
                told = second;
            }
        }
        unreachable!("seconds are many")
    }

    #[test]
    fn an_object_is_told_of_by_what_is_usual_and_ends_its_worker_at_the_limit() {
        assert_eq!(endure(&mut book(100 * SECOND)), (50, 100), "nothing is usual yet");
        for (usual, told, end) in [(SECOND / 10, 10, 100), (3 * SECOND, 30, 300), (20 * SECOND, 200, 2000)] {
            let mut book = book(100 * SECOND);
            book.took.extend([usual; 5]);
            assert_eq!(endure(&mut book), (told, end), "{usual:?}");
        }
    }

    #[test]
    fn objects_that_come_back_are_what_is_usual_and_are_forgotten() {
        let mut book = book(100 * SECOND);
        for object in 0..200 {
            book.out.insert(object, Out::default());
            assert_eq!(book.look(2 * SECOND), None);
            book.end(object);
        }
        assert_eq!((book.usual(), book.took.len(), book.out.len()), (Some(2 * SECOND), USUAL_OF, 0));
        book.end(7); // one that is not out
        assert_eq!(book.took.len(), USUAL_OF);
    }
}
