//! Arguments of `skyforge ledger`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::app::ledger::drill::Lease;
use crate::app::ledger::{drill, merge, retry, status};
use crate::app::train::minutes;
use crate::app::{run_in_any_world, run_once};
use crate::exit::Exit;

/// Show the progress of a ledger, retry what failed, or merge its results.
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:
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

/// Show the progress of a ledger: what is done, who works on what, what failed and why.
///
/// On a terminal it follows the work to its end; Ctrl-C leaves the work alone.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  skyforge ledger status runs/planets/ledger")]
pub struct Status {
    /// The ledger's folder
    ledger: PathBuf,
    /// Looks once, on a terminal too
    #[arg(long)]
    once: bool,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

/// Retry the objects in quarantine, and remove damaged results.
///
/// Every result is read and checked. Workers that are at work take what becomes free; else start some.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  skyforge ledger retry --failed runs/planets/ledger")]
pub struct Retry {
    /// The ledger's folder
    ledger: PathBuf,
    /// All that failed; there is nothing else to try again, so it must be said
    #[arg(long, required = true)]
    failed: bool,
}

/// Merge the results of a finished ledger, each object once and in order, into one table or dataset.
///
/// The same bytes whoever did what. Every checksum is checked; objects that nobody has done are refused with exit code 75.
/// Objects in quarantine are counted.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  skyforge ledger merge runs/planets/ledger --out planets.parquet
  skyforge ledger merge ledgers/maps --out data/filled")]
pub struct Merge {
    /// The ledger's folder
    ledger: PathBuf,
    /// What is written
    #[arg(long)]
    out: PathBuf,
    /// Ends with exit code 65 where objects are in quarantine
    #[arg(long)]
    strict: bool,
}

/// Work on made-up objects, to test that any worker may be lost.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  skyforge ledger drill /shared/ledger --objects 10000 --poison 1234")]
pub struct Drill {
    /// The ledger's folder
    ledger: PathBuf,
    /// How many objects
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=1 << 40))]
    objects: u64,
    /// Objects of a block
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    objects_per_block: u64,
    /// Payloads follow from it
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: u64,
    /// Objects that are worked on together
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..))]
    batch: u16,
    /// How long a round of the batch takes, in milliseconds
    #[arg(long, default_value_t = 0)]
    round_ms: u64,
    /// An object that cannot be done; may be given again
    #[arg(long)]
    fault: Vec<u64>,
    /// An object that kills whoever works on it; may be given again
    #[arg(long)]
    poison: Vec<u64>,
    /// An object that never ends; may be given again
    #[arg(long)]
    hang: Vec<u64>,
    /// Time with an object after which its worker ends
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    hang_seconds: u64,
    /// Lost workers after which a block is halved and an object given up
    #[arg(long, default_value_t = Lease::default().attempts, value_parser = clap::value_parser!(u32).range(1..))]
    attempts: u32,
    /// Silence after which a worker is taken for lost
    #[arg(long, value_name = "SECONDS", default_value_t = Lease::default().seconds)]
    lease: f64,
    /// Stops by itself after so many minutes, as a signal would
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
