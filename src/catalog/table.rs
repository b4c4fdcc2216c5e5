//! A table in memory: columns of one length, each with its unit and description, and metadata of the whole.

use serde_json::{Map, Value};

use super::ColumnFault;

/// Metadata of a whole table, by name: any JSON that is the same for the same table, so no times.
pub type Metadata = Map<String, Value>;

/// Columns of one length.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    metadata: Metadata,
    columns: Vec<Column>,
}

/// One number, flag or text a row.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// Its name, none twice in a table.
    pub name: String,
    /// Unit of its values, "1" for none.
    pub unit: String,
    /// What it holds, in a line.
    pub description: String,
    /// `[rows]`.
    pub values: Values,
}

/// The values of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Names and counts.
    U64(Vec<u64>),
    /// Single precision; NaN for what is not known.
    F32(Vec<f32>),
    /// Double precision; NaN for what is not known.
    F64(Vec<f64>),
    /// Flags.
    Bool(Vec<bool>),
    /// Texts.
    Utf8(Vec<String>),
}

impl Values {
    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Self::U64(values) => values.len(),
            Self::F32(values) => values.len(),
            Self::F64(values) => values.len(),
            Self::Bool(values) => values.len(),
            Self::Utf8(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Their type, as messages call it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::U64(_) => "u64",
            Self::F32(_) => "f32",
            Self::F64(_) => "f64",
            Self::Bool(_) => "bool",
            Self::Utf8(_) => "utf8",
        }
    }
}

impl Column {
    /// A column with its unit and description.
    pub fn new(name: impl Into<String>, unit: &str, description: impl Into<String>, values: Values) -> Self {
        Self { name: name.into(), unit: unit.into(), description: description.into(), values }
    }
}

impl Table {
    /// Puts columns side by side. They are of one length, and no two have one name.
    pub fn new(metadata: Metadata, columns: Vec<Column>) -> Self {
        let rows = columns.first().map_or(0, |column| column.values.len());
        for (at, column) in columns.iter().enumerate() {
            assert_eq!(column.values.len(), rows, "`{}` is as long as the first column", column.name);
            assert!(columns[..at].iter().all(|other| other.name != column.name), "`{}` is there once", column.name);
        }
        Self { metadata, columns }
    }

    /// How many rows.
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, |column| column.values.len())
    }

    /// Adds the rows of `other`, which has the same columns.
    pub(super) fn append(&mut self, other: Self) {
        for (column, more) in self.columns.iter_mut().zip(other.columns) {
            match (&mut column.values, more.values) {
                (Values::U64(values), Values::U64(more)) => values.extend(more),
                (Values::F32(values), Values::F32(more)) => values.extend(more),
                (Values::F64(values), Values::F64(more)) => values.extend(more),
                (Values::Bool(values), Values::Bool(more)) => values.extend(more),
                (Values::Utf8(values), Values::Utf8(more)) => values.extend(more),
                (values, more) => {
                    panic!("`{}` is of {}, and more of it of {}", column.name, values.kind(), more.kind())
                }
            }
        }
    }

    /// Takes all rows out; the memory stays.
    pub(super) fn clear(&mut self) {
        for column in &mut self.columns {
            match &mut column.values {
                Values::U64(values) => values.clear(),
                Values::F32(values) => values.clear(),
                Values::F64(values) => values.clear(),
                Values::Bool(values) => values.clear(),
                Values::Utf8(values) => values.clear(),
            }
        }
    }

    /// Metadata of the whole table.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// All columns in their order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The column of this name that holds names or counts.
    pub fn u64s(&self, name: &str) -> Result<&[u64], ColumnFault> {
        self.typed(name, "u64", |values| if let Values::U64(values) = values { Some(values) } else { None })
    }

    /// The column of this name in single precision.
    pub fn f32s(&self, name: &str) -> Result<&[f32], ColumnFault> {
        self.typed(name, "f32", |values| if let Values::F32(values) = values { Some(values) } else { None })
    }

    /// The column of this name in double precision.
    pub fn f64s(&self, name: &str) -> Result<&[f64], ColumnFault> {
        self.typed(name, "f64", |values| if let Values::F64(values) = values { Some(values) } else { None })
    }

    /// The column of this name that holds flags.
    pub fn bools(&self, name: &str) -> Result<&[bool], ColumnFault> {
        self.typed(name, "bool", |values| if let Values::Bool(values) = values { Some(values) } else { None })
    }

    /// The column of this name that holds texts.
    pub fn texts(&self, name: &str) -> Result<&[String], ColumnFault> {
        self.typed(name, "utf8", |values| if let Values::Utf8(values) = values { Some(values) } else { None })
    }

    fn typed<'a, T>(
        &'a self,
        name: &str,
        wanted: &'static str,
        of: impl FnOnce(&'a Values) -> Option<&'a Vec<T>>,
    ) -> Result<&'a [T], ColumnFault> {
        let column = self.columns.iter().find(|column| column.name == name);
        let column = column.ok_or_else(|| ColumnFault::Missing { name: name.into(), wanted })?;
        let found = column.values.kind();
        of(&column.values).map(Vec::as_slice).ok_or_else(|| ColumnFault::Type { name: name.into(), found, wanted })
    }
}
