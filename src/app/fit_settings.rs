//! Settings of latent fits as a user gives them.

use std::path::Path;

use super::CommandError;
use super::trained::Trained;
use crate::config::{ConfigError, Override, apply};
use crate::family::spectra_gan::fit::exogan_settings;
use crate::infer::latent_fit::{FitSettings, Start};

/// What is asked of fits.
#[derive(Clone, Debug)]
pub struct FitRequest {
    /// The settings from which they start.
    pub preset: Preset,
    /// Values that are set, as `KEY=VALUE`.
    pub sets: Vec<String>,
}

/// Ready-made settings of a fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// From the embedder's latent vector, where the run has one, by chi-square.
    Skyforge,
    /// As ExoGAN does it: 64 restarts from noise, 1001 iterations each, the sum of absolute differences.
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

impl FitRequest {
    /// The settings for `trained`, the run in `run`.
    pub fn settings(&self, trained: &Trained, run: &Path) -> Result<FitSettings, CommandError> {
        self.settings_from(&self.preset.settings(trained.facts.has_embedder()), trained, run)
    }

    /// The same from other settings than those of the preset.
    pub fn settings_from(
        &self,
        preset: &FitSettings,
        trained: &Trained,
        run: &Path,
    ) -> Result<FitSettings, CommandError> {
        let settings = with(preset, &self.sets)?;
        if settings.start == Start::Noise || trained.facts.has_embedder() {
            return Ok(settings);
        }
        let run = run.display();
        Err(CommandError::Usage(format!(
            "{run} has no embedder, expected start=noise, or a run with [family.embedder]"
        )))
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
