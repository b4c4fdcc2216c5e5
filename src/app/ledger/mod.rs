//! `skyforge ledger`: the progress of work that many workers share, another attempt at what failed, and all results in one file.

mod drill;
pub mod hand;
mod merge;
mod retry;
mod status;

use clap::Subcommand;

use super::CommandError;
use super::session::Session;
use crate::exit::Exit;

/// Look after a ledger: the folder of work that many workers share.
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

/// Looks after a ledger.
pub fn run(what: &What) -> Result<Exit, CommandError> {
    match what {
        What::Status(arguments) => status::run(arguments),
        What::Retry(arguments) => retry::run(arguments),
        What::Merge(arguments) => merge::run(arguments),
        What::Drill(_) => unreachable!("a drill has workers on all ranks"),
    }
}

/// Works on the made-up objects of a drill, on every rank.
pub fn drill(session: &Session, arguments: &drill::Arguments) -> Result<Exit, CommandError> {
    session.agree(drill::run(session, arguments))
}
