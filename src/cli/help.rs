//! The help of the program: its commands in groups with a line each, examples and exit codes.

use std::fmt::Write;

use clap::Command;

use crate::exit::Exit;

/// The groups, and the commands of each.
pub const GROUPS: [(&str, &[&str]); 5] = [
    ("Data", &["simulate", "ingest", "inspect"]),
    ("Train", &["train"]),
    ("Apply", &["sample", "retrieve", "inpaint", "embed", "predict", "restore"]),
    ("Assess", &["evaluate", "report"]),
    ("Operate", &["submit", "status", "ledger", "doctor", "bench", "completions", "man"]),
];

/// The usual way from data to a report.
const EXAMPLE: &str = "Example:
  mpirun -n 2 skyforge simulate maps --out data/maps --count 8192
  mpirun -n 2 skyforge train configs/small_mass_maps.toml \\
      --run runs/maps --data data/maps
  skyforge sample runs/maps --count 1024
  skyforge evaluate runs/maps --against data/maps
  skyforge report runs/maps
";

/// What the help of the program ends with.
pub fn examples_and_exit_codes() -> String {
    let mut text = format!("{EXAMPLE}\nExit codes:");
    for exit in Exit::ALL {
        let _ = write!(text, "\n  {:<2}  {}", exit as u8, exit.meaning()); // a String takes everything
    }
    text
}

/// clap's template of a help, with groups in place of its one list of commands.
///
/// # Panics
/// Where `line` has no command of a group.
pub fn template(line: &Command) -> String {
    let (header, literal) = (line.get_styles().get_header(), line.get_styles().get_literal());
    let names = GROUPS.iter().flat_map(|(_, names)| *names);
    let width = names.map(|name| name.len()).max().unwrap_or(0);
    let mut groups = String::new();
    for (title, names) in GROUPS {
        let _ = writeln!(groups, "{header}{title}:{header:#}"); // a String takes everything
        for name in names {
            let command = line.find_subcommand(name).expect("the groups name commands");
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(groups, "  {literal}{name}{literal:#}{:1$}  {about}", "", width - name.len());
        }
        groups.push('\n');
    }
    format!(
        "{{before-help}}{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{groups}{header}Options:{header:#}\n\
         {{options}}{{after-help}}"
    )
}
