//! From what a TOML file says to what the program sees.
//!
//! Settings live beside the thing they set; this room holds their sections together, refuses unknown keys, applies
//! `--set a.b=c`, and checks what no section can check alone.

mod description;
mod optimizer;
mod overrides;
pub mod reference;
mod run_file;

use std::path::{Path, PathBuf};

use serde::Serialize;

pub use description::{DatasetDescription, DeviceKind, RunDescription};
pub use optimizer::{NetworkOptimizer, OptimizerSection};
pub use overrides::{Override, apply};
pub use run_file::{BatchSection, DataSection, Reduction, RunFile, TrainerSection, ValidationSection};

use crate::data::split::VALIDATION;
use crate::device::Choice;
use crate::exit::{Ends, Exit};
use crate::family::{FamilySettings, ReadSettings, SettingFault};
use crate::files;
use crate::one_line;
use crate::optim::AdamSettings;
use crate::train::{Cut, Score};

/// What is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is no TOML, or not the TOML that is wanted.
    #[error("{}: {fault}", path.display())]
    Text {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what was wanted.
        fault: String,
    },
    /// A value that cannot be.
    #[error("`{key}` is {value}, expected {wanted}")]
    Value {
        /// Its full name.
        key: String,
        /// What it is.
        value: String,
        /// What was wanted.
        wanted: String,
    },
    /// A `--set`, or an option like it, that cannot be read.
    #[error("{option} {argument}: {fault}")]
    Override {
        /// Which option.
        option: &'static str,
        /// As it was given.
        argument: String,
        /// What is wrong, and what was wanted.
        fault: String,
    },
}

impl Ends for ConfigError {
    fn exit(&self) -> Exit {
        match self {
            ConfigError::Io { .. } => Exit::FileSystem,
            ConfigError::Text { .. } | ConfigError::Value { .. } | ConfigError::Override { .. } => Exit::Usage,
        }
    }
}

/// A checked training configuration, every value explicit.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct RunConfig {
    file: RunFile,
}

impl RunConfig {
    /// Reads `path`, applies `sets` (`a.b=c`) in order, and checks the whole.
    pub fn load(path: &Path, sets: &[Override]) -> Result<Self, ConfigError> {
        let there = files::expect_file(path, "a configuration, TOML");
        let text = there.and_then(|()| std::fs::read_to_string(path)).map_err(|source| match source.kind() {
            std::io::ErrorKind::InvalidData => {
                ConfigError::Text { path: path.to_owned(), fault: "is no text, expected TOML".into() }
            }
            _ => ConfigError::Io { path: path.to_owned(), source },
        })?;
        Self::parse(path, &text, sets)
    }

    /// The same for a text that was read from `path`.
    pub fn parse(path: &Path, text: &str, sets: &[Override]) -> Result<Self, ConfigError> {
        let wrong = |fault: String| ConfigError::Text { path: path.to_owned(), fault };
        let mut table: toml::Table =
            text.parse().map_err(|error: toml::de::Error| wrong(one_line::toml(&error, text)))?;
        for set in sets {
            apply(&mut table, set)?;
            // A length set by hand takes the place of the file's, in whichever unit that is.
            let replaced = match set.key().as_str() {
                "trainer.steps" => "epochs",
                "trainer.epochs" => "steps",
                _ => continue,
            };
            if let Some(toml::Value::Table(trainer)) = table.get_mut("trainer") {
                trainer.remove(replaced);
            }
        }
        let kind = take_kind(&mut table)?;
        let read = FamilySettings::read(&kind, FileReader { table, sets }).expect("the kind is a known one");
        let mut file = read.map_err(|fault| match fault {
            FileFault::Set(error) => error,
            FileFault::File(fault) => wrong(fault),
        })?;
        let first = file.family.scores().first();
        file.validation.best = file.validation.best.or(first.map(|score| score.name.to_owned()));
        let config = Self { file };
        config.check()?;
        Ok(config)
    }

    /// The sections.
    pub fn sections(&self) -> &RunFile {
        &self.file
    }

    /// Every value, as TOML that can be read again.
    pub fn to_toml(&self) -> String {
        toml::to_string(&self.file).expect("a configuration is a table")
    }

