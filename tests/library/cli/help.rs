//! Laws of all help texts, and every `--help` as it is printed, in `snapshots/`, a file per command.
//! `SKYFORGE_GOLDEN=write cargo test --test library cli::help` rewrites the snapshots.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use clap::Command;
use skyforge::cli;
use skyforge::exit::Exit;

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

/// `command`, which `words` name, and all commands below it, hidden ones too.
fn all(command: &Command, words: &[String]) -> Vec<(Vec<String>, Command)> {
    let below = commands(command).flat_map(|below| all(below, &[words, &[below.get_name().to_owned()]].concat()));
    std::iter::once((words.to_vec(), command.clone())).chain(below).collect()
}

/// All commands of the program with the words that name them, as clap builds them before it parses.
fn all_commands() -> Vec<(Vec<String>, Command)> {
    let mut line = cli::command();
    line.build();
    all(&line, &[])
}

/// The command lines under `Example:` or `Examples:`, continued lines joined.
fn examples(command: &Command) -> Vec<String> {
    let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let lines = text.lines().skip_while(|line| !line.starts_with("Example")).skip(1);
    let lines: Vec<&str> = lines.take_while(|line| line.starts_with("  ")).collect();
    lines.join("\n").replace("\\\n", " ").lines().map(|line| line.trim().to_owned()).collect()
}

#[test]
fn every_command_has_an_example() {
    for (words, command) in all_commands() {
        assert!(!examples(&command).is_empty(), "{words:?}");
    }
}

/// On a terminal of 80 columns too, so that it can be copied.
#[test]
fn every_example_fits_in_its_line() {
    for (words, command) in all_commands() {
        let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let wide: Vec<&str> = text.lines().filter(|line| line.len() > 80).collect();
        assert!(wide.is_empty(), "{words:?}: {wide:#?}");
    }
}

#[test]
fn every_example_is_a_command_line_of_the_program() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (words, command) in all_commands() {
        for example in examples(&command) {
            let shell: Vec<&str> = example.split_whitespace().take_while(|word| *word != ">").collect();
            for path in shell
                .iter()
                .filter(|word| ["configs/", "jobs/", "scripts/"].iter().any(|folder| word.starts_with(folder)))
            {
                assert!(root.join(path).is_file(), "{words:?}: `{example}`: there is no {path}");
            }
            // A launcher may stand before it; a script of the repository is no command line of the program.
            let Some(start) = shell.iter().position(|word| *word == "skyforge") else {
                assert!(shell[0].starts_with("scripts/"), "{words:?}: `{example}` does not call the program");
                continue;
            };
            if let Err(error) = cli::command().try_get_matches_from(&shell[start..]) {
                panic!("{words:?}: `{example}`: {error}");
            }
        }
    }
}

#[test]
fn every_summary_is_a_line_with_a_capital_and_without_a_period() {
    let summary = |command: &Command| command.get_about().map(ToString::to_string).unwrap_or_default();
    for (words, command) in all_commands() {
        let text = summary(&command);
        assert!(text.starts_with(|first: char| first.is_ascii_uppercase()), "{words:?}: {text:?}");
        assert!(!text.ends_with('.') && !text.contains('\n'), "{words:?}: {text:?}");
        let widest = commands(&command).map(|below| below.get_name().len()).max().unwrap_or(0);
        for below in commands(&command) {
            let line = "  ".len() + widest + "  ".len() + summary(below).len();
            assert!(line <= WIDTH, "{words:?}: {line} columns: {}", summary(below));
        }
    }
}

#[test]
fn every_default_is_shown_at_the_end_of_its_option() {
    for (words, command) in all_commands() {
        let help = help(&words).split_whitespace().collect::<Vec<_>>().join(" "); // it may be wrapped
        for option in command.get_arguments().filter(|option| option.get_action().takes_values()) {
            let name = option.get_id();
            if !option.get_default_values().is_empty() {
                let values: Vec<_> = option.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
                let shown = format!("[default: {}]", values.join(" "));
                assert!(help.contains(&shown) && !option.is_hide_default_value_set(), "{words:?}: {name}: {shown}");
            }
            // One that clap does not know of is in the text.
            let text = option.get_help().map(ToString::to_string).unwrap_or_default();
            assert!(!text.contains("[default: ") || text.ends_with(']'), "{words:?}: {name}: {text}");
        }
    }
}

#[test]
fn every_option_has_a_text_without_a_period_at_its_end() {
    for (words, command) in all_commands() {
        for option in command.get_arguments() {
            let text = option.get_help().map(ToString::to_string).unwrap_or_default();
            let is_fine = text.starts_with(|first: char| first.is_ascii_uppercase()) && !text.ends_with('.');
            assert!(is_fine && text.is_ascii(), "{words:?}: {}: {text:?}", option.get_id());
        }
    }
}

#[test]
fn the_help_of_the_program_lists_every_exit_code() {
    let help = help(&[]);
    for exit in Exit::ALL {
        let line = format!("  {:<2}  {}\n", exit as u8, exit.meaning());
        assert!(help.contains(&line), "{line}{help}");
        assert_eq!(Exit::from_code(exit as u8), exit);
    }
}
