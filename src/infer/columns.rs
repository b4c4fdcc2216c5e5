//! Numbers that a model computes of each record: its features, or what it predicts.

use serde::{Deserialize, Serialize};

use super::map_records::{BatchModel, FixedBatches, MapError, RecordMap};
use crate::data::Record;

/// A number that a model computes of each record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputColumn {
    /// Its name, as a column of a table has it.
    pub name: String,
    /// Its unit, "1" for none.
    pub unit: String,
    /// What it is, in a line.
    pub description: String,
}

impl OutputColumn {
    /// The features of a vector of `length` numbers: `feature_0`, `feature_1` and so on.
    pub fn features(length: i64, description: &str) -> Vec<Self> {
        let feature = |number| Self {
            name: format!("feature_{number}"),
            unit: "1".into(),
            description: format!("{description}, number {number}"),
        };
        (0..length).map(feature).collect()
    }
}

/// A model with the numbers that it computes.
pub struct BatchOutput<'a> {
    /// The numbers of a record, in the order of the output.
    pub columns: Vec<OutputColumn>,
    /// What computes them.
    pub model: Box<dyn BatchModel + 'a>,
}

/// A row of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OutputRow {
    /// Id of the record in its dataset.
    pub id: u64,
    /// The numbers, in the order of the columns.
    pub values: Vec<f32>,
}

/// Computes the numbers of each record.
pub struct ColumnMap<'a>(FixedBatches<'a>);

impl<'a> ColumnMap<'a> {
    /// By this model.
    pub fn new(output: &'a BatchOutput<'a>) -> Self {
        Self(FixedBatches(output.model.as_ref()))
    }
}

impl<'a> RecordMap for ColumnMap<'a> {
    type Engine = FixedBatches<'a>;
    type Output = OutputRow;

    fn engine(&self) -> &FixedBatches<'a> {
        &self.0
    }

    fn prepare(&self, number: u64, record: &Record) -> Result<Vec<f32>, MapError> {
        self.0.0.prepare(number, record)
    }

    fn output(&self, _: u64, record: Record, values: Vec<f32>) -> Result<OutputRow, MapError> {
        Ok(OutputRow { id: record.id, values })
    }
}
