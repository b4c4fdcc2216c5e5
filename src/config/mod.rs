//! From what a TOML file says to what the program sees.
//!
//! Settings live beside the thing they set; this room holds their sections together, refuses unknown keys, applies
//! `--set a.b=c`, and checks what no section can check alone.

mod overrides;
mod run_file;

use std::path::{Path, PathBuf};

use serde::Serialize;

pub use overrides::{Override, apply};
pub use run_file::{
    BatchSection, CodecSection, DataSection, ModelSection, ObjectiveSection, OptimiserSection, Reduction, RunFile,
    TrainerSection,
};

use crate::device::Choice;
use crate::exit::{Ends, Exit};
use crate::files;
use crate::model::dcgan::{Norm, Output};
use crate::objective::embedder::EmbedderSettings;
use crate::objective::gan::{GanSettings, Loss, Noise, Penalty, Update};
use crate::one_line;
use crate::trainer::Cut;

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
        let file: RunFile = serde_path_to_error::deserialize(toml::Value::Table(table)).map_err(|error| {
            overrides::blame(&error, sets).unwrap_or_else(|| wrong(overrides::key_and_fault(&error)))
        })?;
        let config = Self { file };
        config.check()?;
        Ok(config)
    }

    /// The same for spectra, with the codec written out.
    pub fn for_spectra(mut self) -> Result<Self, ConfigError> {
        let data = &mut self.file.data;
        if data.transform.is_some() {
            return value("data.transform", &"set", "not set, since the dataset holds spectra");
        }
        data.codec.get_or_insert_default();
        let every = self.file.trainer.measure_every;
        if every != 0 {
            return value(
                "trainer.measure_every",
                &every,
                "0, since only maps are measured and the dataset holds spectra",
            );
        }
        self.check()?;
        Ok(self)
    }

    /// The same for maps, which have no codec.
    pub fn for_maps(self) -> Result<Self, ConfigError> {
        match &self.file.data.codec {
            None => Ok(self),
            Some(CodecSection::Aspa(_)) => value("data.codec", &"aspa", "not set, since the dataset holds maps"),
        }
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

    /// The rules of the game.
    pub fn gan(&self) -> GanSettings {
        let ObjectiveSection::Gan(gan) = &self.file.objective;
        let trainer = &self.file.trainer;
        GanSettings {
            loss: gan.loss,
            precision: trainer.precision,
            penalty: (gan.penalty > 0.0).then_some(Penalty { weight: gan.penalty, every: gan.penalty_every }),
            label_flip: gan.label_flip,
            instance_noise: gan.instance_noise,
            average: (gan.ema > 0.0).then_some(gan.ema),
            update: trainer.update,
            noise: trainer.noise,
            discriminator_moves: trainer.discriminator_moves,
            generator_moves: trainer.generator_moves,
        }
    }

    /// The third player, if there is one.
    pub fn embedder(&self) -> Option<&EmbedderSettings> {
        let ObjectiveSection::Gan(gan) = &self.file.objective;
        gan.embedder.as_ref()
    }

    /// What makes the run what it is: a checkpoint of a run that differs in any of it cannot be continued. Where the
    /// data lie, how long the run is and how often it reports are not part of it; nor is what comes after a bad step,
    /// since good steps do not depend on it, and a run that met one must be able to go on under another policy.
    pub fn identity(&self) -> toml::Table {
        let mut table = toml::Table::try_from(&self.file).expect("a configuration is a table");
        let mut forget = |section: &str, keys: &[&str]| {
            if let Some(toml::Value::Table(section)) = table.get_mut(section) {
                section.retain(|key, _| !keys.contains(&key));
            }
        };
        forget("data", &["path"]);
        forget("trainer", &["steps", "epochs", "checkpoint_every", "keep_checkpoints", "keep_every"]);
        forget("trainer", &["measure_every", "log_every", "compare_every"]);
        forget("trainer", &["not_finite", "device", "share_gpu", "overlap", "hang_seconds"]);
        if self.file.trainer.deterministic {
            forget("trainer", &["deterministic"]); // runs from before this key are the same
        }
        table
    }

    /// What no section can check alone.
    fn check(&self) -> Result<(), ConfigError> {
        let RunFile { batch, model, trainer, optimiser, data, .. } = &self.file;
        self.check_game()?;
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
        let ModelSection::Dcgan(dcgan) = model;
        if dcgan.norm != Norm::None && batch.global == batch.microbatches {
            let wanted = "2 or more records in each microbatch, for batch norm";
            return value("batch.global", &batch.global, wanted);
        }
        if let Some((key, have, wanted)) = dcgan.fault() {
            return value(&format!("model.{key}"), &have, &wanted);
        }
        if let Some(CodecSection::Aspa(aspa)) = &data.codec {
            if let Some((key, have, wanted)) = aspa.fault() {
                return value(&format!("data.codec.{key}"), &have, &wanted);
            }
            if dcgan.side != aspa.side as i64 {
                return value("model.side", &dcgan.side, &format!("`data.codec.side`: {}", aspa.side));
            }
            if dcgan.output != Output::Sigmoid {
                let wanted = "\"sigmoid\", since the pixels of a codec are in [0, 1]";
                return value("model.output", &"tanh", wanted);
            }
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
        for (key, moves) in
            [("discriminator_moves", trainer.discriminator_moves), ("generator_moves", trainer.generator_moves)]
        {
            if moves == 0 {
                return value(&format!("trainer.{key}"), &moves, "1 or more");
            }
            let alone = trainer.update == Update::Simultaneous || trainer.noise == Noise::Shared;
            if alone && moves != 1 {
                return value(&format!("trainer.{key}"), &moves, "1 where moves are simultaneous or share their noise");
            }
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
        if !trainer.measure_every.is_multiple_of(trainer.checkpoint_every) {
            let wanted = format!("a multiple of `trainer.checkpoint_every`: {}", trainer.checkpoint_every);
            return value("trainer.measure_every", &trainer.measure_every, &wanted);
        }
        if !(2..=1 << 20).contains(&trainer.measure_maps) {
            return value("trainer.measure_maps", &trainer.measure_maps, "2 to 1048576 maps");
        }
        if data.window_blocks == 0 {
            return value("data.window_blocks", &0, "1 or more");
        }
        for player in ["discriminator", "generator", "embedder"] {
            let adam = optimiser.of(player);
            let numbers = [
                ("learning_rate", adam.learning_rate, f64::MIN_POSITIVE..f64::INFINITY, "a positive number"),
                ("beta1", adam.beta1, 0.0..1.0, "at least 0 and below 1"),
                ("beta2", adam.beta2, 0.0..1.0, "at least 0 and below 1"),
                ("epsilon", adam.epsilon, f64::MIN_POSITIVE..f64::INFINITY, "a positive number"),
                ("clip", adam.clip, 0.0..f64::INFINITY, "a norm, or 0 for no limit"),
            ];
            for (key, have, legal, wanted) in numbers {
                if !legal.contains(&have) {
                    return value(&format!("optimiser.{player}.{key}"), &have, wanted);
                }
            }
        }
        Ok(())
    }

    /// Whether the rules of the game are any, and fit the networks.
    fn check_game(&self) -> Result<(), ConfigError> {
        let (ObjectiveSection::Gan(gan), ModelSection::Dcgan(dcgan)) = (&self.file.objective, &self.file.model);
        if !(0.0..f64::INFINITY).contains(&gan.penalty) {
            return value("objective.penalty", &gan.penalty, "a weight, or 0 for no gradient penalty");
        }
        if gan.loss == Loss::Wasserstein && gan.penalty == 0.0 {
            let wanted = "a positive weight for loss = \"wasserstein\", 10 in Gulrajani et al. 2017";
            return value("objective.penalty", &0, wanted);
        }
        if gan.penalty_every == 0 {
            return value("objective.penalty_every", &0, "1 or more steps");
        }
        if gan.penalty > 0.0 && dcgan.norm.in_discriminator() {
            let wanted = "\"generator\" or \"none\", since objective.penalty is of each map alone";
            return value("model.norm", &"batch", wanted);
        }
        if !(0.0..=1.0).contains(&gan.label_flip) {
            return value("objective.label_flip", &gan.label_flip, "a probability, 0 to 1");
        }
        if !(0.0..f64::INFINITY).contains(&gan.instance_noise) {
            return value("objective.instance_noise", &gan.instance_noise, "a standard deviation, or 0 for no noise");
        }
        if let Some((key, have, wanted)) = gan.embedder.as_ref().and_then(EmbedderSettings::fault) {
            return value(&format!("objective.embedder.{key}"), &have, wanted);
        }
        if !(0.0..1.0).contains(&gan.ema) {
            return value("objective.ema", &gan.ema, "a decay of at least 0 (none is kept) and below 1");
        }
        Ok(())
    }
}

/// The value of `key` cannot be.
fn value<T>(key: &str, value: &dyn std::fmt::Display, wanted: &str) -> Result<T, ConfigError> {
    Err(ConfigError::Value { key: key.into(), value: value.to_string(), wanted: wanted.into() })
}

/// Reads settings of any kind out of a table, unknown keys refused; the error says which key and why.
pub fn read<T: serde::de::DeserializeOwned>(value: toml::Value) -> Result<T, String> {
    serde_path_to_error::deserialize(value).map_err(|error| overrides::key_and_fault(&error))
}
