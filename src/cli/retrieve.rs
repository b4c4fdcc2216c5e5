//! Arguments of `skyforge retrieve`.

use std::ops::Range;
use std::path::PathBuf;

use clap::Args;

use super::options::{FitArguments, LedgerArguments, WhichArguments};
use crate::app::retrieve::{CALIBRATION_SPECTRA, Request};

/// Retrieve atmospheric parameters from spectra.
///
/// A latent vector is fitted to each spectrum in several restarts, each to the spectrum plus its own draw of noise from the
/// errors; in a run with an embedder the first restart fits the observed spectrum itself. The generator yields the
/// parameters together with the spectrum. Restarts are weighted by their likelihood; its variance is that of the errors
/// plus that of the generator. --calibrate measures the variance of the generator on simulated spectra that were not used
/// in training, and also the corrections of medians and of the widths of intervals. The table contains one row per
/// object, NAME.samples.parquet beside it one row per sample.
///
/// With --ledger, any number of workers (MPI ranks, processes, tasks of a job array) share the objects. The same
/// command joins the work or resumes it; `skyforge ledger merge LEDGER --out TABLE` writes the table.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mpirun -n 2 skyforge retrieve runs/exogan data/planets \\
      --calibrate data/held_back
  skyforge retrieve runs/exogan data/planet --mask hst-wfc3 \\
      --calibrate data/held_back --out planet.parquet
  skyforge retrieve runs/exogan data/planet --offsets hst-wfc3=300 \\
      --calibrate data/held_back

Keys of --set (docs/configuration.md):
  restarts, iterations, patience, tolerance, learning_rate, beta1, beta2,
  half_life, loss (l1, l2, or chi_square for spectra), perceptual,
  start (noise, embedder, both), spread, anchor, noise, precision (fp32, bf16),
  slots, hmc_trajectories, hmc_steps, hmc_step_size")]
pub struct Arguments {
    /// Run folder
    run: PathBuf,
    /// Dataset of spectra, written by `skyforge ingest spectra` or `skyforge simulate spectra`
    spectra: PathBuf,
    /// Output table, Parquet [default: RUN/retrieval/table.parquet]
    #[arg(long)]
    out: Option<PathBuf>,
    /// Dataset folder for the best-fit spectra, with medians as their parameters; must not already contain a dataset
    #[arg(long, value_name = "DATASET", conflicts_with = "ledger")]
    fits: Option<PathBuf>,
    /// Known part of each spectrum: parameters (the whole spectrum; all parameters are retrieved), wavelengths
    /// (0.6-5.3um), an instrument (hst-wfc3, jwst-nirspec-prism, ariel), a text file of wavelengths, a parameter that
    /// is given (e.g. planet_radius), not:... for wavelengths to leave out, or several of these separated by commas
    #[arg(long, default_value = "parameters")]
    mask: String,
    /// Additive offset of the depths of these wavelengths, unknown up to a normal prior of this standard deviation in
    /// ppm, e.g. hst-wfc3=300 or 2.9-5.2um=200 (wavelengths as in --mask); marginalised in chi-square, and reported in
    /// columns offset_INSTRUMENT; all other wavelengths have no offset; may be repeated, without common wavelengths
    #[arg(long, value_name = "INSTRUMENT=SIGMA")]
    offsets: Vec<String>,
    #[command(flatten)]
    fit: FitArguments,
    /// Calibrate the generator on this dataset of simulated spectra with known parameters, not used in training, and
    /// store the calibration in RUN [default: calibration stored in RUN for the same errors, mask and settings, if any]
    #[arg(long, value_name = "DATASET")]
    calibrate: Option<PathBuf>,
    /// Number of spectra of the calibration; more spectra give more accurate medians, and from 4096 on neural networks
    /// may replace the linear regression that corrects them
    #[arg(long, default_value_t = CALIBRATION_SPECTRA, value_parser = clap::value_parser!(u64).range(16..))]
    calibration_count: u64,
    /// Number of spectra of the calibration that are fitted with all restarts, for the variance of the generator and
    /// the widths of intervals; the others are fitted with one restart, for the correction of medians
    #[arg(long, value_name = "COUNT", default_value_t = CALIBRATION_SPECTRA, value_parser = clap::value_parser!(u64).range(16..))]
    calibration_intervals: u64,
    /// Do not correct medians; without this option a calibration measures their deviation, by regression on the
    /// residuals of the fit, and corrects it
    #[arg(long)]
    no_adjustment: bool,
    /// Range of objects of the dataset, from 0 and without the end, e.g. 0..100 [default: all]
    #[arg(long, value_name = "FROM..TO", value_parser = records)]
    records: Option<Range<u64>>,
    #[command(flatten)]
    workers: LedgerArguments,
    /// Number of objects, from the first of the table, that the report shows
    #[arg(long, default_value_t = 4, conflicts_with = "ledger")]
    examples: u64,
    /// Seed of all random numbers
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: u64,
    #[command(flatten)]
    which: WhichArguments,
}

impl Arguments {
    /// Converts the arguments to a request of `app`.
    pub fn request(self) -> Request {
        let Self { run, spectra, out, fits, mask, fit, calibrate, calibration_count, calibration_intervals, .. } = self;
        Request {
            run,
            spectra,
            out,
            fits,
            mask,
            offsets: self.offsets,
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
