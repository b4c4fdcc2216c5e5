//! From a verb to an exit code.

use std::io::Write;
use std::path::PathBuf;

use super::allocation::Allocation;
use super::logging;
use super::session::Session;
use crate::catalog::TableError;
use crate::checkpoint::CheckpointError;
use crate::comm::{Disagreement, There};
use crate::config::ConfigError;
use crate::data::DataError;
use crate::data::mask::MaskError;
use crate::device::DeviceError;
use crate::exit::{Ends, Exit};
use crate::family::AssessError;
use crate::ingest::IngestError;
use crate::launch::LaunchError;
use crate::ledger::LedgerError;
use crate::simulate::SimulateError;
use crate::statistics::StatisticsError;
use crate::train::TrainError;

/// Everything a verb can fail with.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The command line asks for what cannot be.
    #[error("{0}")]
    Usage(String),
    /// A file of the command's own.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file that is not what it should be.
    #[error("{}: {fault}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what was wanted.
        fault: String,
    },
    /// A configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Data.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A mask.
    #[error(transparent)]
    Mask(#[from] MaskError),
    /// A table.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A simulation.
    #[error(transparent)]
    Simulate(#[from] SimulateError),
    /// What is to be ingested.
    #[error(transparent)]
    Ingest(#[from] IngestError),
    /// A checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Training.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// Statistics.
    #[error(transparent)]
    Statistics(#[from] StatisticsError),
    /// What is evaluated, or the files of a run for its report.
    #[error(transparent)]
    Assess(#[from] AssessError),
    /// Shared work.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A campaign.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// What a stage of a campaign would fail with.
    #[error("stage `{stage}`: {error}")]
    Stage {
        /// Its name.
        stage: String,
        /// What it would say.
        error: Box<CommandError>,
    },
    /// A device.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// Another rank failed.
    #[error(transparent)]
    There(#[from] There),
    /// Ranks that cannot count.
    #[error("the {whose}'s sum over ranks is {value} at {place}, expected {wanted}")]
    WrongSum {
        /// Tree or library.
        whose: String,
        /// Which number.
        place: usize,
        /// What it is.
        value: f32,
        /// What it should be.
        wanted: f32,
    },
    /// Tasks that do not know of each other.
    #[error(
        "the launcher started {tasks} tasks, but {}: expected a build with MPI, of the launcher's own \
         MPI (with srun: --mpi=pmix or pmi2)",
        if *ranks == 1 { "this program is alone".to_owned() } else { format!("MPI knows of {ranks}") }
    )]
    Alone {
        /// How many.
        tasks: usize,
        /// How many of them are in the world of this one.
        ranks: usize,
    },
}

impl Ends for CommandError {
    fn exit(&self) -> Exit {
        match self {
            CommandError::Usage(_) => Exit::Usage,
            CommandError::Io { .. } => Exit::FileSystem,
            CommandError::Wrong { .. } | CommandError::Statistics(_) => Exit::Data,
            CommandError::Config(error) => error.exit(),
            CommandError::Data(error) => error.exit(),
            CommandError::Mask(error) => error.exit(),
            CommandError::Table(error) => error.exit(),
            CommandError::Simulate(error) => error.exit(),
            CommandError::Ingest(error) => error.exit(),
            CommandError::Checkpoint(error) => error.exit(),
            CommandError::Train(error) => error.exit(),
            CommandError::Assess(error) => error.exit(),
            CommandError::Ledger(error) => error.exit(),
            CommandError::Device(error) => error.exit(),
            CommandError::There(there) => there.exit(),
            CommandError::Launch(error) => error.exit(),
            CommandError::Stage { error, .. } => error.exit(),
            CommandError::Alone { .. } | CommandError::WrongSum { .. } => Exit::Hardware,
        }
    }
}

impl CommandError {
    /// Adds the path to an error of the file system.
    pub fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| CommandError::Io { path, source }
    }
}

impl<E: Into<CommandError>> From<Disagreement<E>> for CommandError {
    fn from(disagreement: Disagreement<E>) -> Self {
        match disagreement {
            Disagreement::Here(error) => error.into(),
            Disagreement::There(there) => CommandError::There(there),
        }
    }
}

/// Runs a verb on this rank and says how the program ends.
pub fn run(verb: impl FnOnce(&Session) -> Result<Exit, CommandError>) -> Exit {
    run_in_any_world(|session| session.check_world().and_then(|()| verb(session)))
}

/// The same for a verb that may run even where tasks do not know of each other.
pub fn run_in_any_world(verb: impl FnOnce(&Session) -> Result<Exit, CommandError>) -> Exit {
    end(&Session::start(), verb)
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

/// Shows the help that was asked for, or says in a line why the command line cannot be read; once, in the first task of a launcher.
pub fn refuse(error: &clap::Error, line: clap::Command) -> Exit {
    use clap::error::ErrorKind::{DisplayHelp, DisplayVersion};
    let first = Allocation::of_process().is_first();
    if matches!(error.kind(), DisplayHelp | DisplayVersion) {
        if first {
            let _ = error.print();
        }
        return Exit::Done;
    }
    if first {
        let verb = asked_for(line, std::env::args().skip(1));
        let _ = writeln!(std::io::stderr(), "{}", sentence(error, &verb));
    }
    Exit::Usage
}

/// Why a command line of the program, in `words` after its name, cannot be read: in a line.
pub(super) fn unreadable(error: &clap::Error, line: clap::Command, words: &[String]) -> String {
    let sentence = sentence(error, &asked_for(line, words.iter().cloned()));
    sentence.strip_prefix("error: ").unwrap_or(&sentence).to_owned()
}

/// The verb that `words` ask for, as far as they can be followed.
fn asked_for(mut line: clap::Command, words: impl Iterator<Item = String>) -> clap::Command {
    line.build(); // every verb then knows its full name
    for word in words {
        match line.find_subcommand(&word) {
            Some(verb) => line = verb.clone(),
            None => break,
        }
    }
    line
}

/// Commands under names that they had before, and the names that they have now.
const RENAMED: [(&str, &str); 1] = [("fanout", "ledger")];

/// clap writes a paragraph. Its first line says what is wrong; what was wanted stands further down, or nowhere.
fn sentence(error: &clap::Error, verb: &clap::Command) -> String {
    use clap::error::ErrorKind::{InvalidSubcommand, UnknownArgument};
    let text = error.to_string();
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if error.kind() == clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let usage = lines.iter().find_map(|line| line.strip_prefix("Usage: ")?.strip_suffix(" <COMMAND>"));
        let program = usage.unwrap_or("skyforge");
        return format!("error: `{program}` says too little, expected one of the words that `{program} --help` lists");
    }
    let mut sentence = lines.first().copied().unwrap_or("error: wrong command line").to_owned();
    if sentence.ends_with(':') {
        let listed: Vec<&str> = lines[1..].iter().copied().take_while(|line| !line.starts_with("Usage")).collect();
        sentence = format!("{sentence} {}", listed.join(", "));
    }
    for line in lines.iter().skip(1) {
        if let Some(tip) = line.strip_prefix("tip: ").filter(|tip| !tip.starts_with("to pass")) {
            sentence = format!("{sentence}; {tip}");
        } else if line.starts_with("[possible values") && !sentence.contains(line) {
            sentence = format!("{sentence} {line}");
        }
    }
    if matches!(error.kind(), InvalidSubcommand | UnknownArgument) && !sentence.contains("; ") {
        let program = verb.get_bin_name().unwrap_or("skyforge");
        let wrong = sentence.split('\'').nth(1).unwrap_or_default();
        let renamed = RENAMED.iter().find(|(before, _)| *before == wrong && error.kind() == InvalidSubcommand);
        if let Some((_, now)) = renamed {
            return format!("{sentence}; it is called '{now}' now");
        }
        sentence = match nearest_option(wrong, verb) {
            Some(meant) => format!("{sentence}; did you mean '--{meant}'"),
            None => format!("{sentence}, expected what `{program} --help` lists"),
        };
    }
    wanted_number(&sentence)
}

/// The option that was most likely meant, where at most every third letter is wrong; clap finds those that begin alike.
fn nearest_option<'a>(wrong: &str, verb: &'a clap::Command) -> Option<&'a str> {
    let wrong = wrong.strip_prefix("--")?;
    let distance = |option: &&str| strsim::damerau_levenshtein(wrong, option);
    let options = verb.get_arguments().filter_map(clap::Arg::get_long);
    options.min_by_key(distance).filter(|option| 3 * distance(option) <= option.len().max(wrong.len()))
}

/// clap says which digit is none, and ranges as Rust writes them; users want to know which numbers are taken.
fn wanted_number(sentence: &str) -> String {
    const NO_DIGITS: [&str; 3] =
        ["invalid digit found in string", "cannot parse integer from empty string", "invalid float literal"];
    for no_digits in NO_DIGITS {
        if let Some(start) = sentence.strip_suffix(&format!(": {no_digits}")) {
            let whole = if no_digits.contains("float") { "a number" } else { "a whole number that is not negative" };
            return format!("{start}, expected {whole}");
        }
    }
    let Some((start, range)) = sentence.rsplit_once(" is not in ") else { return sentence.to_owned() };
    let Some((start, _)) = start.rsplit_once(": ") else { return sentence.to_owned() };
    match range.split_once("..=").or_else(|| range.split_once("..")) {
        Some((low, high)) if high.len() < u64::MAX.to_string().len() => format!("{start}, expected {low} to {high}"),
        Some((low, _)) => format!("{start}, expected {low} or more"),
        None => sentence.to_owned(),
    }
}
