//! `skyforge ledger drill`: work whose objects are made up, to see on any machine that any worker may be lost.
//!
//! An object takes one to five rounds of a batch, and its payload follows from its number. The table is JSON lines.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::hand;
use crate::app::CommandError;
use crate::app::output::say;
use crate::app::session::Session;
use crate::app::train::minutes;
use crate::exit::Exit;
use crate::files;
use crate::ledger::merge::{self, Merged};
use crate::ledger::{End, Hand, Lease, Ledger, LedgerError, Next, Tally, Work, Worker};
use crate::rng::{Draw, Stream};

pub(super) const COMMAND: &str = "drill";

/// Work on objects that are made up, to see that any worker may be lost.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  skyforge ledger drill /shared/ledger --objects 10000 --poison 1234")]
pub struct Arguments {
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

pub(super) fn run(session: &Session, arguments: &Arguments) -> Result<Exit, CommandError> {
    let work = Work {
        command: COMMAND.into(),
        first_object: 0,
        end_object: arguments.objects,
        objects_per_block: arguments.objects_per_block,
        description: toml::Table::from_iter([("seed".into(), (arguments.seed as i64).into())]),
    };
    let lease = Lease { attempts: arguments.attempts, seconds: arguments.lease };
    if !(lease.seconds >= 0.01 && lease.seconds < 1e9) {
        return Err(CommandError::Usage(format!("--lease is {}, expected seconds, 0.01 or more", arguments.lease)));
    }
    let ledger = Ledger::join(&arguments.ledger, work, lease)?;
    let limit = Duration::from_secs(arguments.hang_seconds);
    let hand = Hand { limit, ..hand::hand(session, arguments.max_wall) };
    let (end, tally) = work_on(&ledger, hand, arguments)?;
    say(&json!({ "rank": session.rank(), "blocks": tally.blocks, "objects": tally.objects }).to_string())?;
    Ok(hand::exit(end))
}

fn work_on(ledger: &Ledger, hand: Hand, arguments: &Arguments) -> Result<(End, Tally), LedgerError> {
    let draw = Draw::new(arguments.seed);
    let mut worker = Worker::start(ledger, hand, move |block| {
        // The input of an object: the rounds that it takes.
        Ok(block.objects().map(|object| 1 + draw.at(Stream::Simulation, object, 1).below(5)).collect())
    });
    let mut batch: Vec<(u64, u32)> = Vec::new();
    loop {
        while batch.len() < usize::from(arguments.batch) {
            match worker.next_object()? {
                Next::Object(object, rounds) => batch.push((object, rounds)),
                Next::Later => break,
                Next::End(end) => return Ok((end, worker.end()?)),
            }
        }
        sleep(Duration::from_millis(arguments.round_ms));
        if batch.iter().any(|(object, _)| arguments.poison.contains(object)) {
            std::process::abort();
        }
        for (_, rounds) in batch.iter_mut().filter(|(object, _)| !arguments.hang.contains(object)) {
            *rounds -= 1;
        }
        for (object, _) in batch.extract_if(.., |(_, rounds)| *rounds == 0) {
            let value = draw.at(Stream::Simulation, object, 0).uniform();
            let payload = json!({ "object": object, "value": value }).to_string().into_bytes();
            let fault = arguments.fault.contains(&object);
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