    /// How a global batch is cut.
    pub fn cut(&self) -> Cut {
        Cut { global: self.file.batch.global, microbatches: self.file.batch.microbatches }
    }

    /// The score by which the best checkpoint is chosen, if the family has any.
    pub fn best(&self) -> Option<Score> {
        let name = self.file.validation.best.as_ref()?;
        self.file.family.scores().iter().find(|score| score.name == name).copied()
    }

    /// The names of the networks.
    pub fn networks(&self) -> &'static [&'static str] {
        self.file.family.networks()
    }

    /// The Adam of `network`.
    ///
    /// # Panics
    /// Where the family has no such network.
    pub fn adam(&self, network: &str) -> AdamSettings {
        assert!(self.networks().contains(&network), "{} has no network `{network}`", self.file.family.kind());
        self.file.optimizer.of(network)
    }

    /// What no section can check alone.
    fn check(&self) -> Result<(), ConfigError> {
        self.check_batch()?;
        self.file.family.check(self.file.batch.global, self.cut().microbatch())?;
        self.check_trainer()?;
        self.check_validation()?;
        if self.file.data.window_blocks == 0 {
            return value("data.window_blocks", &0, "1 or more");
        }
        self.check_optimizer()
    }

    fn check_batch(&self) -> Result<(), ConfigError> {
        let BatchSection { global, microbatches } = &self.file.batch;
        if *microbatches == 0 || !microbatches.is_power_of_two() {
            return value("batch.microbatches", microbatches, "a power of two");
        }
        if *global == 0 || !global.is_multiple_of(*microbatches) {
            let wanted = format!("a positive multiple of `batch.microbatches`: {microbatches}");
            return value("batch.global", global, &wanted);
        }
        if *global > 1 << 20 {
            return value("batch.global", global, "at most 1048576 records");
        }
        Ok(())
    }

    fn check_trainer(&self) -> Result<(), ConfigError> {
        let trainer = &self.file.trainer;
        match (trainer.steps, trainer.epochs) {
            (Some(_), Some(epochs)) => return value("trainer.epochs", &epochs, "not set, since trainer.steps is"),
            (None, None) => return value("trainer.steps", &"not set", "a number of steps, or trainer.epochs"),
            (Some(0), None) => return value("trainer.steps", &0, "1 or more"),
            (None, Some(epochs)) if !(epochs > 0.0 && epochs.is_finite()) => {
                return value("trainer.epochs", &epochs, "a positive number");
            }
            _ => {}
        }
        if trainer.reduction == Reduction::Nccl && trainer.device == Choice::Cpu {
            return value("trainer.reduction", &"nccl", "\"tree\", since trainer.device is \"cpu\"");
        }
        if trainer.threads_per_rank == 0 {
            return value("trainer.threads_per_rank", &0, "1 or more");
        }
        for (key, every) in [
            ("checkpoint_every", trainer.checkpoint_every),
            ("log_every", trainer.log_every),
            ("compare_every", trainer.compare_every),
        ] {
            if every == 0 {
                return value(&format!("trainer.{key}"), &every, "1 or more steps");
            }
        }
        if !(trainer.hang_seconds > 0.0 && trainer.hang_seconds < 1e9) {
            return value("trainer.hang_seconds", &trainer.hang_seconds, "a positive number of seconds");
        }
        Ok(())
    }

    fn check_optimizer(&self) -> Result<(), ConfigError> {
        let (optimizer, networks) = (&self.file.optimizer, self.networks());
        if let Some((key, have, wanted)) = optimizer.fault() {
            return value(&key, &have, wanted);
        }
        if let Some(unknown) = optimizer.network.keys().find(|name| !networks.contains(&name.as_str())) {
            let wanted = format!("a network of {}: {}", self.file.family.kind(), networks.join(", "));
            return value(&format!("optimizer.network.{unknown}"), &"set", &wanted);
        }
        Ok(())
    }

    /// What cannot be measured.
    fn check_validation(&self) -> Result<(), ConfigError> {
        let RunFile { validation, data, trainer, family, .. } = &self.file;
        let ValidationSection { every, records, best, targets } = validation;
        if *every > 0 && family.scores().is_empty() {
            let wanted = format!("0, since nothing is measured where `family.kind` is {}", quoted(family.kind()));
            return value("validation.every", every, &wanted);
        }
        if !every.is_multiple_of(trainer.checkpoint_every) {
            let wanted = format!("a multiple of `trainer.checkpoint_every`: {}", trainer.checkpoint_every);
            return value("validation.every", every, &wanted);
        }
        if *every > 0 && data.split == VALIDATION {
            return value("data.split", &quoted(&data.split), "another split, since `validation.every` is not 0");
        }
        if !(2..=1 << 20).contains(records) {
            return value("validation.records", records, "2 to 1048576 records");
        }
        let names: Vec<&str> = family.scores().iter().map(|score| score.name).collect();
        let all: Vec<String> = names.iter().map(|name| quoted(name)).collect();
        let none = format!("not set, since `family.kind` is {}", quoted(family.kind()));
        if let Some(best) = best.as_ref().filter(|_| self.best().is_none()) {
            let wanted = if names.is_empty() { none } else { format!("one of {}", all.join(", ")) };
            return value("validation.best", &quoted(best), &wanted);
        }
        for (name, target) in targets {
            let key = format!("validation.targets.{name}");
            if !names.contains(&name.as_str()) {
                let wanted = match overrides::nearest(name, &names) {
                    Some(meant) => format!("`validation.targets.{meant}`"),
                    None if names.is_empty() => none,
                    None => format!("a target of {}", all.join(" or ")),
                };
                return value(&key, target, &wanted);
            }
            if !(*target > 0.0 && target.is_finite()) {
                return value(&key, target, "a finite number more than 0");
            }
        }
        Ok(())
    }
}

