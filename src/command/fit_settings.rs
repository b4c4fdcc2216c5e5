//! Settings of latent fits as the command line gives them.

use std::path::Path;

use super::CommandError;
use super::trained::Trained;
use crate::config::{ConfigError, Override, apply};
use crate::inference::latent_fit::{FitSettings, Start};

/// `settings` with what `--set` changes, checked.
pub fn with(settings: FitSettings, sets: &[String]) -> Result<FitSettings, CommandError> {
    let mut table = toml::Table::try_from(&settings).expect("settings are a table");
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
    if settings.start == Start::Noise || trained.facts.embedder.is_some() {
        return Ok(());
    }
    let run = run.display();
    Err(CommandError::Usage(format!("{run} has no embedder, expected start=noise, or a run with [objective.embedder]")))
}
