//! Spectra as arrays with names: what NPZ, HDF5 and ECSV have in common.

use super::column::Column;
use super::names::{self, Roles};
use super::truth::{Conversion, recognise};
use super::words::some_of;
use super::{Columns, Known, Parameters, Reading, Role};

/// Arrays of the parameters, of their names and of their units.
const PARAMETERS: [&str; 2] = ["parameters", "params"];
const NAMES: [&str; 3] = ["names", "parameter_names", "param_names"];
const UNITS: [&str; 3] = ["units", "parameter_units", "param_units"];

/// A file of named arrays.
pub(super) trait Archive {
    /// What its arrays are called.
    fn noun(&self) -> &'static str {
        "array"
    }
    /// Names of its arrays.
    fn names(&self) -> Vec<String>;
    /// Whether it has an array, which may lie deeper than those of `names`.
    fn has(&self, name: &str) -> bool;
    /// An array of numbers, 1 or 2 axes.
    fn numbers(&mut self, name: &str) -> Result<Column, String>;
    /// An array of words, or those that belong to the array `of`; none where there are none.
    fn words(&mut self, of: &str, names: &[&str]) -> Result<Option<Vec<String>>, String>;
}

/// Takes the spectra out of an archive.
pub(super) fn open(archive: &mut dyn Archive, reading: &Reading) -> Result<Columns, String> {
    if reading.columns.is_some() {
        let names = archive.names().join(", ");
        return Err(format!("has names, expected --columns as NAME=ROLE with names of {names}"));
    }
    let there = archive.names();
    let roles = names::roles(&there, &|name| archive.has(name), archive.noun(), reading)?;
    let Roles { wavelength, width, depth, errors, unused } = roles;
    let mut numbers = |name: &str, role: Role| -> Result<Column, String> {
        let mut column = archive.numbers(name).map_err(|fault| format!("`{name}`: {fault}"))?;
        column.unit = column.unit.or_else(|| names::unit_of(name, role));
        Ok(column)
    };
    let columns = Columns {
        wavelength: numbers(&wavelength, Role::Wavelength)?,
        width_scale: width.as_ref().map_or(1.0, |(_, scale)| *scale),
        width: width.map(|(name, _)| numbers(&name, Role::Width)).transpose()?,
        depth: numbers(&depth, Role::Depth)?,
        errors: errors.iter().map(|name| numbers(name, Role::Error)).collect::<Result<_, _>>()?,
        lines: None,
        masked: Vec::new(),
        known: Known::default(),
    };
    let mut known = parameters(archive, reading)?;
    let of_parameters = [&PARAMETERS[..], &NAMES, &UNITS].concat();
    let unused: Vec<String> = unused.into_iter().filter(|name| !of_parameters.contains(&name.as_str())).collect();
    if !unused.is_empty() {
        known.notes.push(format!("{}s without a role, not read: {}", archive.noun(), some_of(&unused)));
    }
    Ok(Columns { known, ..columns })
}

/// What is known of the atmospheres.
fn parameters(archive: &mut dyn Archive, reading: &Reading) -> Result<Known, String> {
    let Some(array) = PARAMETERS.into_iter().find(|name| archive.has(name)) else {
        return Ok(Known::default());
    };
    let numbers = archive.numbers(array).map_err(|fault| format!("`{array}`: {fault}"))?;
    let names = archive.words(array, &NAMES)?;
    let names = names.ok_or_else(|| format!("`{array}` has no names, expected an array parameter_names beside it"))?;
    let units = archive.words(array, &UNITS)?;
    let columns = numbers.points();
    if names.len() != columns || units.as_ref().is_some_and(|units| units.len() != columns) {
        return Err(format!(
            "`{array}` has {columns} columns and {} names, expected a name and a unit each",
            names.len()
        ));
    }
    let mut which: Vec<(usize, usize, Conversion)> = Vec::new();
    let mut others = Vec::new();
    for (column, name) in names.iter().enumerate() {
        let unit = units.as_ref().map(|units| units[column].as_str());
        if let Some((quantity, conversion)) = recognise(name, unit, reading)? {
            if let Some((_, twice, _)) = which.iter().find(|(known, _, _)| *known == quantity) {
                return Err(format!("`{array}` has `{}` and `{name}`, expected each quantity once", names[*twice]));
            }
            which.push((quantity, column, conversion));
        } else {
            others.push(name.clone());
        }
    }
    let note = (!others.is_empty()).then(|| format!("`{array}`: parameters that are not stored: {}", some_of(&others)));
    Ok(Known { parameters: Parameters::Each(numbers, which), star_radius: None, notes: note.into_iter().collect() })
}
