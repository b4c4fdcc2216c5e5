//! The command line.

mod evaluate;
mod report;

use clap::{CommandFactory, Parser, Subcommand};

use crate::app::{
    self, bench, doctor, ingest, inpaint, inspect, ledger, retrieve, sample, simulate, stacks, status, submit, train,
    words,
};
use crate::exit::Exit;

/// Trains generative models of the sky on a supercomputer and puts them to work on whole catalogues.
///
/// Results go to stdout, logs to stderr. Under mpirun or srun, simulate, ingest, train, sample, retrieve, inpaint and bench
/// share their work out over the ranks, doctor looks at all of them. The other commands need no MPI; evaluate, report, submit and ledger run in the first of several tasks only.
#[derive(Debug, Parser)]
#[command(
    name = "skyforge",
    version,
    max_term_width = 110,
    propagate_version = true,
    after_help = "Example:
  mpirun -n 2 skyforge simulate maps --out data/maps --count 8192
  mpirun -n 2 skyforge train configs/small_mass_maps.toml --run runs/maps --data data/maps
  skyforge sample runs/maps --count 1024
  skyforge evaluate runs/maps --against data/maps
  skyforge report runs/maps"
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Make a dataset of a built-in sky.
    #[command(
        subcommand,
        after_help = "Example:
  mpirun -n 2 skyforge simulate maps --out data/maps --count 8192"
    )]
    Simulate(simulate::What),
    /// Make a dataset of maps or spectra that are there.
    #[command(
        subcommand,
        after_help = "Example:
  mpirun -n 2 skyforge ingest maps kappa_*.fits --out data/kappa
  skyforge ingest spectra planet.dat --out data/planet --grid exogan --wavelength-unit um --depth-unit fraction"
    )]
    Ingest(ingest::What),
    /// Say what a dataset, a shard, a table, a checkpoint or a run is, and whether it is whole.
    Inspect(inspect::Arguments),
    /// Train a model; resumes from the newest checkpoint in RUN.
    Train(train::Arguments),
    /// Draw new records from a trained generator.
    Sample(sample::Arguments),
    /// Retrieve the parameters of atmospheres from spectra.
    Retrieve(retrieve::Arguments),
    /// Look after a ledger, the folder of work that many workers share: show its progress, retry what failed, merge its results.
    #[command(
        subcommand,
        after_help = "Example:
  skyforge ledger status runs/planets/ledger
  skyforge ledger retry --failed runs/planets/ledger
  skyforge ledger merge runs/planets/ledger --out planets.parquet"
    )]
    Ledger(ledger::What),
    /// Fill what is not known of maps or spectra.
    Inpaint(inpaint::Arguments),
    /// Compare records, or retrieved parameters, with a reference.
    Evaluate(evaluate::Arguments),
    /// Write a run's report.html.
    Report(report::Arguments),
    /// Hand a campaign to SLURM: its stages as batch jobs that follow one another.
    Submit(submit::Arguments),
    /// Say how far a campaign, a run or a ledger is.
    Status(status::Arguments),
    /// Time a part of the work on these ranks.
    #[command(
        subcommand,
        after_help = "Example:
  mpirun -n 2 skyforge bench step"
    )]
    Bench(bench::Kind),
    /// Check what a run needs, on all ranks.
    Doctor(doctor::Arguments),
    /// Read HDF5 files in a process that may die of it.
    #[command(hide = true)]
    TryStacks(stacks::Arguments),
    /// Print completions for a shell.
    Completions(words::CompletionArguments),
    /// Print the manual page, or write one for each verb.
    Man(words::ManArguments),
}

impl Verb {
    /// Runs the command in this process and returns how the program ends.
    pub fn run(&self) -> Exit {
        use app::{run, run_alone, run_in_any_world, run_once};
        match self {
            // These share their work out over ranks.
            Verb::Simulate(what) => run(|session| simulate::run(session, what)),
            Verb::Ingest(ingest::What::Maps(arguments)) => run(|session| ingest::maps(session, arguments)),
            Verb::Ingest(ingest::What::Spectra(arguments)) => run(|session| ingest::spectra(session, arguments)),
            Verb::Train(arguments) => run(|session| train::run(session, arguments)),
            Verb::Sample(arguments) => run(|session| sample::run(session, arguments)),
            Verb::Bench(kind) => run(|session| bench::run(session, kind)),
            // Workers of a ledger need not know of each other, and the doctor says what is wrong with a world.
            Verb::Doctor(arguments) => run_in_any_world(|session| doctor::run(session, arguments)),
            Verb::Ledger(ledger::What::Drill(arguments)) => {
                run_in_any_world(|session| ledger::drill(session, arguments))
            }
            Verb::Retrieve(arguments) if arguments.is_for_workers() => {
                run_in_any_world(|session| retrieve::run(session, arguments))
            }
            Verb::Inpaint(arguments) if arguments.is_for_workers() => {
                run_in_any_world(|session| inpaint::run(session, arguments))
            }
            Verb::Retrieve(arguments) => run(|session| retrieve::run(session, arguments)),
            Verb::Inpaint(arguments) => run(|session| inpaint::run(session, arguments)),
            // These need no MPI, whatever the environment says of a launcher. Those that write do so once.
            Verb::Evaluate(arguments) => run_once(|| arguments.run()),
            Verb::Report(arguments) => run_once(|| arguments.run()),
            Verb::Ledger(what) => run_once(|| ledger::run(what)),
            Verb::Submit(arguments) => run_once(|| submit::run(arguments, &Cli::command())),
            Verb::Inspect(arguments) => run_alone(|| inspect::run(arguments)),
            Verb::Status(arguments) => run_alone(|| status::run(arguments)),
            Verb::TryStacks(arguments) => run_alone(|| stacks::run(arguments)),
            Verb::Completions(arguments) => run_alone(|| words::completions(arguments, Cli::command())),
            Verb::Man(arguments) => run_alone(|| words::man(arguments, Cli::command())),
        }
    }
}
