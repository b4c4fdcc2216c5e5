//! From what a TOML file says to what the program sees.
//!
//! Settings live beside the thing they set; this room holds their sections together, refuses unknown keys, applies
//! `--set a.b=c`, and checks what no section can check alone.

mod description;
mod family;
mod optimizer;
mod overrides;
pub mod reference;
mod run_file;

use std::path::{Path, PathBuf};

use serde::Serialize;

pub use description::{DatasetDescription, DeviceKind, RunDescription};
pub use family::{CodecSection, FamilySection, GanSection};
pub use optimizer::{NetworkOptimizer, OptimizerSection};
pub use overrides::{Override, apply};
pub use run_file::{BatchSection, DataSection, Reduction, RunFile, TrainerSection, ValidationSection};

use crate::data::split::VALIDATION;
use crate::device::Choice;
use crate::exit::{Ends, Exit};
use crate::files;
use crate::nn::dcgan::{DcganSettings, Norm, Output};
use crate::objective::embedder::EmbedderSettings;
use crate::objective::gan::{GanSettings, Loss, Noise, Penalty, Update};
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
        let file: RunFile<GanSection> =
            serde_path_to_error::deserialize(toml::Value::Table(table)).map_err(|error| {
                overrides::blame(&error, sets).unwrap_or_else(|| wrong(overrides::key_and_fault(&error)))
            })?;
        let mut file = file.map_family(|gan| FamilySection::of_kind(&kind, gan).expect("the kind is a known one"));
        file.family.complete();
        let first = file.family.scores().first();
        file.validation.best = file.validation.best.or(first.map(|score| score.name.to_owned()));
        let config = Self { file };
        config.check()?;
        Ok(config)
    }

    /// Refuses a family that is for other data than spectra, and what has no meaning for them.
    pub fn for_spectra(self) -> Result<Self, ConfigError> {
        self.is_for("spectra", "spectra_gan")?;
        if self.file.data.transform.is_some() {
            return value("data.transform", &"set", "not set, since the dataset holds spectra");
        }
        Ok(self)
    }

    /// Refuses a family that is for other data than maps.
    pub fn for_maps(self) -> Result<Self, ConfigError> {
        self.is_for("maps", "maps_gan").map(|()| self)
    }

    fn is_for(&self, records: &str, wanted: &str) -> Result<(), ConfigError> {
        let kind = self.file.family.kind();
        if kind == wanted {
            return Ok(());
        }
        value("family.kind", &quoted(kind), &format!("{}, since the dataset holds {records}", quoted(wanted)))
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

    /// The size of the networks.
    pub fn dcgan(&self) -> DcganSettings {
        self.file.family.dcgan()
    }

    /// The rules of the game.
    pub fn gan(&self) -> GanSettings {
        let gan = self.file.family.gan();
        GanSettings {
            loss: gan.loss,
            precision: self.file.trainer.precision,
            penalty: (gan.penalty > 0.0).then_some(Penalty { weight: gan.penalty, every: gan.penalty_every }),
            label_flip: gan.label_flip,
            instance_noise: gan.instance_noise,
            average: (gan.ema > 0.0).then_some(gan.ema),
            update: gan.update,
            noise: gan.noise,
            discriminator_updates: gan.discriminator_updates,
            generator_updates: gan.generator_updates,
        }
    }

    /// The third network, if there is one.
    pub fn embedder(&self) -> Option<&EmbedderSettings> {
        self.file.family.gan().embedder.as_ref()
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
        let RunFile { batch, trainer, optimizer, data, .. } = &self.file;
        self.check_family()?;
        if batch.microbatches == 0 || !batch.microbatches.is_power_of_two() {
            return value("batch.microbatches", &batch.microbatches, "a power of two");
        }
        if batch.global == 0 || batch.global % batch.microbatches != 0 {
            let wanted = format!("a positive multiple of `batch.microbatches`: {}", batch.microbatches);
            return value("batch.global", &batch.global, &wanted);
        }
        if batch.global > 1 << 20 {
            return value("batch.global", &batch.global, "at most 1048576 records");
        }
        if self.dcgan().norm != Norm::None && batch.global == batch.microbatches {
            let wanted = "2 or more records in each microbatch, for batch norm";
            return value("batch.global", &batch.global, wanted);
        }
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
        self.check_validation()?;
        if data.window_blocks == 0 {
            return value("data.window_blocks", &0, "1 or more");
        }
        if let Some((key, have, wanted)) = optimizer.fault() {
            return value(&key, &have, wanted);
        }
        let networks = self.networks();
        if let Some(unknown) = optimizer.network.keys().find(|name| !networks.contains(&name.as_str())) {
            let wanted = format!("a network of {}: {}", self.file.family.kind(), networks.join(", "));
            return value(&format!("optimizer.network.{unknown}"), &"set", &wanted);
        }
        Ok(())
    }

    /// What cannot be measured.
    fn check_validation(&self) -> Result<(), ConfigError> {
        let RunFile { validation: ValidationSection { every, records, best }, data, trainer, family, .. } = &self.file;
        if *every > 0 && family.scores().is_empty() {
            let wanted = format!("0, since only maps are measured and `family.kind` is {}", quoted(family.kind()));
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
        match best {
            Some(best) if self.best().is_none() => {
                let names: Vec<String> = family.scores().iter().map(|score| quoted(score.name)).collect();
                let wanted = match names.as_slice() {
                    [] => format!("not set, since `family.kind` is {}", quoted(family.kind())),
                    names => format!("one of {}", names.join(", ")),
                };
                value("validation.best", &quoted(best), &wanted)
            }
            _ => Ok(()),
        }
    }

    /// What the family cannot be.
    fn check_family(&self) -> Result<(), ConfigError> {
        let (gan, dcgan) = (self.file.family.gan(), self.dcgan());
        if let Some((key, have, wanted)) = dcgan.fault() {
            return value(&format!("family.{key}"), &have, &wanted);
        }
        match (&self.file.family, &gan.codec) {
            (FamilySection::MapsGan(_), Some(_)) => {
                return value("family.codec", &"set", "not set, since `family.kind` is \"maps_gan\"");
            }
            (_, Some(CodecSection::Aspa(aspa))) => {
                if let Some((key, have, wanted)) = aspa.fault() {
                    return value(&format!("family.codec.{key}"), &have, &wanted);
                }
                if gan.side != aspa.side as i64 {
                    return value("family.side", &gan.side, &format!("`family.codec.side`: {}", aspa.side));
                }
                if gan.output != Output::Sigmoid {
                    let wanted = "\"sigmoid\", since the pixels of a codec are in [0, 1]";
                    return value("family.output", &"tanh", wanted);
                }
            }
            (_, None) => {}
        }
        if !(0.0..f64::INFINITY).contains(&gan.penalty) {
            return value("family.penalty", &gan.penalty, "a weight, or 0 for no gradient penalty");
        }
        if gan.loss == Loss::Wasserstein && gan.penalty == 0.0 {
            let wanted = "a positive weight for loss = \"wasserstein\", 10 in Gulrajani et al. 2017";
            return value("family.penalty", &0, wanted);
        }
        if gan.penalty_every == 0 {
            return value("family.penalty_every", &0, "1 or more steps");
        }
        if gan.penalty > 0.0 && dcgan.norm.in_discriminator() {
            let wanted = "\"generator\" or \"none\", since family.penalty is of each map alone";
            return value("family.norm", &"batch", wanted);
        }
        if !(0.0..=1.0).contains(&gan.label_flip) {
            return value("family.label_flip", &gan.label_flip, "a probability, 0 to 1");
        }
        if !(0.0..f64::INFINITY).contains(&gan.instance_noise) {
            return value("family.instance_noise", &gan.instance_noise, "a standard deviation, or 0 for no noise");
        }
        if let Some((key, have, wanted)) = gan.embedder.as_ref().and_then(EmbedderSettings::fault) {
            return value(&format!("family.embedder.{key}"), &have, wanted);
        }
        if !(0.0..1.0).contains(&gan.ema) {
            return value("family.ema", &gan.ema, "a decay of at least 0 (none is kept) and below 1");
        }
        for (key, updates) in
            [("discriminator_updates", gan.discriminator_updates), ("generator_updates", gan.generator_updates)]
        {
            if updates == 0 {
                return value(&format!("family.{key}"), &updates, "1 or more");
            }
            let alone = gan.update == Update::Simultaneous || gan.noise == Noise::Shared;
            if alone && updates != 1 {
                let wanted = "1 where updates are simultaneous or share their noise";
                return value(&format!("family.{key}"), &updates, wanted);
            }
        }
        Ok(())
    }
}

/// Takes `family.kind` out of a configuration, if it has a family; a kind that there is not is refused.
fn take_kind(table: &mut toml::Table) -> Result<String, ConfigError> {
    let wanted = format!("one of {}", FamilySection::KINDS.map(quoted).join(", "));
    let Some(toml::Value::Table(family)) = table.get_mut("family") else {
        return Ok(FamilySection::KINDS[0].to_owned()); // what is there instead is refused with the rest of the file
    };
    match family.remove("kind") {
        Some(toml::Value::String(kind)) if FamilySection::KINDS.contains(&kind.as_str()) => Ok(kind),
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