impl From<SettingFault> for ConfigError {
    fn from(SettingFault { key, value, wanted }: SettingFault) -> Self {
        Self::Value { key, value, wanted }
    }
}

/// Reads a whole configuration, whose family is known: errors name the full key.
struct FileReader<'a> {
    table: toml::Table,
    sets: &'a [Override],
}

impl ReadSettings for FileReader<'_> {
    /// An error is that of a `--set`, or says what is wrong with the file.
    type Result = Result<RunFile, FileFault>;

    fn read<T: serde::de::DeserializeOwned>(self, family: fn(T) -> FamilySettings) -> Self::Result {
        let read = serde_path_to_error::deserialize::<_, RunFile<T>>(toml::Value::Table(self.table));
        let file = read.map_err(|error| match overrides::blame(&error, self.sets) {
            Some(error) => FileFault::Set(error),
            None => FileFault::File(overrides::key_and_fault(&error)),
        })?;
        Ok(file.map_family(family))
    }
}

/// What is wrong while a file is read.
enum FileFault {
    /// A `--set`.
    Set(ConfigError),
    /// The file: its key, and why.
    File(String),
}

/// Takes `family.kind` out of a configuration, if it has a family; a kind that there is not is refused.
fn take_kind(table: &mut toml::Table) -> Result<String, ConfigError> {
    let wanted =
        format!("one of {}", FamilySettings::KINDS.iter().map(|kind| quoted(kind)).collect::<Vec<_>>().join(", "));
    let Some(toml::Value::Table(family)) = table.get_mut("family") else {
        return Ok(FamilySettings::KINDS[0].to_owned()); // what is there instead is refused with the rest of the file
    };
    match family.remove("kind") {
        Some(toml::Value::String(kind)) if FamilySettings::KINDS.contains(&kind.as_str()) => Ok(kind),
        Some(kind) => value("family.kind", &kind, &wanted),
        None => value("family.kind", &"not set", &wanted),
    }
}

fn quoted(word: &str) -> String {
    format!("\"{word}\"")
}

/// The value of `key` cannot be.
fn value<T>(key: &str, value: &dyn std::fmt::Display, wanted: &str) -> Result<T, ConfigError> {
    Err(ConfigError::Value { key: key.into(), value: value.to_string(), wanted: wanted.into() })
}

/// Reads settings of any kind out of a table, unknown keys refused; the error says which key and why.
pub fn read<T: serde::de::DeserializeOwned>(value: toml::Value) -> Result<T, String> {
    serde_path_to_error::deserialize(value).map_err(|error| overrides::key_and_fault(&error))
}
