//! Settings of latent fits as the command line gives them.

use std::path::Path;

use clap::ValueEnum;

use super::CommandError;
use super::trained::Trained;
use crate::config::{ConfigError, Override, apply};
use crate::family::spectra_gan::fit::exogan_settings;
use crate::infer::latent_fit::{FitSettings, Start};

/// Ready-made settings of a fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Preset {
    /// From the embedder's latent numbers, where the run has one, by chi-square
    Skyforge,
    /// As ExoGAN does it: 64 restarts from noise, 1001 iterations each, the sum of absolute differences
    Exogan,
}

impl Preset {
    /// Its settings, for a run with an embedder or without one.
    pub fn settings(self, has_embedder: bool) -> FitSettings {
        match self {
            Self::Skyforge if has_embedder => FitSettings::default(),
            Self::Skyforge => FitSettings::from_noise(),
            Self::Exogan => exogan_settings(),
        }
    }
}

/// `settings` with what `--set` changes, checked.
pub fn with(settings: &FitSettings, sets: &[String]) -> Result<FitSettings, CommandError> {
    let mut table = toml::Table::try_from(settings).expect("settings are a table");
    for set in sets {
        apply(&mut table, &Override::given_with("--set", set)?)?;
    }
    let settings: FitSettings = crate::config::read(toml::Value::Table(table)).map_err(CommandError::Usage)?;
    match settings.fault() {
        None => Ok(settings),
        Some((key, value, wanted)) => Err(ConfigError::Value { key: key.into(), value, wanted: wanted.into() }.into()),
    }
}

/// Whether the run has the embedder from which fits are to begin.
pub fn check_start(settings: &FitSettings, trained: &Trained, run: &Path) -> Result<(), CommandError> {
    if settings.start == Start::Noise || trained.facts.has_embedder() {
        return Ok(());
    }
    let run = run.display();
    Err(CommandError::Usage(format!("{run} has no embedder, expected start=noise, or a run with [family.embedder]")))
}
