//! `skyforge ledger status`: how far a ledger is.

use std::io::{self, IsTerminal};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::app::CommandError;
use crate::app::output::say;
use crate::exit::Exit;
use crate::ledger::Ledger;
use crate::ledger::status::{Observer, Status};

/// Between two looks on a terminal.
const PAUSE: Duration = Duration::from_secs(2);

/// Objects in quarantine and workers that are named; `--json` names all.
const NAMED: usize = 20;

/// Shows the progress of `ledger`: on a terminal up to its end, unless it is to look once.
pub fn run(ledger: &Path, once: bool, as_json: bool) -> Result<Exit, CommandError> {
    let ledger = Ledger::open(ledger)?;
    let live = io::stdout().is_terminal() && !as_json && !once;
    let status = if live { follow(&ledger)? } else { Status::take(&ledger)? };
    say(&if as_json { json(&status) } else { lines(&ledger, &status) })?;
    Ok(Exit::Done)
}

/// Shows how it goes on, to its end.
fn follow(ledger: &Ledger) -> Result<Status, CommandError> {
    let mut observer = Observer::new(ledger);
    let mut status = observer.look()?;
    let bar = ProgressBar::with_draw_target(Some(status.objects), ProgressDrawTarget::stdout());
    bar.set_style(ProgressStyle::with_template("{bar:60}\n{msg}").expect("the template is well formed"));
    while !status.is_finished() {
        bar.set_position(status.done + status.quarantined.len() as u64);
        bar.set_message(lines(ledger, &status));
        bar.tick();
        sleep(PAUSE);
        status = observer.look()?;
    }
    bar.finish_and_clear();
    Ok(status)
}

fn json(status: &Status) -> String {
    serde_json::to_string(status).expect("names and numbers are JSON")
}

fn lines(ledger: &Ledger, status: &Status) -> String {
    let work = ledger.work();
    let mut lines = vec![
        format!("{} of {} objects in blocks of {}", work.command, status.objects, work.objects_per_block),
        format!("done         {}", status.done),
        format!("claimed      {}", status.claimed),
        format!("free         {}", status.free),
        format!("quarantined  {}", status.quarantined.len()),
    ];
    if status.suspect_blocks > 0 {
        lines
            .push(format!("suspects     {} blocks, {} failed attempts", status.suspect_blocks, status.failed_attempts));
    }
    if let Some(rate) = status.objects_per_second.filter(|_| status.is_worked_on()) {
        lines.push(format!("rate         {rate:.3} objects/s"));
    }
    if let Some(seconds) = status.seconds_left {
        lines.push(format!("left         {}", HumanDuration(Duration::from_secs_f64(seconds.min(1e15)))));
    }
    if !status.is_finished() && !status.is_worked_on() {
        lines.push("nobody shows that it is at work: the same command as before goes on".into());
    }
    let workers = status.workers.iter().map(|worker| {
        let silent = match (worker.process_gone, worker.lease_expired) {
            (true, _) => ", lost",
            (false, true) => ", perhaps lost",
            (false, false) => "",
        };
        format!(
            "worker  rank {} of process {} on {}: {} (seen {:.0} s ago{silent})",
            worker.rank,
            worker.pid,
            worker.host,
            worker.blocks.join(", "),
            worker.seconds_since_heartbeat,
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
