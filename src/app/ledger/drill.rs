//! `skyforge ledger drill`: work whose objects are made up, to see on any machine that any worker may be lost.
//!
//! An object takes one to five rounds of a batch, and its payload follows from its number. The table is JSON lines.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use serde_json::json;

use super::hand;
use crate::app::CommandError;
use crate::app::output::say;
use crate::app::session::Session;
use crate::exit::Exit;
use crate::files;
use crate::ledger::merge::{self, Merged};
use crate::ledger::{End, Hand, Ledger, LedgerError, Next, Tally, Work, Worker};
use crate::rng::{Draw, Stream};

pub use crate::ledger::Lease;

pub(super) const COMMAND: &str = "drill";

/// Made-up work, and what goes wrong in it.
#[derive(Clone, Debug)]
pub struct Drill {
    pub ledger: PathBuf,
    pub objects: u64,
    pub objects_per_block: u64,
    pub seed: u64,
    /// Objects that are worked on together.
    pub batch: u16,
    pub round_ms: u64,
    /// Objects that fail, that kill their worker, and that never end.
    pub fault: Vec<u64>,
    pub poison: Vec<u64>,
    pub hang: Vec<u64>,
    pub hang_seconds: u64,
    pub lease: Lease,
    pub max_wall_minutes: Option<f64>,
}

/// Works on the objects of the drill, on every rank.
pub fn run(session: &Session, drill: &Drill) -> Result<Exit, CommandError> {
    session.agree(run_alone(session, drill))
}

fn run_alone(session: &Session, drill: &Drill) -> Result<Exit, CommandError> {
    let work = Work {
        command: COMMAND.into(),
        first_object: 0,
        end_object: drill.objects,
        objects_per_block: drill.objects_per_block,
        description: toml::Table::from_iter([("seed".into(), (drill.seed as i64).into())]),
    };
    let lease = drill.lease;
    if !(lease.seconds >= 0.01 && lease.seconds < 1e9) {
        return Err(CommandError::Usage(format!("--lease is {}, expected seconds, 0.01 or more", lease.seconds)));
    }
    let ledger = Ledger::join(&drill.ledger, work, lease)?;
    let limit = Duration::from_secs(drill.hang_seconds);
    let hand = Hand { limit, ..hand::hand(session, drill.max_wall_minutes) };
    let (end, tally) = work_on(&ledger, hand, drill)?;
    say(&json!({ "rank": session.rank(), "blocks": tally.blocks, "objects": tally.objects }).to_string())?;
    Ok(hand::exit(end))
}

fn work_on(ledger: &Ledger, hand: Hand, drill: &Drill) -> Result<(End, Tally), LedgerError> {
    let draw = Draw::new(drill.seed);
    let mut worker = Worker::start(ledger, hand, move |block| {
        // The input of an object: the rounds that it takes.
        Ok(block.objects().map(|object| 1 + draw.at(Stream::Simulation, object, 1).below(5)).collect())
    });
    let mut batch: Vec<(u64, u32)> = Vec::new();
    loop {
        while batch.len() < usize::from(drill.batch) {
            match worker.next_object()? {
                Next::Object(object, rounds) => batch.push((object, rounds)),
                Next::Later => break,
                Next::End(end) => return Ok((end, worker.end()?)),
            }
        }
        sleep(Duration::from_millis(drill.round_ms));
        if batch.iter().any(|(object, _)| drill.poison.contains(object)) {
            std::process::abort();
        }
        for (_, rounds) in batch.iter_mut().filter(|(object, _)| !drill.hang.contains(object)) {
            *rounds -= 1;
        }
        for (object, _) in batch.extract_if(.., |(_, rounds)| *rounds == 0) {
            let value = draw.at(Stream::Simulation, object, 0).uniform();
            let payload = json!({ "object": object, "value": value }).to_string().into_bytes();
            let fault = drill.fault.contains(&object);
            worker.finish(object, if fault { Err("was told to fail".into()) } else { Ok(payload) })?;
        }
    }
}

/// Writes the table; `next` is called for each object.
pub(super) fn merge(ledger: &Ledger, out: &Path, next: &mut dyn FnMut()) -> Result<Merged, CommandError> {
    files::write_whole_by(
        out,
        |error| CommandError::io(out)(error),
        |file, part| {
            let mut table = BufWriter::new(file);
            let merged = merge::merge(ledger, |object, outcome| {
                next();
                let line =
                    outcome.unwrap_or_else(|reason| json!({ "object": object, "fault": reason }).to_string().into());
                table.write_all(&line).and_then(|()| table.write_all(b"\n")).map_err(CommandError::io(part))
            })?;
            table.flush().map_err(CommandError::io(part))?;
            Ok(merged)
        },
    )
}
