//! `skyforge status`: how far a campaign, a run or a ledger is.

mod campaign;
mod progress;

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use super::CommandError;
use super::output::say;
use crate::exit::Exit;
use crate::launch::campaign::FILE_NAME;
use crate::ledger;

/// Between two looks on a terminal at files, and where SLURM is asked too, which all users of a cluster do.
const PAUSE: Duration = Duration::from_secs(2);
const PAUSE_OF_QUEUE: Duration = Duration::from_secs(15);

/// Say how far a campaign, a run or a ledger is.
///
/// What is done, how fast, how long the rest takes, and what failed for which reason: from the files, and from squeue and sacct where they
/// answer. On a terminal it follows the work to its end; Ctrl-C leaves the work alone.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  skyforge status runs/exogan
  watch -n 60 skyforge status --once runs/exogan/run")]
pub struct Arguments {
    /// The folder of a campaign, a run or a ledger
    path: PathBuf,
    /// Looks once, on a terminal too
    #[arg(long)]
    once: bool,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

/// What was seen.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Seen {
    Campaign(campaign::Report),
    Work(progress::Progress),
}

impl Seen {
    fn look(path: &Path) -> Result<Self, CommandError> {
        if path.join(FILE_NAME).is_file() {
            return campaign::Report::look(path).map(Self::Campaign);
        }
        let work = if path.join(ledger::FILE_NAME).is_file() {
            Some(progress::of_ledger(path)?)
        } else {
            progress::of_run(path)
        };
        let fault = "is no campaign (campaign.toml), run (outcome.toml) or ledger (ledger.toml)".to_owned();
        work.map(Self::Work).ok_or(CommandError::Wrong { path: path.to_owned(), fault })
    }

    fn pause(&self) -> Duration {
        match self {
            Self::Campaign(_) => PAUSE_OF_QUEUE,
            Self::Work(_) => PAUSE,
        }
    }

    fn is_over(&self) -> bool {
        match self {
            Self::Campaign(report) => report.is_over(),
            Self::Work(work) => work.is_over(),
        }
    }

    fn lines(&self) -> String {
        match self {
            Self::Campaign(report) => report.lines(),
            Self::Work(work) => work.line(),
        }
    }
}

/// Says how far it is.
pub fn run(arguments: &Arguments) -> Result<Exit, CommandError> {
    tell(arguments)?;
    Ok(Exit::Done)
}

fn tell(arguments: &Arguments) -> Result<(), CommandError> {
    let mut seen = Seen::look(&arguments.path)?;
    if arguments.json {
        return say(&serde_json::to_string(&seen).expect("names and numbers are JSON"));
    }
    if io::stdout().is_terminal() && !arguments.once {
        let view = ProgressBar::with_draw_target(None, ProgressDrawTarget::stdout());
        view.set_style(ProgressStyle::with_template("{msg}").expect("the template is well formed"));
        while !seen.is_over() {
            view.set_message(seen.lines());
            view.tick();
            sleep(seen.pause());
            seen = Seen::look(&arguments.path)?;
        }
        view.finish_and_clear();
    }
    say(&seen.lines())
}
