//! A run's folder as a report reads it: statistics, example records, and the targets of its configuration.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::Value;

use super::AssessError;
use crate::checkpoint::Direction;
use crate::data::{Dataset, Modality};
use crate::train::Score;

/// The folder of a run.
#[derive(Clone, Debug)]
pub struct RunFolder {
    path: PathBuf,
    kind: String,
    targets: BTreeMap<String, f64>,
}

/// What a configuration asks of a score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Target {
    /// The value that is asked for.
    pub value: f64,
    direction: Direction,
}

impl Target {
    /// Whether a measured value is good enough; a value that is no number never is.
    pub fn met(self, measured: f64) -> bool {
        match self.direction {
            Direction::Min => measured <= self.value,
            Direction::Max => measured >= self.value,
        }
    }
}

/// Example records of a run.
#[derive(Clone, Debug)]
pub struct Examples {
    /// Their arrays, one after the other.
    pub values: Vec<f32>,
    /// Their names in the dataset that they come from.
    pub ids: Vec<u64>,
    /// What they are: kind, shape and unit.
    pub modality: Modality,
}

impl Examples {
    /// Pixels of square maps, one map after the other, and their side; nothing where there is no whole map.
    pub fn maps(&self) -> Option<(Vec<f64>, usize)> {
        let side = *self.modality.shape.last()?;
        let whole = side > 0 && self.values.len() >= side * side;
        whole.then(|| (self.values.iter().map(|&pixel| f64::from(pixel)).collect(), side))
    }
}

impl RunFolder {
    /// The folder at `path` of a run of a kind of model.
    ///
    /// - `config`: the run's `config.toml`
    pub fn new(path: &Path, kind: &str, config: &toml::Table) -> Self {
        let targets = config.get("validation").and_then(|validation| validation.get("targets"));
        let number = |value: &Value| value.as_float().or_else(|| value.as_integer().map(|whole| whole as f64));
        let targets = targets.and_then(Value::as_table).into_iter().flatten();
        let targets = targets.filter_map(|(name, value)| Some((name.clone(), number(value)?)));
        Self { path: path.to_owned(), kind: kind.to_owned(), targets: targets.collect() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What `validation.targets` asks of a score, where it does.
    pub fn target(&self, score: &Score) -> Option<Target> {
        let value = *self.targets.get(score.name)?;
        Some(Target { value, direction: score.direction })
    }

    /// What a JSON file of the run says, if the file is there.
    ///
    /// - `wanted`: what it should be, in words
    pub fn json<T: DeserializeOwned>(&self, file: &str, wanted: &str) -> Result<Option<T>, AssessError> {
        let path = self.path.join(file);
        let Some(text) = text(&path)? else { return Ok(None) };
        let wrong = |error| AssessError::wrong(&path, format!("{error}, expected {wanted}"));
        serde_json::from_str(&text).map(Some).map_err(wrong)
    }

    /// The same for what `skyforge evaluate` wrote: its tag names the kind of model of the run; a file of an older version
    /// has no tag.
    pub fn statistics<T: DeserializeOwned>(&self, file: &str) -> Result<Option<T>, AssessError> {
        let wanted = "what `skyforge evaluate` writes";
        match self.json::<Tagged>(file, wanted)? {
            Some(Tagged { family: Some(family) }) if family != self.kind => {
                let fault = format!("`family` is \"{family}\", expected \"{}\"", self.kind);
                Err(AssessError::wrong(self.path.join(file), fault))
            }
            _ => self.json(file, wanted),
        }
    }

    /// The example records in `RUN/examples/NAME`, if they are there.
    pub fn examples(&self, name: &str) -> Result<Option<Examples>, AssessError> {
        let folder = self.path.join("examples").join(name);
        if !folder.join("manifest.toml").is_file() {
            return Ok(None);
        }
        let dataset = Dataset::open(&folder)?;
        let manifest = dataset.manifest();
        let records = 0..manifest.count;
        Ok(Some(Examples {
            values: dataset.read(0, records.clone())?,
            ids: dataset.read_ids(records)?,
            modality: manifest.modality().clone(),
        }))
    }
}

/// The tag of a file of statistics.
#[derive(Deserialize)]
struct Tagged {
    family: Option<String>,
}

/// A file's text, if the file is there.
fn text(path: &Path) -> Result<Option<String>, AssessError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(AssessError::Io { path: path.to_owned(), source }),
    }
}
