//! `skyforge status`: the progress of a campaign, a run or a ledger.

mod campaign;
mod progress;

use std::io::{self, IsTerminal};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

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

/// Shows the progress of what is at `path`: on a terminal up to its end, unless it is to look once.
pub fn run(path: &Path, once: bool, json: bool) -> Result<Exit, CommandError> {
    tell(path, once, json)?;
    Ok(Exit::Done)
}

fn tell(path: &Path, once: bool, json: bool) -> Result<(), CommandError> {
    let mut seen = Seen::look(path)?;
    if json {
        return say(&serde_json::to_string(&seen).expect("names and numbers are JSON"));
    }
    if io::stdout().is_terminal() && !once {
        let view = ProgressBar::with_draw_target(None, ProgressDrawTarget::stdout());
        view.set_style(ProgressStyle::with_template("{msg}").expect("the template is well formed"));
        while !seen.is_over() {
            view.set_message(seen.lines());
            view.tick();
            sleep(seen.pause());
            seen = Seen::look(path)?;
        }
        view.finish_and_clear();
    }
    say(&seen.lines())
}
