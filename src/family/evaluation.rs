//! What a family measures on records or on a table: inputs, results, and which things it measures at all.

use std::ops::Range;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::AssessError;
use crate::catalog::{ColumnFault, Table};
use crate::data::{DataError, Dataset, Header, Modality};

/// What a kind of model evaluates; each is left out where there is no such thing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Evaluators {
    /// What stands for the folder of a run.
    pub of_run: Option<OfRun>,
    /// Measures records.
    pub records: Option<RecordsEvaluator>,
    /// Measures a table.
    pub table: Option<TableEvaluator>,
}

/// The dataset or the table in the folder of a run; the error says which command makes it.
pub type OfRun = fn(&Path) -> Result<PathBuf, AssessError>;

impl Evaluators {
    /// Of a kind that evaluates nothing.
    pub const NONE: Self = Self { of_run: None, records: None, table: None };
}

/// Measures records against a reference.
#[derive(Clone, Copy, Debug)]
pub struct RecordsEvaluator {
    /// Refuses records of other modalities: what they hold, and what was wanted.
    pub takes: fn(&[Modality]) -> Result<(), String>,
    /// Measures them.
    pub measure: fn(&Records, &Reference) -> Result<Evaluation, AssessError>,
}

/// Measures a table against a reference.
#[derive(Clone, Copy, Debug)]
pub struct TableEvaluator {
    /// Refuses a table of other columns.
    pub takes: fn(&Table) -> Result<(), ColumnFault>,
    /// Measures it.
    pub measure: fn(&MeasuredTable, &Reference) -> Result<Evaluation, AssessError>,
}

/// A dataset that is measured.
#[derive(Clone, Copy, Debug)]
pub struct Records<'a> {
    /// Its folder, as it was given.
    pub folder: &'a Path,
    /// The dataset.
    pub dataset: &'a Dataset,
}

/// A table that is measured.
#[derive(Clone, Copy, Debug)]
pub struct MeasuredTable<'a> {
    /// Its file.
    pub path: &'a Path,
    /// What it holds.
    pub table: &'a Table,
    /// Whether it is asked how often intervals hold the truth.
    pub coverage: bool,
}

/// What records or a table are held against.
#[derive(Clone, Copy, Debug)]
pub struct Reference<'a> {
    /// Its folder, as it was given.
    pub folder: &'a Path,
    /// The dataset.
    pub dataset: &'a Dataset,
    /// Which of its splits, where one was asked for.
    pub split: Option<&'a str>,
}

/// What stands for a split where all records are meant.
pub const ALL: &str = "all";

impl Reference<'_> {
    /// The name of the split that is compared with, and its records.
    ///
    /// - `default`: the split where none was asked for; all records of a dataset without splits
    pub fn chosen(&self, default: &str) -> Result<(String, Vec<Range<u64>>), DataError> {
        let manifest = self.dataset.manifest();
        if self.split.is_none() && (default == ALL || manifest.splits.is_empty()) {
            return Ok((ALL.into(), std::iter::once(0..manifest.count).collect()));
        }
        let name = self.split.unwrap_or(default);
        Ok((name.to_owned(), self.dataset.split(name)?.ranges().collect()))
    }

    /// That the reference is not as wanted.
    pub fn wrong(&self, reason: String) -> AssessError {
        DataError::Manifest { path: self.folder.to_owned(), reason }.into()
    }
}

/// What was measured.
#[derive(Clone, Debug, Default)]
pub struct Evaluation {
    /// All of it, a JSON object: numbers, and under `sets` what was compared with what, with the unit of the records.
    pub statistics: Value,
    /// What a person wants to know first, in a few lines.
    pub summary: String,
    /// Records that a run keeps for its report.
    pub examples: Vec<ExampleRecords>,
}

/// A few records that a run keeps for its report, as the dataset `RUN/examples/NAME`.
#[derive(Clone, Debug)]
pub struct ExampleRecords {
    /// Name of the folder.
    pub name: &'static str,
    /// What the records are, with their number; one modality.
    pub header: Header,
    /// Their names in the dataset that they come from.
    pub ids: Vec<u64>,
    /// Their arrays, one after the other.
    pub values: Vec<f32>,
}
