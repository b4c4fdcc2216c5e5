//! `skyforge fanout`: how far work is that many workers share, another chance for what failed, and all of it in one file.

mod drill;
pub mod hand;
mod merge;
mod retry;
mod status;

use clap::Subcommand;

use super::CommandError;
use super::session::Session;
use crate::exit::Exit;

/// Look after work that many workers share.
#[derive(Debug, Subcommand)]
pub enum What {
    /// Say how far a ledger is: what is done, who does what, what cannot be done and why.
    Status(status::Arguments),
    /// Give objects in quarantine another chance, and remove damaged results.
    Retry(retry::Arguments),
    /// Write every object of a finished ledger once, in order, into one table or dataset.
    Merge(merge::Arguments),
    /// Work on objects that are made up, to see that any worker may be lost.
    #[command(hide = true)]
    Drill(drill::Arguments),
}

impl What {
    /// Whether each who runs it is a worker.
    pub fn is_for_workers(&self) -> bool {
        match self {
            Self::Drill(_) => true,
            Self::Status(_) | Self::Retry(_) | Self::Merge(_) => false,
        }
    }
}

/// Looks on rank 0; a drill works on every rank.
pub fn run(session: &Session, what: &What) -> Result<Exit, CommandError> {
    let first = session.rank() == 0;
    let done = match what {
        What::Status(arguments) if first => status::run(arguments),
        What::Retry(arguments) if first => retry::run(arguments),
        What::Merge(arguments) if first => merge::run(arguments),
        What::Status(_) | What::Retry(_) | What::Merge(_) => Ok(Exit::Done),
        What::Drill(arguments) => drill::run(session, arguments),
    };
    session.agree(done)
}
