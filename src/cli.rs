//! The command line.

use clap::{Parser, Subcommand};

use crate::command::{self, bench, evaluate, ingest, inspect, report, sample, simulate, train};
use crate::exit::Exit;

/// Trains generative models of the sky on a supercomputer and puts them to work on whole catalogues.
///
/// Results go to stdout, the story to stderr. Under mpirun or srun, simulate, ingest, train, sample and bench share their work
/// out over the ranks; the others work on the first.
#[derive(Debug, Parser)]
#[command(name = "skyforge", version, max_term_width = 110, propagate_version = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Make a dataset of a built-in sky.
    #[command(subcommand)]
    Simulate(simulate::What),
    /// Make a dataset of maps that are there.
    #[command(subcommand)]
    Ingest(ingest::What),
    /// Say what a dataset, a checkpoint or a run is, and whether it is whole.
    Inspect(inspect::Arguments),
    /// Train networks; goes on by itself where the run folder has a checkpoint.
    Train(train::Arguments),
    /// Draw new records from a trained generator.
    Sample(sample::Arguments),
    /// Compare records with a reference.
    Evaluate(evaluate::Arguments),
    /// Write a run's report.html.
    Report(report::Arguments),
    /// Time a part of the work on these ranks.
    #[command(subcommand)]
    Bench(bench::Kind),
}

impl Verb {
    /// Does it on this rank and says how the program ends.
    pub fn run(&self) -> Exit {
        command::run(|session| match self {
            Verb::Simulate(simulate::What::Maps(arguments)) => simulate::maps(session, arguments),
            Verb::Ingest(ingest::What::Maps(arguments)) => ingest::maps(session, arguments),
            Verb::Inspect(arguments) => inspect::run(session, arguments),
            Verb::Train(arguments) => train::run(session, arguments),
            Verb::Sample(arguments) => sample::run(session, arguments),
            Verb::Evaluate(arguments) => evaluate::run(session, arguments),
            Verb::Report(arguments) => report::run(session, arguments),
            Verb::Bench(kind) => bench::run(session, kind),
        })
    }
}
