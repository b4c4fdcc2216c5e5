//! `skyforge fanout status`: how far a ledger is.

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::HumanDuration;

use crate::command::CommandError;
use crate::command::output::say;
use crate::exit::Exit;
use crate::fanout::Ledger;
use crate::fanout::status::Status;
use crate::trainer::progress::{Progress, Task};

/// Between two looks on a terminal.
const PAUSE: Duration = Duration::from_secs(2);

/// Objects in quarantine and workers that are named; `--json` names all.
const NAMED: usize = 20;

/// Say how far a ledger is: what is done, who does what, what cannot be done and why.
///
/// On a terminal a bar follows the work to its end; Ctrl-C leaves the work alone.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  skyforge fanout status runs/planets/ledger")]
pub struct Arguments {
    /// The ledger's folder
    ledger: PathBuf,
    /// Looks once, on a terminal too
    #[arg(long)]
    once: bool,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, CommandError> {
    let ledger = Ledger::open(&arguments.ledger)?;
    let mut status = Status::take(&ledger)?;
    if io::stdout().is_terminal() && !arguments.json && !arguments.once {
        status = follow(&ledger, status)?;
    }
    say(&if arguments.json { json(&status) } else { lines(&ledger, &status) })?;
    Ok(Exit::Done)
}

/// Shows how it goes on, to its end.
fn follow(ledger: &Ledger, mut status: Status) -> Result<Status, CommandError> {
    let ready = |status: &Status| status.done + status.quarantined.len() as u64;
    let task =
        Task { unit: "object", total: status.objects, start: ready(&status), item: "objects", items_per_unit: 1 };
    let mut progress = Progress::new(task, Instant::now());
    loop {
        let (workers, quarantined) = (status.workers.len() as f64, status.quarantined.len() as f64);
        let told = [("workers", workers), ("quarantined", quarantined)];
        progress.update(Instant::now(), ready(&status), None, &told);
        if status.is_finished() {
            return Ok(status);
        }
        sleep(PAUSE);
        status = Status::take(ledger)?;
    }
}

fn json(status: &Status) -> String {
    serde_json::to_string(status).expect("names and numbers are JSON")
}

fn lines(ledger: &Ledger, status: &Status) -> String {
    let work = ledger.work();
    let mut lines = vec![
        format!("{} of {} objects in blocks of {}", work.verb, status.objects, work.objects_per_block),
        format!("done         {}", status.done),
        format!("claimed      {}", status.claimed),
        format!("free         {}", status.free),
        format!("quarantined  {}", status.quarantined.len()),
    ];
    if status.suspects > 0 {
        lines.push(format!("suspects     {} blocks, {} lost attempts", status.suspects, status.lost_attempts));
    }
    if let Some(rate) = status.objects_per_second.filter(|_| !status.is_finished()) {
        lines.push(format!("rate         {rate:.3} objects/s"));
    }
    if let Some(seconds) = status.seconds_left {
        lines.push(format!("left         {}", HumanDuration(Duration::from_secs_f64(seconds.min(1e15)))));
    }
    let workers = status.workers.iter().map(|worker| {
        let silent = if worker.silent_seconds > ledger.terms().lease_seconds { ", perhaps lost" } else { "" };
        format!(
            "worker  rank {} of process {} on {}: {} (seen {:.0} s ago{silent})",
            worker.rank,
            worker.process,
            worker.host,
            worker.blocks.join(", "),
            worker.silent_seconds,
        )
    });
    some(&mut lines, workers);
    some(&mut lines, status.quarantined.iter().map(|one| format!("quarantined  {}: {}", one.object, one.reason)));
    lines.join("\n")
}

/// The first of them, and how many more there are.
fn some(lines: &mut Vec<String>, all: impl ExactSizeIterator<Item = String>) {
    let more = all.len().saturating_sub(NAMED);
    lines.extend(all.take(NAMED));
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
}
