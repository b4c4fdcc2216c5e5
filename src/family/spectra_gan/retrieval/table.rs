//! What a retrieval leaves: a table with a row an object, and its samples beside it, with a row a restart.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::atmosphere::QUANTITIES;
use crate::catalog::{Column, ColumnFault, Metadata, Table, TableError, Values, parquet_file};
use crate::family::spectra_gan::offsets::ERROR;

/// What is known of one parameter of one object: percentiles of its weighted samples, in the parameter's unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "they are percentiles")]
pub struct Interval {
    pub p2_5: f32,
    pub p16: f32,
    pub median: f32,
    pub p84: f32,
    pub p97_5: f32,
}

/// What is known of the offset of a group of wavelengths of one object.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct OffsetValue {
    /// Mean of the weighted samples, observed depths minus depths without offset.
    pub mean_ppm: f32,
    /// Standard deviation of the weighted samples.
    pub error_ppm: f32,
}

/// What was retrieved of one object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RetrievalRow {
    /// The object's name in its dataset.
    pub id: u64,
    /// The seven of [`QUANTITIES`], in their order.
    pub parameters: [Interval; 7],
    /// Offsets of groups of wavelengths, in the order of their names; empty where there are no groups.
    pub offsets: Vec<OffsetValue>,
    /// Chi-square of the best restart over the observed points.
    pub chi_square: f32,
    /// Points that were observed, and entered the fit.
    pub points: u64,
    /// Fits from different starts.
    pub restarts: u64,
    /// Share of the restarts whose chi-square is within 1 of the best one's.
    pub restart_agreement: f32,
    /// (sum of weights)^2 over the sum of their squares: how many equal restarts would say as much.
    pub effective_samples: f32,
    /// Whether the object lies at or beyond the edge of what the network has learned.
    pub out_of_range: bool,
    /// Steps of the fit, over all restarts.
    pub iterations: u64,
}

/// Where one restart ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SampleRow {
    /// The object's name in its dataset.
    pub id: u64,
    /// Number of the restart, from 0.
    pub restart: u64,
    /// Its share among the object's restarts; they add up to 1.
    pub weight: f32,
    /// Its chi-square over the observed points.
    pub chi_square: f32,
    /// The seven of [`QUANTITIES`], in their order and units.
    pub parameters: [f32; 7],
    /// Offsets of groups of wavelengths, in the order of their names.
    pub offsets_ppm: Vec<f32>,
}

/// Each percentile of [`Interval`]: how its columns' names end, and what they are.
type Percentile = (&'static str, &'static str, fn(&mut Interval) -> &mut f32);

const PERCENTILES: [Percentile; 5] = [
    ("median", "median of the weighted samples", |interval| &mut interval.median),
    ("p2_5", "2.5th percentile of the weighted samples", |interval| &mut interval.p2_5),
    ("p16", "16th percentile of the weighted samples", |interval| &mut interval.p16),
    ("p84", "84th percentile of the weighted samples", |interval| &mut interval.p84),
    ("p97_5", "97.5th percentile of the weighted samples", |interval| &mut interval.p97_5),
];

/// How the names of columns of offsets begin.
const OFFSET: &str = "offset_";

/// Where the samples of the table `path` lie: `NAME.samples.parquet` beside `NAME.parquet`.
pub fn samples_path(path: &Path) -> PathBuf {
    path.with_extension("samples.parquet")
}

/// Writes a retrieval and the samples beside it as they come, each whole or not at all; the samples are there first. Equal rows and metadata
/// give equal bytes.
///
/// - `offsets`: names of the groups of wavelengths whose offsets each object has
/// - `fill`: hands over each object with its samples, in order, and returns the metadata of the whole
pub fn write<T, E: From<TableError>>(
    path: &Path,
    offsets: &[String],
    fill: impl FnOnce(&mut Taker) -> Result<(T, Metadata), E>,
) -> Result<T, E> {
    let of_rows = |rows: &[RetrievalRow], metadata| to_table(rows, offsets, metadata);
    let of_samples = |samples: &[SampleRow], metadata| samples_to_table(samples, offsets, metadata);
    parquet_file::write_rows(path, of_rows, |put_row| {
        parquet_file::write_rows(&samples_path(path), of_samples, |put_sample| {
            let (made, metadata) = fill(&mut |row, samples| {
                put_row(row)?;
                samples.into_iter().try_for_each(&mut *put_sample)
            })?;
            Ok(((made, metadata.clone()), metadata))
        })
    })
}

