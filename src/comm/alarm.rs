//! One rank's panic ends all ranks, each with the cause in its log; so does the watchdog.
//!
//! A rank that panics raises the alarm; its communication thread, which never sleeps long, tells all others. Each rank
//! says its last words, waits a moment for the others to say theirs, and the job is aborted. An abort can hang where
//! another process is stopped: whoever is still there after a while leaves without it, and the launcher ends the rest.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::exit::Exit;

/// Why all ranks end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// In a line.
    pub cause: String,
    /// How the program ends with it.
    pub exit: Exit,
    /// The rank that tells the world: the first that can.
    pub speaker: usize,
}

type LastWords = Box<dyn Fn(&Alarm) + Send>;

static RAISED: Mutex<Option<Alarm>> = Mutex::new(None);
static LAST_WORDS: Mutex<Vec<LastWords>> = Mutex::new(Vec::new());
/// Whether a thread hears the alarm and ends all ranks.
static HEARD: AtomicBool = AtomicBool::new(false);

/// The name of the thread that hears the alarm.
pub(super) const COMMUNICATION: &str = "communication";

/// How long the ranks have for their last words: the disk that they are written to may be busy.
pub(super) const GRACE: Duration = Duration::from_millis(1500);

/// How long an abort may take.
const PATIENCE: Duration = Duration::from_secs(5);

fn lock<T>(mutex: &'static Mutex<T>) -> MutexGuard<'static, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has `words` called with the alarm when the ranks are ended by one, of this rank or another.
pub fn on_alarm(words: impl Fn(&Alarm) + Send + 'static) {
    lock(&LAST_WORDS).push(Box::new(words));
}

/// Ends all ranks with `exit` for `cause`. Returns on the communication thread alone, which is to end them next.
pub fn raise(cause: &str, exit: Exit) {
    raise_by(cause, exit, 0);
}

/// The same, where rank 0 may be unable to tell the world, but `speaker` is not.
pub(super) fn raise_by(cause: &str, exit: Exit, speaker: usize) {
    let alarm = Alarm { cause: cause.to_owned(), exit, speaker };
    speak(&alarm);
    *lock(&RAISED) = Some(alarm);
    if HEARD.load(Ordering::SeqCst) {
        if std::thread::current().name() == Some(COMMUNICATION) {
            return;
        }
        std::thread::sleep(GRACE + PATIENCE); // in which the communication thread ends the process
    }
    leave(exit)
}

/// Ends this process at once, without what libraries want to do at the end, since another thread may be stuck in one of
/// them. The launcher then ends the others.
fn leave(exit: Exit) -> ! {
    signal_hook::low_level::exit(exit as i32)
}

/// Leaves with `exit` if the process is still there after a while.
#[cfg(feature = "mpi")]
pub(super) fn leave_anyway(exit: Exit) {
    std::thread::spawn(move || {
        std::thread::sleep(PATIENCE);
        leave(exit)
    });
}

/// What this rank is to tell the others, if it has raised the alarm.
#[cfg(feature = "mpi")]
pub(super) fn raised() -> Option<Alarm> {
    lock(&RAISED).clone()
}

/// From now on this thread calls `raised` every now and then.
#[cfg(feature = "mpi")]
pub(super) fn listen() {
    HEARD.store(true, Ordering::SeqCst);
}

/// This rank's last words.
pub(super) fn speak(alarm: &Alarm) {
    for words in std::mem::take(&mut *lock(&LAST_WORDS)) {
        words(alarm);
    }
}
