//! From a command to an exit code.

use std::io::Write;

use super::allocation::Allocation;
use super::error::CommandError;
use super::logging;
use super::session::Session;
use crate::exit::{Ends, Exit};

/// Runs a command on this rank and says how the program ends.
pub fn run_on_ranks(command: impl FnOnce(&Session) -> Result<Exit, CommandError>) -> Exit {
    run_in_any_world(|session| session.check_world().and_then(|()| command(session)))
}

/// The same for a command that may run even where tasks do not know of each other.
pub fn run_in_any_world(command: impl FnOnce(&Session) -> Result<Exit, CommandError>) -> Exit {
    end(&Session::start(), command)
}

/// Runs a command that only prints, in every process, without MPI and whatever the environment says of a launcher.
pub fn run_alone(command: impl FnOnce() -> Result<Exit, CommandError>) -> Exit {
    end(&Session::alone(), |_| command())
}

/// Runs a command that writes files or submits jobs, without MPI: of several tasks that a launcher started only the first does it.
pub fn run_once(command: impl FnOnce() -> Result<Exit, CommandError>) -> Exit {
    let allocation = Allocation::of_process();
    if !allocation.is_first() {
        let number = allocation.number();
        let _ = writeln!(std::io::stderr(), "task {number}: nothing to do, task 0 runs this command alone");
        return Exit::Done;
    }
    run_alone(command)
}

/// Whether this process is the first of those that a launcher started, or alone.
pub fn is_first_task() -> bool {
    Allocation::of_process().is_first()
}

fn end(session: &Session, command: impl FnOnce(&Session) -> Result<Exit, CommandError>) -> Exit {
    match command(session) {
        Ok(exit) => {
            log::debug!("{} sends and receives on this rank", session.comm().operations());
            exit
        }
        Err(error) => {
            // Rank 0 speaks for all; what another rank has to say is in its log, and in rank 0's sentence.
            logging::error(session.rank() == 0, &error.to_string());
            error.exit()
        }
    }
}
