//! Objects from one table or from several of different instruments, on the grid of a dataset.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::WavelengthUnit::{Angstrom, M, Nm, PerCm, Um};
use super::bins::Bin;
use super::{Grid, Overlaps, Points, Reading, Table, WavelengthUnit, combine, words};
use crate::atmosphere::QUANTITIES;
use crate::atmosphere::{GRIDS, named_grid};
use crate::data::spectral_axis::grid_from;
use crate::ingest::{IngestError, Named};

/// Tables of the same objects, opened.
pub struct Object {
    /// The tables.
    pub tables: Vec<Table>,
    /// Where their points lie on the grid.
    pub overlaps: Vec<Overlaps>,
    coverage: f64,
}

/// A grid by its name, or in a file: a column of micrometres.
pub fn grid(name: &str) -> Result<Grid, IngestError> {
    if let Some(wavelength_um) = named_grid(name) {
        return Ok(Grid::new(wavelength_um));
    }
    let path = Path::new(name);
    if !path.exists() {
        return Err(IngestError::Usage(format!(
            "--grid is {name}, expected {} or a file of micrometres",
            GRIDS.join(", ")
        )));
    }
    let bytes = fs::read(path).map_err(IngestError::file(path))?;
    let text =
        words::decode(bytes).ok_or_else(|| IngestError::wrong(path, "is no text, expected a column of micrometres"))?;
    let wavelength_um = grid_from(&text).map_err(|(line, fault)| {
        let line = line.map_or(String::new(), |line| format!("line {line}: "));
        IngestError::wrong(path, format!("{line}{fault}"))
    })?;
    Ok(Grid::new(wavelength_um))
}

impl Object {
    /// Opens all tables of an input and lays them on the grid.
    pub fn open(
        paths: &[PathBuf],
        truth: Option<&Path>,
        reading: &Reading,
        grid: &Grid,
        coverage: f64,
    ) -> Result<Self, IngestError> {
        let open = |path: &PathBuf| Table::open(path, truth, reading);
        let tables = paths.iter().map(open).collect::<Result<Vec<_>, _>>()?;
        if let Some(other) = tables.iter().find(|table| table.objects != tables[0].objects) {
            let (found, wanted) = (other.objects, tables[0].objects);
            let fault = format!("holds {found} spectra, expected {wanted} as {}", tables[0].path.display());
            return Err(IngestError::wrong(&other.path, fault));
        }
        let overlaps = tables.iter().map(|table| lay(table, grid)).collect::<Result<_, _>>()?;
        Ok(Self { tables, overlaps, coverage })
    }

    /// How many there are of each table.
    pub fn count(&self) -> usize {
        self.tables[0].objects
    }

    /// Some of them on the grid, with what is known of them.
    pub fn read(&self, objects: Range<usize>) -> Result<Vec<(Points, [f32; 7])>, IngestError> {
        let parts = self.tables.iter().map(|table| table.read(objects.clone())).collect::<Result<Vec<_>, _>>()?;
        let mut found = Vec::with_capacity(objects.len());
        for (at, object) in objects.enumerate() {
            let mut seven = parts[0][at].1;
            let mut on_grid = Vec::with_capacity(parts.len());
            for ((part, table), overlaps) in parts.iter().zip(&self.tables).zip(&self.overlaps) {
                let (points, known) = &part[at];
                for ((mine, known), quantity) in seven.iter_mut().zip(known).zip(QUANTITIES) {
                    let differ = !mine.is_nan() && !known.is_nan() && (*mine - known).abs() > 1e-5 * mine.abs();
                    if differ {
                        let fault = format!(
                            "says that {} is {known} {}, expected {mine} as the instrument joined before it",
                            quantity.name, quantity.unit
                        );
                        return Err(IngestError::wrong(&table.path, fault));
                    }
                    if mine.is_nan() {
                        *mine = *known;
                    }
                }
                let points = overlaps.apply(points, self.coverage);
                let fault = if points.depth.iter().all(|depth| depth.is_nan()) {
                    "covers no bin of the grid by the share --coverage, expected a smaller one or other wavelengths"
                        .into()
                } else if points
                    .errors
                    .iter()
                    .flatten()
                    .any(|error| !error.is_nan() && *error < f64::from(f32::MIN_POSITIVE))
                {
                    format!("has an error below {:e}, expected one that single precision can hold", f32::MIN_POSITIVE)
                } else {
                    on_grid.push(points);
                    continue;
                };
                let which = if table.objects > 1 { format!("object {object}: ") } else { String::new() };
                return Err(IngestError::wrong(&table.path, format!("{which}{fault}")));
            }
            found.push((combine(&on_grid), seven));
        }
        Ok(found)
    }
}

/// Lays a table on the grid, on which some of it must be.
fn lay(table: &Table, grid: &Grid) -> Result<Overlaps, IngestError> {
    let wrong = |fault: String| IngestError::wrong(&table.path, fault);
    let um = &table.wavelength_um;
    let bins = match &table.widths {
        Some(bins) => bins.clone(),
        None => grid.bins_of(um).map_err(|point| {
            let um = um[point];
            wrong(format!("has a point at {um} um that stands alone, expected a column of widths (--columns, --width)"))
        })?,
    };
    let overlaps = Overlaps::new(&bins, grid);
    if !overlaps.is_empty() {
        return Ok(overlaps);
    }
    let Bin { low, high } = grid.range();
    let [least, greatest] = [um.iter().copied().fold(f64::INFINITY, f64::min), um.iter().copied().fold(0.0, f64::max)];
    let inside = |unit: &WavelengthUnit| {
        let scaled = [least, greatest].map(|um| unit.um(said(table.wavelength_unit, um)));
        scaled.iter().any(|um| (low..=high).contains(um))
    };
    let meant = [Nm, Um, Angstrom, M, PerCm].into_iter().filter(|unit| *unit != table.wavelength_unit).find(inside);
    let hint = meant.map_or(String::new(), |unit| format!("; in {} some would be inside", unit.name()));
    let unit = table.wavelength_unit.name();
    Err(wrong(format!(
        "has wavelengths of {least:.4} to {greatest:.4} um (given in {unit}), expected some inside the grid's {low:.4} to {high:.4} um{hint}"
    )))
}

/// A wavelength as its file gave it.
fn said(unit: WavelengthUnit, um: f64) -> f64 {
    match unit {
        Um => um,
        Nm => um * 1e3,
        Angstrom => um * 1e4,
        M => um / 1e6,
        PerCm => 1e4 / um,
    }
}
