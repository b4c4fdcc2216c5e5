//! What a run is asked to work with: its folder, its configuration and its dataset, as one rank reads them.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::app::CommandError;
use crate::config::RunConfig;
use crate::exit::{Ends, Exit};

/// What a rank would fail with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Failure {
    pub message: String,
    exit: u8,
}

impl Failure {
    pub fn of(error: impl Into<CommandError>) -> Self {
        let error = error.into();
        Self { message: error.to_string(), exit: error.exit() as u8 }
    }

    pub fn exit(&self) -> Exit {
        Exit::from_code(self.exit)
    }
}

/// What was asked for, as this rank reads it.
pub(super) struct Wanted<'a> {
    pub folder: &'a Path,
    pub config_path: Option<&'a Path>,
    pub config: Option<Result<RunConfig, Failure>>,
    pub data: Option<PathBuf>,
}

impl<'a> Wanted<'a> {
    pub fn new(folder: &'a Path, config_path: Option<&'a Path>, data: Option<&Path>) -> Self {
        let config = config_path.map(|path| RunConfig::load(path, &[]).map_err(Failure::of));
        let named = config.as_ref().and_then(|config| config.as_ref().ok()?.sections().data.path.clone());
        Self { folder, config_path, config, data: data.map(Path::to_owned).or(named) }
    }

    pub fn known_config(&self) -> Option<&RunConfig> {
        self.config.as_ref()?.as_ref().ok()
    }
}
