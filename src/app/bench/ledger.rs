//! `skyforge bench ledger`: what it costs to share work out over a folder.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use serde_json::{Map, json};

use super::temporary::Temporary;
use super::{figures, median, range};
use crate::app::CommandError;
use crate::app::output::say;
use crate::app::session::Session;
use crate::exit::Exit;
use crate::ledger::disk::OPERATIONS;
use crate::ledger::{Hand, Lease, Ledger, LedgerError, Next, Work, Worker};

/// Work to share out.
#[derive(Clone, Debug)]
pub struct Request {
    /// Blocks of all workers together.
    pub blocks: u32,
    /// Workers of each rank.
    pub workers: u16,
    /// Bytes of a block's result.
    pub bytes: u32,
    /// Whether workers wait for the disk.
    pub sync: bool,
    /// Where ledgers are made; the system's folder for temporary files where it is not given.
    pub folder: Option<PathBuf>,
    pub rounds: u64,
    pub json: bool,
}

/// A round of all ranks.
struct Round {
    seconds: f64,
    operations: [f64; OPERATIONS.len()],
}

/// Times on this rank, together with the others.
pub fn run(session: &Session, request: &Request) -> Result<Exit, CommandError> {
    let within = request.folder.clone().unwrap_or_else(std::env::temp_dir);
    let folder = session.agree(Temporary::create(session, &within))?;
    let mut rounds = Vec::new();
    for round in 0..request.rounds {
        session.comm().gather(&[]);
        let done = work_on(&folder.0.join(round.to_string()), request);
        let Round { seconds, operations } = session.agree(done)?;
        rounds.push(Round {
            seconds: super::of_all(session.comm(), seconds).into_iter().fold(0.0, f64::max),
            operations: operations.map(|count| super::of_all(session.comm(), count).iter().sum()),
        });
    }
    session.comm().gather(&[]); // nobody needs the folder any more
    if session.rank() == 0 {
        tell(session, request, &rounds)?;
    }
    Ok(Exit::Done)
}

/// All workers of this rank.
fn work_on(folder: &Path, request: &Request) -> Result<Round, LedgerError> {
    let begun = Instant::now();
    let counts = thread::scope(|scope| {
        let workers: Vec<_> = (0..request.workers).map(|_| scope.spawn(|| work(folder, request))).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().expect("a worker ends"))
            .collect::<Result<Vec<[u64; OPERATIONS.len()]>, LedgerError>>()
    })?;
    let operations = std::array::from_fn(|kind| counts.iter().map(|counts| counts[kind] as f64).sum());
    Ok(Round { seconds: begun.elapsed().as_secs_f64(), operations })
}

/// One worker: what it asked of the file system.
fn work(folder: &Path, request: &Request) -> Result<[u64; OPERATIONS.len()], LedgerError> {
    let work = Work {
        command: "bench".into(),
        first_object: 0,
        end_object: request.blocks.into(),
        objects_per_block: 1,
        description: toml::Table::new(),
    };
    let ledger = Ledger::join(folder, work, Lease::default())?;
    let ledger = if request.sync { ledger } else { ledger.without_sync() };
    let mut worker = Worker::start(&ledger, Hand::default(), |block| Ok(vec![(); block.count() as usize]));
    while let Next::Object(object, ()) = worker.next_object()? {
        worker.finish(object, Ok(vec![0; request.bytes as usize]))?;
    }
    worker.end()?;
    Ok(ledger.disk().counts())
}

fn tell(session: &Session, request: &Request, rounds: &[Round]) -> Result<(), CommandError> {
    let blocks = f64::from(request.blocks);
    let workers = session.ranks() * usize::from(request.workers);
    let of_a_worker = |round: &Round| 1e3 * round.seconds * workers as f64 / blocks;
    let ms: Vec<f64> = rounds.iter().map(of_a_worker).collect();
    let per_block =
        |kind: usize| median(&rounds.iter().map(|round| round.operations[kind] / blocks).collect::<Vec<_>>());
    let kinds: Vec<(&str, f64)> = OPERATIONS.iter().map(|kind| (kind.name(), per_block(*kind as usize))).collect();
    let operations: f64 = kinds.iter().map(|(_, count)| count).sum();
    if request.json {
        let by_kind: Map<_, _> = kinds.iter().map(|(name, count)| ((*name).to_owned(), json!(count))).collect();
        let all = json!({
            "blocks": request.blocks, "workers": workers, "bytes": request.bytes, "sync": request.sync,
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
