//! `skyforge ledger merge`: every object once, in order, by the command whose work it is.

use std::path::PathBuf;
use std::time::Instant;

use super::drill;
use crate::app::CommandError;
use crate::app::columns::Numbers;
use crate::app::output::say;
use crate::app::{columns, inpaint, new_records, restore, retrieve};
use crate::exit::Exit;
use crate::ledger::merge::Merged;
use crate::ledger::{self, Ledger};
use crate::train::progress::{Progress, Task};

/// Commands whose ledgers become tables of numbers.
const COLUMNS: [&str; 2] = [Numbers::Features.command(), Numbers::Predictions.command()];

/// Objects between two looks at the clock.
const TOLD_EVERY: u64 = 64;

/// A ledger to merge.
#[derive(Clone, Debug)]
pub struct Request {
    pub ledger: PathBuf,
    pub out: PathBuf,
    /// Whether objects in quarantine are an error.
    pub strict: bool,
}

/// Writes every object once, in order, by the command whose work it is.
pub fn run(arguments: &Request) -> Result<Exit, CommandError> {
    let ledger = Ledger::open(&arguments.ledger)?;
    let total = ledger.work().count();
    let task = Task { unit: "object", total, start: 0, item: "objects", items_per_unit: 1 };
    let mut progress = Progress::new(task, Instant::now());
    let mut seen = 0;
    let mut next = || {
        seen += 1;
        if seen % TOLD_EVERY == 0 || seen == total {
            progress.update(Instant::now(), seen, None, &[]);
        }
    };
    let Merged { objects, quarantined } = match ledger.work().command.as_str() {
        retrieve::COMMAND => retrieve::merge(&ledger, &arguments.out, &mut next)?,
        inpaint::COMMAND => new_records::merge(&ledger, &arguments.out, inpaint::TOLD, &mut next)?,
        restore::COMMAND => new_records::merge(&ledger, &arguments.out, restore::TOLD, &mut next)?,
        command if COLUMNS.contains(&command) => columns::merge(&ledger, &arguments.out, &mut next)?,
        drill::COMMAND => drill::merge(&ledger, &arguments.out, &mut next)?,
        other => {
            let known = [COLUMNS[0], COLUMNS[1], restore::COMMAND, retrieve::COMMAND, inpaint::COMMAND].join(", ");
            let fault = format!("is the work of `{other}`, expected that of one of {known}");
            return Err(CommandError::Wrong { path: arguments.ledger.join(ledger::FILE_NAME), fault });
        }
    };
    drop(progress);
    say(&format!("objects {objects}\nquarantined {quarantined}"))?;
    if arguments.strict && quarantined > 0 {
        let fault = format!("{quarantined} of {objects} objects are in quarantine, expected none");
        return Err(CommandError::Wrong { path: arguments.ledger.clone(), fault });
    }
    Ok(Exit::Done)
}
