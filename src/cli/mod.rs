//! The command line, parsed by clap: arguments of each command, help, completions, manual pages.
//!
//! The arguments of a command are converted to a request to `app`, which does not depend on clap.

mod bench;
mod doctor;
mod embed;
mod evaluate;
mod ingest;
mod inpaint;
mod inspect;
mod ledger;
mod predict;
mod report;
mod restore;
mod retrieve;
mod sample;
mod shell;
mod simulate;
mod status;
mod submit;
mod train;
mod try_stacks;

mod help;
mod one_of;
mod options;
mod refusal;
mod stage;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

pub use help::GROUPS;

use crate::app::columns::Numbers;
use crate::app::{self, CommandError, Session, columns};
use crate::app::{run_alone, run_in_any_world, run_on_ranks, run_once};
use crate::exit::Exit;

/// Train generative models of the sky on a supercomputer, and apply them to catalogues.
///
/// Results go to stdout, logs to stderr. Under mpirun or srun the commands simulate, ingest, train, sample, retrieve,
/// inpaint, embed, predict, restore and bench divide their work among the ranks, and doctor checks all ranks. The other
/// commands do not use MPI; if a launcher starts several tasks of evaluate, report, submit or ledger, only the first
/// one runs it.
#[derive(Debug, Parser)]
#[command(
    name = "skyforge",
    version,
    max_term_width = 110,
    propagate_version = true,
    after_help = help::examples_and_exit_codes()
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(subcommand)]
    Simulate(simulate::Arguments),
    #[command(subcommand)]
    Ingest(ingest::Arguments),
    Inspect(inspect::Arguments),

    Train(train::Arguments),

    Sample(sample::Arguments),
    Retrieve(retrieve::Arguments),
    Inpaint(inpaint::Arguments),
    Embed(embed::Arguments),
    Predict(predict::Arguments),
    Restore(restore::Arguments),

    Evaluate(evaluate::Arguments),
    Report(report::Arguments),

    Submit(submit::Arguments),
    Status(status::Arguments),
    #[command(subcommand)]
    Ledger(ledger::Arguments),
    Doctor(doctor::Arguments),
    #[command(subcommand)]
    Bench(bench::Arguments),
    Completions(shell::Completions),
    Man(shell::Man),

    #[command(hide = true)]
    TryStacks(try_stacks::Arguments),
}

/// The command line as clap knows it, with the commands of its help in groups.
pub fn command() -> clap::Command {
    let line = Cli::command();
    let template = help::template(&line);
    line.help_template(template)
}

/// Runs the command that this process was started with and returns how the program ends.
pub fn run() -> Exit {
    let parsed = command().try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches));
    match parsed {
        Ok(cli) => cli.command.run(),
        Err(error) => refusal::refuse(&error, command()),
    }
}

impl Command {
    fn run(self) -> Exit {
        match self {
            // These divide their work among the ranks.
            Self::Simulate(arguments) => {
                let sky = arguments.sky();
                run_on_ranks(|session| app::simulate::run(session, &sky))
            }
            Self::Ingest(arguments) => arguments.run(),
            Self::Train(arguments) => {
                let request = arguments.request();
                run_on_ranks(|session| app::train::run(session, &request))
            }
            Self::Sample(arguments) => {
                let request = arguments.request();
                run_on_ranks(|session| app::sample::run(session, &request))
            }
            Self::Bench(arguments) => arguments.run(),
            // Workers of a ledger need no MPI world, and doctor reports what is wrong with one.
            Self::Doctor(arguments) => {
                let request = arguments.request();
                run_in_any_world(|session| app::doctor::run(session, &request))
            }
            Self::Embed(arguments) => {
                let request = arguments.request();
                apply(request.workers.is_for_workers(), |session| columns::run(session, &request, Numbers::Features))
            }
            Self::Predict(arguments) => {
                let request = arguments.request();
                apply(request.workers.is_for_workers(), |session| columns::run(session, &request, Numbers::Predictions))
            }
            Self::Restore(arguments) => {
                let request = arguments.request();
                apply(request.workers.is_for_workers(), |session| app::restore::run(session, &request))
            }
            Self::Retrieve(arguments) => {
                let request = arguments.request();
                apply(request.is_for_workers(), |session| app::retrieve::run(session, &request))
            }
            Self::Inpaint(arguments) => {
                let request = arguments.request();
                apply(request.workers.is_for_workers(), |session| app::inpaint::run(session, &request))
            }
            // These do not use MPI, even under a launcher. Those that write files run in the first task only.
            Self::Evaluate(arguments) => {
                let request = arguments.request();
                run_once(|| app::evaluate::run(&request))
            }
            Self::Report(report::Arguments { run, out }) => run_once(|| app::report::run(&run, out.as_deref())),
            Self::Ledger(arguments) => arguments.run(),
            Self::Submit(arguments) => run_once(|| app::submit::run(&arguments.request(), &stage::read)),
            Self::Inspect(arguments) => {
                let (path, look) = arguments.look();
                run_alone(|| app::inspect::run(&path, &look))
            }
            Self::Status(status::Arguments { path, once, json }) => run_alone(|| app::status::run(&path, once, json)),
            Self::TryStacks(try_stacks::Arguments { dataset, spectra, inputs }) => {
                run_alone(|| app::stacks::run(&inputs, dataset, spectra.as_deref()))
            }
            Self::Completions(arguments) => run_alone(|| shell::completions(&arguments, command())),
            Self::Man(arguments) => run_alone(|| shell::man(&arguments, command())),
        }
    }
}

/// Runs a command on many records: on all ranks, or as independent workers of a ledger.
fn apply(is_for_workers: bool, command: impl FnOnce(&Session) -> Result<Exit, CommandError>) -> Exit {
    if is_for_workers { run_in_any_world(command) } else { run_on_ranks(command) }
}
