//! Arguments of `skyforge inpaint`.

use std::path::PathBuf;

use clap::Args;

use super::options::{FitArguments, LedgerArguments, WhichArguments};
use crate::app::inpaint::Request;

/// Fill what is not known of maps or spectra.
///
/// A latent vector is fitted to what is known of each record, in several restarts; the one that agrees best fills the rest. OUT
/// has the records of DATASET in their order, with their ids. What is known stays as it was, to the bit. Spectra are whole
/// and have the parameters of their atmospheres, found where the mask does not give them. The log says how far filled values
/// are from those that DATASET has there, and how far the mean of what is known would be.
///
/// With --ledger any number of workers share the records: ranks, processes, tasks of an array. The same command joins the work or
/// goes on with it; `skyforge ledger merge LEDGER --out OUT` writes the dataset.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  mpirun -n 2 skyforge inpaint runs/maps data/maps --mask center --out data/filled
  skyforge inpaint runs/exogan data/planets --mask not:1.3-1.5um --out data/whole
  skyforge inpaint runs/maps data/maps --mask left --ledger ledgers/maps

Keys of --set: restarts, iterations, patience, tolerance, learning_rate, beta1, beta2, half_life, loss (l1, l2; chi_square of
spectra), perceptual, start (noise, embedder, both), spread, anchor, noise, precision (fp32, bf16), slots, hmc_trajectories, hmc_steps, hmc_step_size")]
pub struct Arguments {
    /// The run folder
    run: PathBuf,
    /// The dataset of maps or spectra
    dataset: PathBuf,
    /// Of maps, what is to be filled: center, left, random:0.2, grid:4, rows:10-20,columns:5-30, or not:... for the rest; of
    /// spectra, what is known, as `retrieve` has it
    #[arg(long)]
    mask: String,
    /// The dataset folder, which must not hold one yet
    #[arg(long, required_unless_present = "ledger")]
    out: Option<PathBuf>,
    #[command(flatten)]
    fit: FitArguments,
    #[command(flatten)]
    workers: LedgerArguments,
    /// All chance follows from it
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: u64,
    #[command(flatten)]
    which: WhichArguments,
}

impl Arguments {
    /// Without clap.
    pub fn request(self) -> Request {
        let Self { run, dataset, mask, out, fit, workers, seed, which } = self;
        let (fit, workers, which) = (fit.request(), workers.request(), which.request());
        Request { run, dataset, mask, out, fit, workers, seed, which }
    }
}
