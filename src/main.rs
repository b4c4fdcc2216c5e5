//! The one binary: reads the command line, runs a verb, ends with an exit code.

use clap::{CommandFactory, Parser};
use skyforge::cli::Cli;
use skyforge::{app, pages};

fn main() {
    pages::keep();
    let code = match Cli::try_parse() {
        Ok(cli) => cli.verb.run(),
        Err(error) => app::refuse(&error, Cli::command()),
    };
    // Everything with a destructor, MPI among it, is gone by now.
    std::process::exit(code as i32);
}
