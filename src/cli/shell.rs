//! `skyforge completions` and `skyforge man`: shell completions and manual pages, generated from the command line.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

use crate::app::{CommandError, say};
use crate::exit::Exit;
use crate::files;

/// Print completions for a shell.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  skyforge completions bash \\
      > ~/.local/share/bash-completion/completions/skyforge")]
pub struct Completions {
    /// Shell
    shell: Shell,
}

/// Print the manual page, or write one for each command.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  skyforge man > skyforge.1
  skyforge man --out ~/.local/share/man/man1")]
pub struct Man {
    /// Existing folder to which the pages of all commands are written [default: print the page of skyforge to stdout]
    #[arg(long)]
    out: Option<PathBuf>,
}

/// Prints completions of `line`.
pub fn completions(arguments: &Completions, mut line: clap::Command) -> Result<Exit, CommandError> {
    let mut text = Vec::new();
    clap_complete::generate(arguments.shell, &mut line, "skyforge", &mut text);
    say(String::from_utf8_lossy(&text).trim_end())?;
    Ok(Exit::Done)
}

/// Prints the manual page of `line`, or writes those of all its commands.
pub fn man(arguments: &Man, line: clap::Command) -> Result<Exit, CommandError> {
    if let Some(folder) = &arguments.out {
        files::expect_folder(folder, "a folder for the pages").map_err(CommandError::io(folder))?;
        clap_mangen::generate_to(line, folder).map_err(CommandError::io(folder))?;
    } else {
        let mut text = Vec::new();
        clap_mangen::Man::new(line).render(&mut text).map_err(CommandError::io("stdout"))?;
        say(String::from_utf8_lossy(&text).trim_end())?;
    }
    Ok(Exit::Done)
}
