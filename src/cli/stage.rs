//! Parses the command line of a stage of a campaign.

use std::path::PathBuf;

use clap::{ArgMatches, FromArgMatches};

use super::{Cli, Command, command, refusal};
use crate::app::submit::{Ahead, StageCommand};

/// Arguments of each command that name inputs, which must exist before the command starts.
const READS: [(&str, &[&str]); 10] = [
    ("embed", &["run", "dataset"]),
    ("evaluate", &["records", "against"]),
    ("inpaint", &["run", "dataset"]),
    ("predict", &["run", "dataset"]),
    ("report", &["run"]),
    ("restore", &["run", "dataset"]),
    ("retrieve", &["run", "spectra", "calibrate"]),
    ("sample", &["run"]),
    ("merge", &["ledger"]),
    ("retry", &["ledger"]),
];

/// What the command line `words` would do, or why it cannot be parsed, in one line.
pub fn read(words: &[String]) -> Result<StageCommand, String> {
    let unreadable = |error: clap::Error| refusal::unreadable(&error, command(), words);
    let matches = command().no_binary_name(true).try_get_matches_from(words).map_err(unreadable)?;
    let cli = Cli::from_arg_matches(&matches).map_err(unreadable)?;
    let (name, own) = matches.subcommand().expect("a command is wanted");
    Ok(StageCommand {
        name: name.to_owned(),
        inputs: inputs(name, own),
        // The subcommands of `ledger` are not workers on it.
        ledger: path(own, "ledger").filter(|_| name != "ledger"),
        ahead: ahead(cli.command),
    })
}

fn inputs(name: &str, matches: &ArgMatches) -> Vec<PathBuf> {
    let (name, matches) = matches.subcommand().filter(|_| name == "ledger").unwrap_or((name, matches));
    let arguments = READS.iter().find(|(reads, _)| *reads == name).map_or(&[][..], |(_, arguments)| arguments);
    arguments.iter().filter_map(|argument| path(matches, argument)).collect()
}

/// Value of the argument `name`, if the command has such an argument, it is a path, and it is given.
fn path(matches: &ArgMatches, argument: &str) -> Option<PathBuf> {
    matches.try_get_one::<PathBuf>(argument).ok().flatten().cloned()
}

fn ahead(command: Command) -> Ahead {
    match command {
        Command::Train(arguments) => Ahead::Train(arguments.request()),
        Command::Simulate(arguments) => Ahead::Simulate(arguments.sky()),
        Command::Retrieve(arguments) => Ahead::Retrieve(arguments.request()),
        _ => Ahead::Nothing,
    }
}
