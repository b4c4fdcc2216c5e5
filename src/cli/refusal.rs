//! One-line messages for command lines that cannot be parsed.

use std::io::Write;

use crate::app::{is_first_task, versions};
use crate::exit::Exit;

/// Prints the requested help or versions, or one line with the reason why the command line cannot be parsed. Of the
/// tasks of a launcher only the first prints.
pub fn refuse(error: &clap::Error, line: clap::Command) -> Exit {
    use clap::error::ErrorKind::{DisplayHelp, DisplayVersion};
    let first = is_first_task();
    if matches!(error.kind(), DisplayHelp | DisplayVersion) {
        if first {
            // Whoever reads may close the pipe early.
            let _ = if error.kind() == DisplayVersion {
                writeln!(std::io::stdout(), "{}", versions::listed())
            } else {
                error.print()
            };
        }
        return Exit::Done;
    }
    if first {
        let command = asked_for(line, std::env::args().skip(1));
        let _ = writeln!(std::io::stderr(), "{}", sentence(error, &command));
    }
    Exit::Usage
}

/// Why the command line `skyforge WORDS` cannot be parsed, in one line.
pub fn unreadable(error: &clap::Error, line: clap::Command, words: &[String]) -> String {
    let sentence = sentence(error, &asked_for(line, words.iter().cloned()));
    sentence.strip_prefix("error: ").unwrap_or(&sentence).to_owned()
}

/// The command that `words` name; the deepest one that exists.
fn asked_for(mut line: clap::Command, words: impl Iterator<Item = String>) -> clap::Command {
    line.build(); // every command then knows its full name
    for word in words {
        match line.find_subcommand(&word) {
            Some(command) => line = command.clone(),
            None => break,
        }
    }
    line
}

/// Former names of commands, and their present names.
const RENAMED: [(&str, &str); 1] = [("fanout", "ledger")];

/// Shortens the message of clap to one line: its first line, which states the error, and what was expected, which
/// clap puts further down or leaves out.
fn sentence(error: &clap::Error, command: &clap::Command) -> String {
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
        let program = command.get_bin_name().unwrap_or("skyforge");
        let wrong = sentence.split('\'').nth(1).unwrap_or_default();
        let renamed = RENAMED.iter().find(|(before, _)| *before == wrong && error.kind() == InvalidSubcommand);
        if let Some((_, now)) = renamed {
            return format!("{sentence}; it is called '{now}' now");
        }
        sentence = match nearest_option(wrong, command) {
            Some(meant) => format!("{sentence}; did you mean '--{meant}'"),
            None => format!("{sentence}, expected what `{program} --help` lists"),
        };
    }
    wanted_number(&sentence)
}

/// The nearest option, if at most a third of its letters differ; clap itself finds options with the same beginning.
fn nearest_option<'a>(wrong: &str, command: &'a clap::Command) -> Option<&'a str> {
    let wrong = wrong.strip_prefix("--")?;
    let distance = |option: &&str| strsim::damerau_levenshtein(wrong, option);
    let options = command.get_arguments().filter_map(clap::Arg::get_long);
    options.min_by_key(distance).filter(|option| 3 * distance(option) <= option.len().max(wrong.len()))
}

/// Replaces messages about digits and Rust ranges by the numbers that are accepted.
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
