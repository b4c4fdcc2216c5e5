//! Options that several commands have.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::app::apply::LedgerRequest;
use crate::app::fit_settings::{self, FitRequest};
use crate::app::train::minutes;
use crate::app::trained;

/// Which checkpoint and weights of a run.
#[derive(Debug, Args)]
pub struct WhichArguments {
    /// Which checkpoint, as in step-0001000, or best: that of the best measured score; the newest whole one where it
    /// is not given
    #[arg(long)]
    checkpoint: Option<String>,
    /// Which of the networks' weights
    #[arg(long, value_enum, default_value_t = Weights::Auto)]
    weights: Weights,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Weights {
    /// Averaged ones where the run kept them
    Auto,
    /// Averaged over the steps
    Ema,
    /// As they were at the step
    Live,
}

impl WhichArguments {
    /// Without clap.
    pub fn request(self) -> trained::Which {
        let weights = match self.weights {
            Weights::Auto => trained::Weights::Auto,
            Weights::Ema => trained::Weights::Ema,
            Weights::Live => trained::Weights::Live,
        };
        trained::Which { checkpoint: self.checkpoint, weights }
    }
}

/// Options of commands that can share their records out over a ledger.
#[derive(Debug, Args)]
pub struct LedgerArguments {
    /// Works on this ledger instead, with any other workers, and writes no result: `ledger merge` does
    #[arg(long, value_name = "LEDGER", conflicts_with = "out")]
    ledger: Option<PathBuf>,
    /// Objects of a block of the ledger; where it is not given 256 spectra or 16 maps that are fitted, 1024 of what is not
    /// fitted
    #[arg(long, requires = "ledger", value_parser = clap::value_parser!(u64).range(1..=1 << 20))]
    objects_per_block: Option<u64>,
    /// Leaves the ledger by itself after so many minutes, as a signal would
    #[arg(long, value_name = "MINUTES", value_parser = minutes, requires = "ledger")]
    max_wall: Option<f64>,
}

impl LedgerArguments {
    /// Without clap.
    pub fn request(self) -> LedgerRequest {
        let Self { ledger, objects_per_block, max_wall } = self;
        LedgerRequest { ledger, objects_per_block, max_wall }
    }
}

/// Options of commands that fit latent vectors.
#[derive(Debug, Args)]
pub struct FitArguments {
    /// How fits are made
    #[arg(long, value_enum, default_value_t = Preset::Skyforge)]
    preset: Preset,
    /// Sets a value of the fit, as in restarts=64; may be given again
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Preset {
    /// From the embedder's latent vector, where the run has one, by chi-square
    Skyforge,
    /// As ExoGAN does it: 64 restarts from noise, 1001 iterations each, the sum of absolute differences
    Exogan,
}

impl FitArguments {
    /// Without clap.
    pub fn request(self) -> FitRequest {
        let preset = match self.preset {
            Preset::Skyforge => fit_settings::Preset::Skyforge,
            Preset::Exogan => fit_settings::Preset::Exogan,
        };
        FitRequest { preset, sets: self.sets }
    }
}
