//! One rank's panic ends all ranks, each with the cause in its log.
//!
//! A rank that panics raises the alarm; its communication thread, which never sleeps long, tells all others. Each rank
//! says its last words, waits a moment for the others to say theirs, and the job is aborted.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::exit::Exit;

type LastWords = Box<dyn Fn(&str, Exit) + Send>;

static CAUSE: Mutex<Option<(String, Exit)>> = Mutex::new(None);
static LAST_WORDS: Mutex<Vec<LastWords>> = Mutex::new(Vec::new());
/// Whether a thread hears the alarm and ends all ranks.
static HEARD: AtomicBool = AtomicBool::new(false);

/// The name of the thread that hears the alarm.
pub(super) const COMMUNICATION: &str = "communication";

/// How long the ranks have for their last words.
pub(super) const GRACE: Duration = Duration::from_millis(500);

fn lock<T>(mutex: &'static Mutex<T>) -> MutexGuard<'static, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has `words` called with the cause and the exit code when the ranks are ended by an alarm, here or on another rank.
pub fn on_alarm(words: impl Fn(&str, Exit) + Send + 'static) {
    lock(&LAST_WORDS).push(Box::new(words));
}

/// Ends all ranks with `exit` for `cause`. Returns on the communication thread alone, which is to end them next.
pub fn raise(cause: &str, exit: Exit) {
    speak(cause, exit);
    *lock(&CAUSE) = Some((cause.to_owned(), exit));
    if HEARD.load(Ordering::SeqCst) {
        if std::thread::current().name() == Some(COMMUNICATION) {
            return;
        }
        std::thread::sleep(20 * GRACE); // in which the communication thread ends the process
    }
    std::process::exit(exit as i32) // the launcher then ends the others
}

/// What this rank is to tell the others, if it has raised the alarm.
#[cfg(feature = "mpi")]
pub(super) fn raised() -> Option<(String, Exit)> {
    lock(&CAUSE).clone()
}

/// From now on this thread calls `raised` every now and then.
#[cfg(feature = "mpi")]
pub(super) fn listen() {
    HEARD.store(true, Ordering::SeqCst);
}

/// This rank's last words.
pub(super) fn speak(cause: &str, exit: Exit) {
    for words in std::mem::take(&mut *lock(&LAST_WORDS)) {
        words(cause, exit);
    }
}
