//! How a run ended, for scripts: launchers lose exit codes.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::exit::Exit;
use crate::files;

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Under way, or killed without a chance to say so.
    Running,
    /// All steps made.
    Done,
    /// Stopped early on request; goes on when it is started again.
    Stopped,
    /// Ended with an error.
    Failed,
}

/// What `RUN/outcome.toml` says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// Where it stands.
    pub status: Status,
    /// Exit code of the program; none while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<u8>,
    /// Steps made.
    pub step: u64,
    /// Steps wanted.
    pub steps: u64,
    /// Why it ended, where it is not done.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The newest checkpoint.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub checkpoint: String,
    /// Its checksum: equal training, equal number.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub checksum: String,
    /// Seconds since this start of the program.
    pub seconds: f64,
    /// Records a second over this start.
    pub samples_per_second: f64,
}

impl Outcome {
    /// Writes `RUN/outcome.toml`.
    pub fn write(&self, run: &Path) -> io::Result<()> {
        let text = toml::to_string(self).expect("an outcome is a table");
        files::write_whole(&run.join("outcome.toml"), text.as_bytes())
    }

    /// Says in a run that has an outcome already that it failed to go on. The error itself is what the caller tells.
    pub fn fail(run: &Path, exit: Exit, reason: &str) {
        if let Some(known) = Self::read(run) {
            let reason = reason.to_owned();
            let failed = Self { status: Status::Failed, exit_code: Some(exit as u8), reason, ..known };
            let _ = failed.write(run);
        }
    }

    /// Reads `RUN/outcome.toml`, if it is there and readable.
    pub fn read(run: &Path) -> Option<Self> {
        toml::from_str(&std::fs::read_to_string(run.join("outcome.toml")).ok()?).ok()
    }
}
