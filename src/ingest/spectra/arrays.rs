//! Spectra as arrays with names: what NPZ, HDF5 and ECSV have in common.

use super::column::Column;
use super::truth::{Conversion, recognise};
use super::units::{DepthUnit, WavelengthUnit};
use super::{Columns, Known, Parameters, Quantity, Reading};

/// A file of named arrays.
pub(super) trait Archive {
    /// Names of its arrays.
    fn names(&self) -> Vec<String>;
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
    let wavelength = pick(&there, reading.wavelength.as_deref(), "wavelength", &is_wavelength, "--wavelength")?;
    let wavelength = expect(wavelength, &there, "wavelength", "--wavelength")?;
    let stem = match reading.quantity {
        Quantity::Depth => "depth",
        Quantity::RadiusRatio => "radius_ratio",
    };
    let depth = expect(pick(&there, reading.depth.as_deref(), stem, &is_depth, "--depth")?, &there, stem, "--depth")?;
    let width = pick(&there, reading.width.as_deref(), "width", &is_wavelength, "--width")?;
    let errors: Vec<String> = match (reading.errors, reading.error.as_slice()) {
        (false, _) => Vec::new(),
        (true, []) => {
            let below = pick(&there, None, "error_below", &is_depth, "--error")?;
            let above = pick(&there, None, "error_above", &is_depth, "--error")?;
            match (below, above) {
                (Some(below), Some(above)) => vec![below, above],
                _ => {
                    let error = pick(&there, None, "error", &is_depth, "--error")?;
                    let names = there.join(", ");
                    vec![error.ok_or_else(|| {
                        format!("has no array `error` among {names}, expected --error to name one, or --no-errors")
                    })?]
                }
            }
        }
        (true, said) => said
            .iter()
            .map(|name| expect(pick(&there, Some(name), "error", &is_depth, "--error")?, &there, "error", "--error"))
            .collect::<Result<_, _>>()?,
    };
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
    Ok(Columns { known: parameters(archive, &there)?, ..columns })
}

/// The array that is meant: the one that was said, or the one that is called `stem`, with a unit behind it or not.
fn pick(
    there: &[String],
    said: Option<&str>,
    stem: &str,
    is_unit: &dyn Fn(&str) -> bool,
    option: &str,
) -> Result<Option<String>, String> {
    if let Some(name) = said {
        return match there.iter().find(|here| *here == name) {
            Some(name) => Ok(Some(name.clone())),
            None => Err(format!("has no array `{name}`, expected {option} to name one of {}", there.join(", "))),
        };
    }
    let fits = |name: &&String| {
        let rest = name.strip_prefix(stem);
        rest.is_some_and(|rest| {
            rest.is_empty() || rest.strip_prefix('_').is_some_and(|unit| !unit.is_empty() && is_unit(unit))
        })
    };
    let found: Vec<&String> = there.iter().filter(fits).collect();
    match found.as_slice() {
        [] => Ok(None),
        [name] => Ok(Some((*name).clone())),
        [first, second, ..] => Err(format!("has arrays `{first}` and `{second}`, expected {option} to name one")),
    }
}

fn expect(found: Option<String>, there: &[String], stem: &str, option: &str) -> Result<String, String> {
    found.ok_or_else(|| format!("has no array `{stem}` among {}, expected {option} to name one", there.join(", ")))
}

/// What is known of the atmospheres.
fn parameters(archive: &mut dyn Archive, there: &[String]) -> Result<Known, String> {
    let Some(array) = ["parameters", "params"].into_iter().find(|name| there.iter().any(|here| here == name)) else {
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