/// Takes an object and its samples.
pub type Taker<'a> = dyn FnMut(RetrievalRow, Vec<SampleRow>) -> Result<(), TableError> + 'a;

/// Reads a retrieval and its metadata.
pub fn read(path: &Path) -> Result<(Vec<RetrievalRow>, Metadata), TableError> {
    let table = parquet_file::read(path)?;
    let rows = from_table(&table).map_err(TableError::column(path))?;
    Ok((rows, table.metadata().clone()))
}

/// Reads samples and their metadata.
pub fn read_samples(path: &Path) -> Result<(Vec<SampleRow>, Metadata), TableError> {
    let table = parquet_file::read(path)?;
    let rows = samples_from_table(&table).map_err(TableError::column(path))?;
    Ok((rows, table.metadata().clone()))
}

/// The column of the offset of the group `name`, and that of its error.
fn offset_columns(name: &str) -> [String; 2] {
    [format!("{OFFSET}{name}"), format!("{OFFSET}{name}{ERROR}")]
}

/// Rows as a table, with the groups of these names.
pub fn to_table(rows: &[RetrievalRow], offsets: &[String], metadata: Metadata) -> Table {
    let u64s = |of: fn(&RetrievalRow) -> u64| Values::U64(rows.iter().map(of).collect());
    let f32s = |of: fn(&RetrievalRow) -> f32| Values::F32(rows.iter().map(of).collect());
    let mut columns = vec![Column::new("id", "1", "the object's name in its dataset", u64s(|row| row.id))];
    for (at, quantity) in QUANTITIES.iter().enumerate() {
        for (ending, description, of) in PERCENTILES {
            let values = rows.iter().map(|row| *of(&mut { row.parameters[at] })).collect();
            let name = format!("{}_{ending}", quantity.name);
            columns.push(Column::new(name, quantity.unit, description, Values::F32(values)));
        }
    }
    for (at, name) in offsets.iter().enumerate() {
        let [mean, error] = offset_columns(name);
        let (means, errors) = rows.iter().map(|row| (row.offsets[at].mean_ppm, row.offsets[at].error_ppm)).unzip();
        let what = "offset of the observed depths from those without offset";
        columns.extend([
            Column::new(mean, "ppm", format!("{what}, mean of the weighted samples"), Values::F32(means)),
            Column::new(
                error,
                "ppm",
                format!("{what}, standard deviation of the weighted samples"),
                Values::F32(errors),
            ),
        ]);
    }
    let flags = Values::Bool(rows.iter().map(|row| row.out_of_range).collect());
    columns.extend([
        Column::new(
            "chi_square",
            "1",
            "chi-square of the best restart over the observed points",
            f32s(|row| row.chi_square),
        ),
        Column::new("observed_points", "1", "observed points in the fit", u64s(|row| row.points)),
        Column::new("restarts", "1", "fits from different starts", u64s(|row| row.restarts)),
        Column::new(
            "restart_agreement",
            "1",
            "share of the restarts whose chi-square is within 1 of the best one's",
            f32s(|row| row.restart_agreement),
        ),
        Column::new(
            "effective_samples",
            "1",
            "(sum of weights)^2 over the sum of their squares",
            f32s(|row| row.effective_samples),
        ),
        Column::new("out_of_range", "1", "at or beyond the edge of what the network has learned", flags),
        Column::new("iterations", "1", "steps of the fit, over all restarts", u64s(|row| row.iterations)),
    ]);
    Table::new(metadata, columns)
}

