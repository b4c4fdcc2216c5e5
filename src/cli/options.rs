//! Options that several commands have.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::app::apply::LedgerRequest;
use crate::app::fit_settings::{self, FitRequest};
use crate::app::train::minutes;
use crate::app::trained;

/// Checkpoint and weights of a run.
#[derive(Debug, Args)]
pub struct WhichArguments {
    /// Checkpoint to use: a name, e.g. step-0001000, or best, the one with the best validation score [default:
    /// newest intact checkpoint]
    #[arg(long)]
    checkpoint: Option<String>,
    /// Weights of the networks to use
    #[arg(long, value_enum, default_value_t = Weights::Auto)]
    weights: Weights,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Weights {
    /// ema if the checkpoint contains averaged weights, else live
    Auto,
    /// Exponential moving average over training steps
    Ema,
    /// Weights of the training step, without averaging
    Live,
}

impl WhichArguments {
    /// Converts the arguments to a request of `app`.
    pub fn request(self) -> trained::Which {
        let weights = match self.weights {
            Weights::Auto => trained::Weights::Auto,
            Weights::Ema => trained::Weights::Ema,
            Weights::Live => trained::Weights::Live,
        };
        trained::Which { checkpoint: self.checkpoint, weights }
    }
}

/// Options of commands that can divide their records among the workers of a ledger.
#[derive(Debug, Args)]
pub struct LedgerArguments {
    /// Ledger folder: process records together with other workers and write results there instead of to --out;
    /// `skyforge ledger merge` writes the output
    #[arg(long, value_name = "LEDGER", conflicts_with = "out")]
    ledger: Option<PathBuf>,
    /// Records per block of the ledger [default: 1024; retrieve: 256; inpaint: 256 spectra or 16 maps]
    #[arg(long, requires = "ledger", value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    objects_per_block: Option<u64>,
    /// Leave the ledger after this many minutes, as on SIGTERM; the exit code is 75 if work is left
    #[arg(long, value_name = "MINUTES", value_parser = minutes, requires = "ledger")]
    max_wall: Option<f64>,
}

impl LedgerArguments {
    /// Converts the arguments to a request of `app`.
    pub fn request(self) -> LedgerRequest {
        let Self { ledger, objects_per_block, max_wall } = self;
        LedgerRequest { ledger, objects_per_block, max_wall }
    }
}

/// Options of commands that fit latent vectors.
#[derive(Debug, Args)]
pub struct FitArguments {
    /// Settings of the fits, which --set can change
    #[arg(long, value_enum, default_value_t = Preset::Skyforge)]
    preset: Preset,
    /// Set a value of the fits, e.g. restarts=64; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Preset {
    /// Start from the latent vector of the embedder, if the run has one; minimise chi-square (spectra) or squared
    /// differences (maps)
    Skyforge,
    /// Published procedure of ExoGAN: 64 restarts from noise, 1001 iterations each, sum of absolute differences
    Exogan,
}

impl FitArguments {
    /// Converts the arguments to a request of `app`.
    pub fn request(self) -> FitRequest {
        let preset = match self.preset {
            Preset::Skyforge => fit_settings::Preset::Skyforge,
            Preset::Exogan => fit_settings::Preset::Exogan,
        };
        FitRequest { preset, sets: self.sets }
    }
}
