//! How ranks work on a ledger, and how the program ends with it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;

use crate::app::session::Session;
use crate::app::train::minutes;
use crate::exit::Exit;
use crate::ledger::{End, Hand};
use crate::train::signals::StopFlag;

/// Options of commands that can share their objects out over a ledger.
#[derive(Debug, Args)]
pub struct OfWorkers {
    /// Works on this ledger instead, with any other workers, and writes no result: `ledger merge` does
    #[arg(long, value_name = "LEDGER", conflicts_with = "out")]
    pub ledger: Option<PathBuf>,
    /// Objects of a block of the ledger; 256 spectra or 16 maps where it is not given
    #[arg(long, requires = "ledger", value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    pub objects_per_block: Option<u64>,
    /// Leaves the ledger by itself after so many minutes, as a signal would
    #[arg(long, value_name = "MINUTES", value_parser = minutes, requires = "ledger")]
    pub max_wall: Option<f64>,
}

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
