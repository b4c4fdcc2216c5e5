//! Arguments of `skyforge retrieve`.

use std::ops::Range;
use std::path::PathBuf;

use clap::Args;

use super::options::{FitArguments, LedgerArguments, WhichArguments};
use crate::app::retrieve::{CALIBRATION_SPECTRA, Request};

/// Retrieve the parameters of atmospheres from spectra.
///
/// A latent vector is fitted to each spectrum, in several restarts: the first fits the spectrum as it was observed, each other one
/// a draw from its errors. The generator makes the parameters beside the spectrum. A restart weighs by its likelihood, in which
/// the variance of the generator is added to that of the errors. --calibrate measures that variance on simulated spectra that
/// the run has not learned from; it also measures by how much medians must be moved and how wide intervals must be. TABLE
/// gets a row an object, NAME.samples.parquet beside it a row a sample.
///
/// With --ledger any number of workers share the objects: ranks, processes, tasks of an array. The same command joins the work or
/// goes on with it; `skyforge ledger merge LEDGER --out TABLE` writes the table.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  mpirun -n 2 skyforge retrieve runs/exogan data/planets --calibrate data/held_back
  skyforge retrieve runs/exogan data/planet --mask hst-wfc3 --calibrate data/held_back --out planet.parquet

Keys of --set: restarts, iterations, patience, tolerance, learning_rate, beta1, beta2, half_life, loss (l1, l2, chi_square),
perceptual, start (noise, embedder, both), spread, anchor, noise, precision (fp32, bf16), slots, hmc_trajectories, hmc_steps, hmc_step_size")]
pub struct Arguments {
    /// The run folder
    run: PathBuf,
    /// The dataset of spectra, as `ingest spectra` or `simulate spectra` makes it
    spectra: PathBuf,
    /// Where the table goes, Parquet; RUN/retrieval/table.parquet where it is not given
    #[arg(long)]
    out: Option<PathBuf>,
    /// Where the spectra of the best fits go, with medians as their parameters: a dataset folder, which must not hold one yet
    #[arg(long, value_name = "DATASET", conflicts_with = "ledger")]
    fits: Option<PathBuf>,
    /// What is known: parameters (the whole spectrum), wavelengths (0.6-5.3um), hst-wfc3, jwst-nirspec-prism, ariel, a
    /// text file of wavelengths, a parameter that is given (planet_radius), not:..., or several with commas between
    #[arg(long, default_value = "parameters")]
    mask: String,
    #[command(flatten)]
    fit: FitArguments,
    /// Measures the generator's own variance on this dataset of simulated spectra with known parameters, which the run has not
    /// learned from, and keeps it in the run; without it what the run has of these errors is taken
    #[arg(long, value_name = "DATASET")]
    calibrate: Option<PathBuf>,
    /// Of which so many are taken: the more, the nearer medians come; from 4096 on networks learn how far off they are
    #[arg(long, default_value_t = CALIBRATION_SPECTRA, value_parser = clap::value_parser!(u64).range(16..))]
    calibration_count: u64,
    /// Of the first so many of these all restarts are made, for the generator's variance and the intervals; of the others one, for the
    /// medians
    #[arg(long, value_name = "COUNT", default_value_t = CALIBRATION_SPECTRA, value_parser = clap::value_parser!(u64).range(16..))]
    calibration_intervals: u64,
    /// Leaves medians where the generator has them; else a calibration also measures how far off they are, by what is left of the
    /// spectrum, and moves them
    #[arg(long)]
    no_adjustment: bool,
    /// Objects of the dataset, as in 0..100; all where it is not given
    #[arg(long, value_name = "FROM..TO", value_parser = records)]
    records: Option<Range<u64>>,
    #[command(flatten)]
    workers: LedgerArguments,
    /// Objects at the head of the table that the report shows
    #[arg(long, default_value_t = 4, conflicts_with = "ledger")]
    examples: u64,
    /// All chance follows from it
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: u64,
    #[command(flatten)]
    which: WhichArguments,
}

impl Arguments {
    /// Without clap.
    pub fn request(self) -> Request {
        let Self { run, spectra, out, fits, mask, fit, calibrate, calibration_count, calibration_intervals, .. } = self;
        Request {
            run,
            spectra,
            out,
            fits,
            mask,
            fit: fit.request(),
            calibrate,
            calibration_count,
            calibration_intervals,
            adjust: !self.no_adjustment,
            records: self.records,
            workers: self.workers.request(),
            examples: self.examples,
            seed: self.seed,
            which: self.which.request(),
        }
    }
}

fn records(text: &str) -> Result<Range<u64>, String> {
    let wanted = || "expected FROM..TO, as in 0..100".to_owned();
    let (from, to) = text.split_once("..").ok_or_else(wanted)?;
    let number = |text: &str| text.trim().parse::<u64>().map_err(|_| wanted());
    let range = number(from)?..number(to)?;
    if range.is_empty() { Err(wanted()) } else { Ok(range) }
}
