//! `skyforge bench ledger`: what it costs to share work out over a folder.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use clap::Args;
use serde_json::{Map, json};

use super::temporary::Temporary;
use super::{figures, median, range};
use crate::app::CommandError;
use crate::app::output::say;
use crate::app::session::Session;
use crate::exit::Exit;
use crate::ledger::disk::OPERATIONS;
use crate::ledger::{Hand, Lease, Ledger, LedgerError, Next, Work, Worker};

/// What it costs to share work out over a folder.
///
/// Workers do blocks of objects that take no time. Prints `ms_per_block NUMBER`, the time of a worker that goes into the
/// ledger for each block, and `operations_per_block NUMBER`, what it asks of the file system; the median over rounds.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  skyforge bench ledger --blocks 10000 --workers 8
  srun -n 64 skyforge bench ledger --folder /scratch/me --workers 1 --sync")]
pub struct Arguments {
    /// Blocks of all workers together
    #[arg(long, default_value_t = 10_000, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..))]
    blocks: u32,
    /// Workers of each rank
    #[arg(long, default_value_t = 8, allow_negative_numbers = true, value_parser = clap::value_parser!(u16).range(1..))]
    workers: u16,
    /// Bytes of a block's result
    #[arg(long, default_value_t = 4096, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(..=1 << 28))]
    bytes: u32,
    /// Waits for the disk, as real work does
    #[arg(long)]
    sync: bool,
    /// A folder, seen by all ranks, in which ledgers are made and removed; the system's for temporary files where it is
    /// not given
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Rounds, each with a ledger of its own
    #[arg(long, default_value_t = 3, allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// A round of all ranks.
struct Round {
    seconds: f64,
    operations: [f64; OPERATIONS.len()],
}

/// Times on this rank, together with the others.
pub(super) fn run(session: &Session, arguments: &Arguments) -> Result<Exit, CommandError> {
    let within = arguments.folder.clone().unwrap_or_else(std::env::temp_dir);
    let folder = session.agree(Temporary::create(session, &within))?;
    let mut rounds = Vec::new();
    for round in 0..arguments.rounds {
        session.comm().gather(&[]);
        let done = work_on(&folder.0.join(round.to_string()), arguments);
        let Round { seconds, operations } = session.agree(done)?;
        rounds.push(Round {
            seconds: super::of_all(session.comm(), seconds).into_iter().fold(0.0, f64::max),
            operations: operations.map(|count| super::of_all(session.comm(), count).iter().sum()),
        });
    }
    session.comm().gather(&[]); // nobody needs the folder any more
    if session.rank() == 0 {
        tell(session, arguments, &rounds)?;
    }
    Ok(Exit::Done)
}

/// All workers of this rank.
fn work_on(folder: &Path, arguments: &Arguments) -> Result<Round, LedgerError> {
    let begun = Instant::now();
    let counts = thread::scope(|scope| {
        let workers: Vec<_> = (0..arguments.workers).map(|_| scope.spawn(|| work(folder, arguments))).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().expect("a worker ends"))
            .collect::<Result<Vec<[u64; OPERATIONS.len()]>, LedgerError>>()
    })?;
    let operations = std::array::from_fn(|kind| counts.iter().map(|counts| counts[kind] as f64).sum());
    Ok(Round { seconds: begun.elapsed().as_secs_f64(), operations })
}

/// One worker: what it asked of the file system.
fn work(folder: &Path, arguments: &Arguments) -> Result<[u64; OPERATIONS.len()], LedgerError> {
    let work = Work {
        command: "bench".into(),
        first_object: 0,
        end_object: arguments.blocks.into(),
        objects_per_block: 1,
        description: toml::Table::new(),
    };
    let ledger = Ledger::join(folder, work, Lease::default())?;
    let ledger = if arguments.sync { ledger } else { ledger.without_sync() };
    let mut worker = Worker::start(&ledger, Hand::default(), |block| Ok(vec![(); block.count() as usize]));
    while let Next::Object(object, ()) = worker.next_object()? {
        worker.finish(object, Ok(vec![0; arguments.bytes as usize]))?;
    }
    worker.end()?;
    Ok(ledger.disk().counts())
}

fn tell(session: &Session, arguments: &Arguments, rounds: &[Round]) -> Result<(), CommandError> {
    let blocks = f64::from(arguments.blocks);
    let workers = session.ranks() * usize::from(arguments.workers);
    let of_a_worker = |round: &Round| 1e3 * round.seconds * workers as f64 / blocks;
    let ms: Vec<f64> = rounds.iter().map(of_a_worker).collect();
    let per_block =
        |kind: usize| median(&rounds.iter().map(|round| round.operations[kind] / blocks).collect::<Vec<_>>());
    let kinds: Vec<(&str, f64)> = OPERATIONS.iter().map(|kind| (kind.name(), per_block(*kind as usize))).collect();
    let operations: f64 = kinds.iter().map(|(_, count)| count).sum();
    if arguments.json {
        let by_kind: Map<_, _> = kinds.iter().map(|(name, count)| ((*name).to_owned(), json!(count))).collect();
        let all = json!({
            "blocks": arguments.blocks, "workers": workers, "bytes": arguments.bytes, "sync": arguments.sync,
            "rounds": rounds.len(), "ms_per_block": figures(&ms), "operations_per_block": operations,
            "operations": by_kind,
        });
        return say(&all.to_string());
    }
    let (low, high) = range(&ms);
    eprintln!("ms_per_block: {low:.3} to {high:.3} in {} rounds, of {workers} workers", rounds.len());
    for (name, count) in kinds.iter().filter(|(_, count)| *count > 0.0) {
        eprintln!("{name}: {count:.3} per block");
    }
    say(&format!("ms_per_block {:.3}\noperations_per_block {operations:.2}", median(&ms)))
}
