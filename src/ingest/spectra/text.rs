//! Columns of text: numbers between blanks or commas, `#` before comments.

use std::fs;
use std::path::Path;

use super::column::Column;
use super::{Columns, Known, Reading, Role, units};
use crate::ingest::IngestError;

/// A longer table is no table of wavelengths.
const LONGEST: u64 = 256 << 20;

/// The text of a file.
pub(super) fn load(path: &Path) -> Result<String, IngestError> {
    let bytes = fs::metadata(path).map_err(IngestError::file(path))?.len();
    if bytes > LONGEST {
        return Err(IngestError::wrong(path, format!("is {bytes} bytes, expected a table of at most {LONGEST}")));
    }
    String::from_utf8(fs::read(path).map_err(IngestError::file(path))?)
        .map_err(|_| IngestError::wrong(path, "is neither text nor HDF5 nor NPZ, expected a table of spectra"))
}

/// The columns of a table.
pub(super) fn parse(text: &str, reading: &Reading) -> Result<Columns, String> {
    let mut roles: Option<Vec<Role>> = None;
    let (mut lines, mut values): (Vec<usize>, Vec<Vec<f64>>) = Default::default();
    for (line, number) in text.lines().zip(1..) {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let cells: Vec<&str> = if line.contains(',') {
            line.split(',').map(str::trim).collect()
        } else {
            line.split_whitespace().collect()
        };
        let roles = match &roles {
            Some(roles) if roles.len() == cells.len() => roles,
            Some(roles) => {
                let (found, wanted, first) = (cells.len(), roles.len(), lines[0]);
                return Err(format!("line {number}: has {found} columns, expected {wanted} as line {first}"));
            }
            None => {
                values = vec![Vec::new(); cells.len()];
                roles.insert(roles_of(cells.len(), reading).map_err(|fault| format!("line {number}: {fault}"))?)
            }
        };
        lines.push(number);
        for ((role, cell), values) in roles.iter().zip(cells).zip(&mut values) {
            if *role != Role::Skip {
                values.push(cell.parse().map_err(|_| {
                    let name = role.name();
                    format!("line {number}: {name} is `{cell:.40}`, expected a number (and # before words)")
                })?);
            }
        }
    }
    let Some(roles) = roles else {
        return Err("holds no numbers, expected lines of wavelength, depth, error".into());
    };
    let mut take = |wanted: Role| {
        let place = roles.iter().position(|role| *role == wanted)?;
        Some(Column::of(wanted.name(), std::mem::take(&mut values[place])))
    };
    let errors = if !reading.errors {
        Vec::new()
    } else if let Some(error) = take(Role::Error) {
        vec![error]
    } else {
        [take(Role::ErrorBelow), take(Role::ErrorAbove)].into_iter().flatten().collect()
    };
    let known = |role: &str| format!("there is a column for the {role}");
    Ok(Columns {
        wavelength: take(Role::Wavelength).unwrap_or_else(|| unreachable!("{}", known("wavelength"))),
        width: take(Role::Width),
        depth: take(Role::Depth).unwrap_or_else(|| unreachable!("{}", known("depth"))),
        errors,
        lines: Some(lines),
        masked: Vec::new(),
        known: Known::default(),
    })
}

/// What each of so many columns is.
fn roles_of(columns: usize, reading: &Reading) -> Result<Vec<Role>, String> {
    if let Some(roles) = &reading.columns {
        if roles.len() == columns {
            return Ok(roles.clone());
        }
        return Err(format!("has {columns} columns, expected {} as --columns names", roles.len()));
    }
    match columns {
        2 if !reading.errors => Ok(vec![Role::Wavelength, Role::Depth]),
        2 => Err("has 2 columns, expected 3 (wavelength, depth, error), or --no-errors".into()),
        3 => Ok(vec![Role::Wavelength, Role::Depth, Role::Error]),
        4 => Ok(vec![Role::Wavelength, Role::Depth, Role::ErrorBelow, Role::ErrorAbove]),
        _ => Err(format!(
            "has {columns} columns, expected 3 (wavelength, depth, error), 4 (errors below and above), or --columns to name them"
        )),
    }
}

/// Whether columns are named so that there is one spectrum in them.
pub fn check_roles(roles: &[Role], errors: bool) -> Result<(), String> {
    let count = |wanted: Role| roles.iter().filter(|role| **role == wanted).count();
    for role in [Role::Wavelength, Role::Depth] {
        if count(role) != 1 {
            return Err(format!("--columns names {} columns {}, expected 1", count(role), role.name()));
        }
    }
    for role in [Role::Width, Role::Error, Role::ErrorBelow, Role::ErrorAbove] {
        if count(role) > 1 {
            return Err(format!("--columns names {} columns {}, expected at most 1", count(role), role.name()));
        }
    }
    let [both, below, above] = [Role::Error, Role::ErrorBelow, Role::ErrorAbove].map(count);
    if errors && !matches!([both, below, above], [1, 0, 0] | [0, 1, 1]) {
        return Err("--columns names no errors, expected error, or error-below and error-above, or --no-errors".into());
    }
    Ok(())
}

impl Role {
    /// Its name in messages and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Wavelength => "wavelength",
            Self::Width => "width",
            Self::Depth => "depth",
            Self::Error => "error",
            Self::ErrorBelow => "error-below",
            Self::ErrorAbove => "error-above",
            Self::Skip => "skip",
        }
    }
}

/// What is wanted where a file says no unit, for messages.
pub(super) fn unit_wanted(option: &str) -> String {
    let names = if option == "--wavelength-unit" { units::WavelengthUnit::NAMES } else { units::DepthUnit::NAMES };
    format!("expected {option} with one of {names}")
}
