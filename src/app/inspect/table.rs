//! A table: what its columns are, and the range of each.

use std::path::Path;

use serde_json::{Value, json};

use super::Found;
use super::range::Range;
use crate::app::CommandError;
use crate::catalog::{Column, Values, parquet_file};

/// Looks at all of it.
pub(super) fn look(path: &Path) -> Result<Found, CommandError> {
    let table = parquet_file::read(path)?;
    let bytes = std::fs::metadata(path).map_err(CommandError::io(path))?.len();
    let columns: Vec<Value> = table.columns().iter().map(tell).collect();
    let told = json!({
        "what": "table", "whole": true, "rows": table.rows(), "bytes": bytes, "columns": columns, "metadata": table.metadata(),
    });
    Ok(Found { told, damaged: Vec::new(), maps: None })
}

fn tell(column: &Column) -> Value {
    let mut range = Range::default();
    match &column.values {
        Values::U64(values) => range.extend(values.iter().map(|&x| x as f64)),
        Values::F32(values) => range.extend(values.iter().copied()),
        Values::F64(values) => range.extend(values.iter().copied()),
        Values::Bool(values) => range.extend(values.iter().map(|&x| f64::from(u8::from(x)))),
        Values::Utf8(_) => {}
    }
    let told = range.tell();
    json!({
        "name": column.name, "unit": column.unit, "type": column.values.kind(), "description": column.description,
        "min": told["min"], "max": told["max"],
    })
}
