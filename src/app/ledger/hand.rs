//! How ranks work on a ledger, and how the program ends with it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::app::session::Session;
use crate::exit::Exit;
use crate::ledger::{End, Hand};
use crate::train::signals::StopFlag;

/// A worker on this rank that a signal ends, or the clock after `max_wall` minutes.
pub fn hand(session: &Session, max_wall: Option<f64>) -> Hand {
    let (stop, begun) = (StopFlag::install(), Instant::now());
    let wall = max_wall.map(|minutes| Duration::from_secs_f64(60.0 * minutes));
    Hand {
        rank: session.task(),
        stop: Arc::new(move || stop.is_set() || wall.is_some_and(|wall| begun.elapsed() >= wall)),
        ..Hand::default()
    }
}

/// How the program ends where its worker ended so.
pub fn exit(end: End) -> Exit {
    match end {
        End::AllDone => Exit::Done,
        End::Stopped => Exit::Stopped,
    }
}
