//! Arguments of `skyforge ledger`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::app::ledger::drill::Lease;
use crate::app::ledger::{drill, merge, retry, status};
use crate::app::train::minutes;
use crate::app::{run_in_any_world, run_once};
use crate::exit::Exit;

/// Show the progress of a ledger, retry failed objects, or merge results.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  skyforge ledger status runs/planets/ledger
  skyforge ledger retry --failed runs/planets/ledger
  skyforge ledger merge runs/planets/ledger --out planets.parquet")]
pub enum Arguments {
    Status(Status),
    Retry(Retry),
    Merge(Merge),
    #[command(hide = true)]
    Drill(Drill),
}

/// Show the progress of a ledger, its workers, and failed objects with reasons.
///
/// On a terminal the display is updated until all work is done; Ctrl-C ends the display and leaves the workers running.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  skyforge ledger status runs/planets/ledger")]
pub struct Status {
    /// Ledger folder
    ledger: PathBuf,
    /// Print the progress once, even on a terminal
    #[arg(long)]
    once: bool,
    /// Print the progress as JSON
    #[arg(long)]
    json: bool,
}

/// Retry the objects in quarantine, and delete damaged results.
///
/// Every result is read and verified. The objects are free to be processed again: active workers take them; if there
/// are none, start workers with the command that began the ledger.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  skyforge ledger retry --failed runs/planets/ledger")]
pub struct Retry {
    /// Ledger folder
    ledger: PathBuf,
    /// Retry all failed objects; required, since there is no other selection
    #[arg(long, required = true)]
    failed: bool,
}

/// Merge the results of a finished ledger into one table or dataset.
///
/// The output contains each object once, in order, and has identical bytes whichever workers computed it. All checksums
/// are verified. If objects are not done, nothing is written and the exit code is 75. Objects in quarantine are left
/// out and counted.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  skyforge ledger merge runs/planets/ledger --out planets.parquet
  skyforge ledger merge ledgers/maps --out data/filled")]
pub struct Merge {
    /// Ledger folder
    ledger: PathBuf,
    /// Output table (.parquet) or dataset folder, according to the command that began the ledger
    #[arg(long)]
    out: PathBuf,
    /// Exit with code 65, after writing the output, if objects are in quarantine
    #[arg(long)]
    strict: bool,
}

/// Process synthetic objects on a ledger, to test recovery from lost workers.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  skyforge ledger drill /shared/ledger --objects 10000 --poison 1234")]
pub struct Drill {
    /// Ledger folder
    ledger: PathBuf,
    /// Number of objects
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=1 << 40))]
    objects: u64,
    /// Objects per block
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    objects_per_block: u64,
    /// Seed of the results
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: u64,
    /// Number of objects that a worker processes at the same time; each takes 1 to 5 rounds
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..))]
    batch: u16,
    /// Duration of a round, in milliseconds
    #[arg(long, default_value_t = 0)]
    round_ms: u64,
    /// Number of an object that fails; may be repeated
    #[arg(long)]
    fault: Vec<u64>,
    /// Number of an object that kills the worker processing it; may be repeated
    #[arg(long)]
    poison: Vec<u64>,
    /// Number of an object that never completes; may be repeated
    #[arg(long)]
    hang: Vec<u64>,
    /// Time on one object, in seconds, after which the worker ends
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    hang_seconds: u64,
    /// Number of lost workers after which a block is halved, and a single object is put in quarantine
    #[arg(long, default_value_t = Lease::default().attempts, value_parser = clap::value_parser!(u32).range(1..))]
    attempts: u32,
    /// Time without a sign of life, in seconds, after which a worker is considered lost
    #[arg(long, value_name = "SECONDS", default_value_t = Lease::default().seconds)]
    lease: f64,
    /// Stop after this many minutes, as on SIGTERM
    #[arg(long, value_name = "MINUTES", value_parser = minutes)]
    max_wall: Option<f64>,
}

impl Arguments {
    pub fn run(self) -> Exit {
        match self {
            Self::Status(Status { ledger, once, json }) => run_once(|| status::run(&ledger, once, json)),
            Self::Retry(Retry { ledger, failed: _ }) => run_once(|| retry::run(&ledger)),
            Self::Merge(arguments) => run_once(|| merge::run(&arguments.request())),
            Self::Drill(arguments) => {
                let drill = arguments.request();
                run_in_any_world(|session| drill::run(session, &drill))
            }
        }
    }
}

impl Merge {
    fn request(self) -> merge::Request {
        let Self { ledger, out, strict } = self;
        merge::Request { ledger, out, strict }
    }
}

impl Drill {
    fn request(self) -> drill::Drill {
        let Self { ledger, objects, objects_per_block, seed, batch, round_ms, .. } = self;
        let Self { fault, poison, hang, hang_seconds, attempts, lease, max_wall: max_wall_minutes, .. } = self;
        let lease = Lease { attempts, seconds: lease };
        drill::Drill {
            ledger,
            objects,
            objects_per_block,
            seed,
            batch,
            round_ms,
            fault,
            poison,
            hang,
            hang_seconds,
            lease,
            max_wall_minutes,
        }
    }
}
