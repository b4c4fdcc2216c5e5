//! The stop flag: a signal asks for an end, the loop ends at the next step that leaves a whole checkpoint.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::flag;

use crate::exit::Exit;

/// Says that the run is asked to stop. Clones are the same flag; it is never lowered again.
#[derive(Clone, Debug, Default)]
pub struct StopFlag {
    asked: Arc<AtomicBool>,
}

impl StopFlag {
    /// A flag that no signal raises.
    pub fn new() -> Self {
        Self::default()
    }

    /// A flag that USR1, USR2, TERM, HUP and INT raise; the handlers do nothing else.
    ///
    /// USR2 is what our batch scripts ask for ahead of the time limit; other launchers send USR1. A second INT does not wait for the loop:
    /// the process ends at once with [`Exit::Stopped`], since the last checkpoint is whole and can be resumed.
    /// HUP stays ignored where it was (`nohup`).
    pub fn install() -> Self {
        let stop = Self::new();
        let interrupted = Arc::new(AtomicBool::new(false));
        let caught = "USR1, USR2, TERM, HUP and INT can be caught";
        // Handlers run in the order they are registered: the first INT finds the flag down and raises it.
        flag::register_conditional_shutdown(SIGINT, Exit::Stopped as i32, Arc::clone(&interrupted)).expect(caught);
        flag::register(SIGINT, interrupted).expect(caught);
        for signal in [SIGUSR1, SIGUSR2, SIGTERM, SIGHUP, SIGINT] {
            if signal == SIGHUP && is_ignored(SIGHUP) {
                continue;
            }
            flag::register(signal, Arc::clone(&stop.asked)).expect(caught);
        }
        stop
    }

    /// Asks for the stop, as a signal would.
    pub fn raise(&self) {
        self.asked.store(true, Ordering::SeqCst);
    }

    /// Whether anyone asked.
    pub fn is_set(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }
}

/// Whether whoever started us chose to ignore `signal`. Read from `/proc`; where there is none, the answer is no.
fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok()).is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}
