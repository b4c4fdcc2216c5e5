//! Spectra as arrays with names: what NPZ, HDF5 and ECSV have in common.

use super::column::Column;
use super::truth::{Conversion, recognise};
use super::units::{DepthUnit, WavelengthUnit};
use super::{Columns, Known, Parameters, Quantity, Reading};

/// A file of named arrays.
pub(super) trait Archive {
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
    let there = archive.names();
    let is_wavelength = |unit: &str| WavelengthUnit::named(unit).is_some();
    let is_depth = |unit: &str| DepthUnit::named(unit).is_some();
    let pick = |said: Option<&String>, stem: &str, is_unit: &dyn Fn(&str) -> bool, option: &str| match said {
        Some(name) if archive.has(name) => Ok(Some(name.clone())),
        Some(name) => Err(format!("has no array `{name}`, expected {option} to name one of {}", there.join(", "))),
        None => only(&there, stem, is_unit, option),
    };
    let expect = |found: Option<String>, stem: &str, wanted: &str| {
        found.ok_or_else(|| format!("has no array `{stem}` among {}, expected {wanted}", there.join(", ")))
    };
    let stem = match reading.quantity {
        Quantity::Depth => "depth",
        Quantity::RadiusRatio => "radius_ratio",
    };
    let wavelength = pick(reading.wavelength.as_ref(), "wavelength", &is_wavelength, "--wavelength")?;
    let wavelength = expect(wavelength, "wavelength", "--wavelength to name one")?;
    let depth = expect(pick(reading.depth.as_ref(), stem, &is_depth, "--depth")?, stem, "--depth to name one")?;
    let width = pick(reading.width.as_ref(), "width", &is_wavelength, "--width")?;
    let mut errors = Vec::new();
    if reading.errors && reading.error.is_empty() {
        let sides = ["error_below", "error_above"].map(|side| pick(None, side, &is_depth, "--error"));
        let [below, above] = sides;
        if let (Some(below), Some(above)) = (below?, above?) {
            errors = vec![below, above];
        } else {
            let error = pick(None, "error", &is_depth, "--error")?;
            errors.push(expect(error, "error", "--error to name one, or --no-errors")?);
        }
    } else if reading.errors {
        for name in &reading.error {
            errors.extend(pick(Some(name), "error", &is_depth, "--error")?);
        }
    }
    let mut numbers = |name: &str, is_unit: &dyn Fn(&str) -> bool| -> Result<Column, String> {
        let mut column = archive.numbers(name).map_err(|fault| format!("`{name}`: {fault}"))?;
        let behind = name.rsplit_once('_').map(|(_, unit)| unit).filter(|unit| !unit.is_empty() && is_unit(unit));
        column.unit = column.unit.or_else(|| behind.map(str::to_owned));
        Ok(column)
    };
    let columns = Columns {
        wavelength: numbers(&wavelength, &is_wavelength)?,
        width: width.map(|name| numbers(&name, &is_wavelength)).transpose()?,
        depth: numbers(&depth, &is_depth)?,
        errors: errors.iter().map(|name| numbers(name, &is_depth)).collect::<Result<_, _>>()?,
        lines: None,
        masked: Vec::new(),
        known: Known::default(),
    };
    Ok(Columns { known: parameters(archive)?, ..columns })
}

/// The array that is called `stem`, with a unit behind it or not.
fn only(there: &[String], stem: &str, is_unit: &dyn Fn(&str) -> bool, option: &str) -> Result<Option<String>, String> {
    let fits = |name: &&String| match name.strip_prefix(stem) {
        Some("") => true,
        rest => rest.and_then(|rest| rest.strip_prefix('_')).is_some_and(|unit| !unit.is_empty() && is_unit(unit)),
    };
    let found: Vec<&String> = there.iter().filter(fits).collect();
    match found.as_slice() {
        [] => Ok(None),
        [name] => Ok(Some((*name).clone())),
        [first, second, ..] => Err(format!("has arrays `{first}` and `{second}`, expected {option} to name one")),
    }
}

/// What is known of the atmospheres.
fn parameters(archive: &mut dyn Archive) -> Result<Known, String> {
    let Some(array) = ["parameters", "params"].into_iter().find(|name| archive.has(name)) else {
        return Ok(Known::default());
    };
    let numbers = archive.numbers(array).map_err(|fault| format!("`{array}`: {fault}"))?;
    let names = archive.words(array, &["names", "parameter_names", "param_names"])?;
    let names = names.ok_or_else(|| format!("`{array}` has no names, expected an array parameter_names beside it"))?;
    let units = archive.words(array, &["units", "parameter_units", "param_units"])?;
    let columns = numbers.points();
    if names.len() != columns || units.as_ref().is_some_and(|units| units.len() != columns) {
        return Err(format!(
            "`{array}` has {columns} columns and {} names, expected a name and a unit each",
            names.len()
        ));
    }
    let mut which: Vec<(usize, usize, Conversion)> = Vec::new();
    for (column, name) in names.iter().enumerate() {
        let unit = units.as_ref().map(|units| units[column].as_str());
        if let Some((quantity, conversion)) = recognise(name, unit)? {
            if let Some((_, twice, _)) = which.iter().find(|(known, _, _)| *known == quantity) {
                return Err(format!("`{array}` has `{}` and `{name}`, expected each quantity once", names[*twice]));
            }
            which.push((quantity, column, conversion));
        }
    }
    Ok(Known { parameters: Parameters::Each(numbers, which), star_radius: None })
}
