//! Every `--help` as it is printed, in `snapshots/`, a file a command. `SKYFORGE_GOLDEN=write` writes them again:
//! `SKYFORGE_GOLDEN=write cargo test --test library cli::help`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use clap::Command;
use skyforge::cli;

const WIDTH: usize = 100;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/library/cli/snapshots")
}

/// The commands that `command` has, but for clap's own `help`.
fn commands(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|command| command.get_name() != "help")
}

/// What `skyforge WORDS --help` prints.
fn help(words: &[String]) -> String {
    let asked = ["skyforge"].into_iter().chain(words.iter().map(String::as_str)).chain(["--help"]);
    let line = cli::command().term_width(WIDTH);
    line.try_get_matches_from(asked).expect_err("clap takes a help for an error").to_string()
}

/// The helps of `command`, which `words` name, and of all below it, by the names of their files.
fn helps(command: &Command, words: &[String]) -> BTreeMap<String, String> {
    let name = if words.is_empty() { "skyforge".to_owned() } else { words.join("_") };
    let mut helps = BTreeMap::from([(format!("{name}.txt"), help(words))]);
    for below in commands(command) {
        let words = [words, &[below.get_name().to_owned()]].concat();
        helps.extend(self::helps(below, &words));
    }
    helps
}

#[test]
fn every_help_is_as_its_snapshot_has_it() {
    let helps = helps(&cli::command(), &[]);
    assert!(helps.len() > 20, "{:?}", helps.keys());
    if std::env::var("SKYFORGE_GOLDEN").is_ok_and(|word| word == "write") {
        let _ = fs::remove_dir_all(folder()); // there may be none yet
        fs::create_dir_all(folder()).expect("the disk has room");
        for (name, help) in &helps {
            fs::write(folder().join(name), help).expect("the disk has room");
        }
    }
    let again = "`SKYFORGE_GOLDEN=write cargo test --test library cli::help` writes the snapshots again";
    for (name, help) in &helps {
        let snapshot = fs::read_to_string(folder().join(name)).unwrap_or_default();
        let differs = snapshot.lines().zip(help.lines()).find(|(snapshot, help)| snapshot != help);
        assert!(snapshot == *help, "{name}: as it was and as it is: {differs:#?}; {again}");
    }
    let entries = fs::read_dir(folder()).expect("the folder is there");
    let names = entries.map(|entry| entry.expect("it can be read").file_name().into_string().expect("text"));
    let left: Vec<String> = names.filter(|name| !helps.contains_key(name)).collect();
    assert!(left.is_empty(), "{left:?} are of no command; {again}");
}

#[test]
fn every_command_is_in_one_group_of_the_help() {
    let line = cli::command();
    let shown: BTreeSet<&str> =
        commands(&line).filter(|command| !command.is_hide_set()).map(Command::get_name).collect();
    let grouped: Vec<&str> = cli::GROUPS.iter().flat_map(|(_, names)| *names).copied().collect();
    let once: BTreeSet<&str> = grouped.iter().copied().collect();
    assert_eq!(once, shown, "a command is in no group, or a group has what is no command");
    assert_eq!(once.len(), grouped.len(), "a command is in two groups: {grouped:?}");
}

#[test]
fn every_command_of_the_help_fits_in_its_line() {
    let help = help(&[]);
    let wide: Vec<&str> = help.lines().filter(|line| line.len() > WIDTH).collect();
    assert!(wide.is_empty(), "{wide:#?}");
}