/// A table as rows.
pub fn from_table(table: &Table) -> Result<Vec<RetrievalRow>, ColumnFault> {
    let (ids, points) = (table.u64s("id")?, table.u64s("observed_points")?);
    let (restarts, iterations) = (table.u64s("restarts")?, table.u64s("iterations")?);
    let (chi_square, agreement) = (table.f32s("chi_square")?, table.f32s("restart_agreement")?);
    let (effective_samples, out_of_range) = (table.f32s("effective_samples")?, table.bools("out_of_range")?);
    let empty = Interval { p2_5: 0.0, p16: 0.0, median: 0.0, p84: 0.0, p97_5: 0.0 };
    let mut rows: Vec<RetrievalRow> = (0..table.rows())
        .map(|row| RetrievalRow {
            id: ids[row],
            parameters: [empty; 7],
            offsets: Vec::new(),
            chi_square: chi_square[row],
            points: points[row],
            restarts: restarts[row],
            restart_agreement: agreement[row],
            effective_samples: effective_samples[row],
            out_of_range: out_of_range[row],
            iterations: iterations[row],
        })
        .collect();
    for (at, quantity) in QUANTITIES.iter().enumerate() {
        for (ending, _, of) in PERCENTILES {
            let values = table.f32s(&format!("{}_{ending}", quantity.name))?;
            rows.iter_mut().zip(values).for_each(|(row, value)| *of(&mut row.parameters[at]) = *value);
        }
    }
    for name in offset_names(table).filter(|name| !name.ends_with(ERROR)) {
        let (means, errors) = (table.f32s(name)?, table.f32s(&format!("{name}{ERROR}"))?);
        for (row, (mean_ppm, error_ppm)) in rows.iter_mut().zip(means.iter().zip(errors)) {
            row.offsets.push(OffsetValue { mean_ppm: *mean_ppm, error_ppm: *error_ppm });
        }
    }
    Ok(rows)
}

/// Names of the columns of offsets and of their errors.
fn offset_names(table: &Table) -> impl Iterator<Item = &str> {
    table.columns().iter().map(|column| column.name.as_str()).filter(|name| name.starts_with(OFFSET))
}

/// Samples as a table, with the groups of these names.
pub fn samples_to_table(rows: &[SampleRow], offsets: &[String], metadata: Metadata) -> Table {
    let u64s = |of: fn(&SampleRow) -> u64| Values::U64(rows.iter().map(of).collect());
    let f32s = |of: fn(&SampleRow) -> f32| Values::F32(rows.iter().map(of).collect());
    let mut columns = vec![
        Column::new("id", "1", "the object's name in its dataset", u64s(|row| row.id)),
        Column::new("restart", "1", "number of the restart, from 0", u64s(|row| row.restart)),
        Column::new("weight", "1", "share among the object's restarts", f32s(|row| row.weight)),
        Column::new("chi_square", "1", "chi-square over the observed points", f32s(|row| row.chi_square)),
    ];
    columns.extend(QUANTITIES.iter().enumerate().map(|(at, quantity)| {
        let values = rows.iter().map(|row| row.parameters[at]).collect();
        Column::new(quantity.name, quantity.unit, "where the restart ended", Values::F32(values))
    }));
    columns.extend(offsets.iter().enumerate().map(|(at, name)| {
        let values = rows.iter().map(|row| row.offsets_ppm[at]).collect();
        let [name, _] = offset_columns(name);
        Column::new(name, "ppm", "draw of the offset where the restart ended", Values::F32(values))
    }));
    Table::new(metadata, columns)
}

/// A table as samples.
pub fn samples_from_table(table: &Table) -> Result<Vec<SampleRow>, ColumnFault> {
    let (ids, restarts) = (table.u64s("id")?, table.u64s("restart")?);
    let (weights, chi_square) = (table.f32s("weight")?, table.f32s("chi_square")?);
    let mut parameters = Vec::new();
    for quantity in QUANTITIES {
        parameters.push(table.f32s(quantity.name)?);
    }
    let offsets: Vec<&[f32]> = offset_names(table).map(|name| table.f32s(name)).collect::<Result<_, _>>()?;
    let row = |row: usize| SampleRow {
        offsets_ppm: offsets.iter().map(|values| values[row]).collect(),
        id: ids[row],
        restart: restarts[row],
        weight: weights[row],
        chi_square: chi_square[row],
        parameters: std::array::from_fn(|at| parameters[at][row]),
    };
    Ok((0..table.rows()).map(row).collect())
}
