//! HDF5: datasets with names, and what TauREx 3 writes (`taurex -o`).

use std::ops::Deref;
use std::path::Path;

use hdf5::types::{FixedAscii, FixedUnicode, TypeDescriptor, VarLenAscii, VarLenUnicode};

use super::arrays::Archive;
use super::column::{Column, Numbers};
use super::truth::seven;
use super::{Columns, Known, Parameters, Reading, TaurexSpectrum};
use crate::atmosphere::JUPITER_MASS_KG;
use crate::ingest::IngestError;
use crate::ingest::hdf5::{Packing, can_be_there, first_line, number_size, open_file};

/// In m^3 kg^-1 s^-2.
const GRAVITATION: f64 = 6.674e-11;
/// Longer words are no names.
const LONGEST_WORD: usize = 64;
/// More words are no table's.
const MOST_WORDS: usize = 1 << 12;

/// An open file.
pub(super) struct File {
    file: hdf5::File,
}

impl File {
    pub(super) fn open(path: &Path) -> Result<Self, IngestError> {
        Ok(Self { file: open_file(path)? })
    }

    /// Whether TauREx 3 wrote it.
    pub(super) fn is_taurex(&self) -> bool {
        self.file.link_exists("Output") && self.file.link_exists("ModelParameters")
    }

    /// The spectrum that TauREx computed, or observed.
    pub(super) fn taurex(&self, reading: &Reading) -> Result<Columns, String> {
        if reading.columns.is_some() || !reading.named.is_empty() {
            return Err("is the output of TauREx 3, whose columns are known, expected no --columns".into());
        }
        let has = |path: &str| self.has_path(path);
        if !has("Output/Spectra") && !has("Observed") {
            return Err("has no Output/Spectra, expected the output of a forward model of TauREx 3".into());
        }
        let which = reading.taurex.unwrap_or(if has("Output/Spectra/instrument_spectrum") {
            TaurexSpectrum::Instrument
        } else if has("Output/Spectra/binned_wngrid") {
            TaurexSpectrum::Binned
        } else {
            TaurexSpectrum::Native
        });
        let [grid, unit, spectrum, error, width] = match which {
            TaurexSpectrum::Native => {
                ["Output/Spectra/native_wngrid", "cm-1", "Output/Spectra/native_spectrum", "", ""]
            }
            TaurexSpectrum::Binned => {
                ["Output/Spectra/binned_wngrid", "cm-1", "Output/Spectra/binned_spectrum", "", ""]
            }
            TaurexSpectrum::Instrument => [
                "Output/Spectra/instrument_wngrid",
                "cm-1",
                "Output/Spectra/instrument_spectrum",
                "Output/Spectra/instrument_noise",
                "Output/Spectra/instrument_wnwidth",
            ],
            TaurexSpectrum::Observed => {
                ["Observed/wlgrid", "um", "Observed/spectrum", "Observed/errorbars", "Observed/binwidths"]
            }
        };
        // A word as the unit of a column is the file's own; TauREx has these by definition.
        let read = |path: &str, unit: &str| -> Result<Column, String> {
            let mut column = self.column(path).map_err(|fault| format!("`{path}`: {fault}"))?;
            column.unit = Some(unit.to_owned());
            Ok(column)
        };
        let optional = |path: &str, unit: &str| if has(path) { read(path, unit).map(Some) } else { Ok(None) };
        let errors = if reading.errors {
            let name = if error.is_empty() { "spectrum without errors" } else { error };
            let error = optional(error, "fraction")?;
            vec![error.ok_or_else(|| {
                format!(
                    "`{spectrum}`: {name} is not there, expected --no-errors, or a spectrum of an instrument (--taurex)"
                )
            })?]
        } else {
            Vec::new()
        };
        Ok(Columns {
            wavelength: read(grid, unit)?,
            // TauREx gives the width of an observed bin in wavenumbers.
            width_scale: 1.0,
            width: if which == TaurexSpectrum::Observed { None } else { optional(width, unit)? },
            depth: read(spectrum, "fraction")?,
            errors,
            lines: None,
            masked: Vec::new(),
            known: self.taurex_parameters(),
        })
    }

    /// What TauREx's model was: one temperature and constant mixing ratios, else unknown.
    fn taurex_parameters(&self) -> Known {
        let scalar = |path: &str| self.scalar(&format!("ModelParameters/{path}"));
        let mut numbers = Vec::new();
        for (path, name, unit) in [
            // Its `mass_kg` and `radius_m` hold Jupiter's units as well (3.1.14), so they are not used.
            ("Planet/planet_mass", "planet_mass", "mjup"),
            ("Temperature/T", "temperature", "K"),
            ("Chemistry/H2O/mix_ratio", "h2o", ""),
            ("Chemistry/CO2/mix_ratio", "co2", ""),
            ("Chemistry/CO/mix_ratio", "co", ""),
            ("Chemistry/CH4/mix_ratio", "ch4", ""),
        ] {
            if let Some(value) = scalar(path) {
                numbers.push((name, unit, value));
            }
        }
        // Jupiter's radius is the equatorial one in new versions and the mean one in old ones; the surface gravity tells which.
        if let (Some(mass), Some(gravity)) = (scalar("Planet/planet_mass"), scalar("Planet/surface_gravity")) {
            numbers.push(("planet_radius", "m", (GRAVITATION * mass * JUPITER_MASS_KG / gravity).sqrt()));
        }
        Known { parameters: Parameters::Shared(seven(&numbers)), star_radius: scalar("Star/radius"), notes: Vec::new() }
    }

    fn scalar(&self, path: &str) -> Option<f64> {
        let dataset = if self.has_path(path) { self.file.dataset(path).ok()? } else { return None };
        number_size(&dataset).ok()?;
        let value = if dataset.shape().is_empty() { dataset.read_scalar::<f64>().ok()? } else { return None };
        value.is_finite().then_some(value)
    }

    /// Whether all steps of a path are there.
    fn has_path(&self, path: &str) -> bool {
        !path.is_empty()
            && path
                .match_indices('/')
                .map(|(end, _)| end)
                .chain([path.len()])
                .all(|end| self.file.link_exists(&path[..end]))
    }

    fn column(&self, name: &str) -> Result<Column, String> {
        if !self.has_path(name) {
            return Err("is not there".into());
        }
        let dataset = self.file.dataset(name).map_err(|error| first_line(&error))?;
        let size = number_size(&dataset)?;
        let shape = dataset.shape();
        if !matches!(shape.len(), 1 | 2) || shape.contains(&0) {
            return Err(format!("has shape {shape:?}, expected [points] or [objects, points]"));
        }
        if !can_be_there(&dataset, size, self.file.size()) {
            return Err(format!("has shape {shape:?}, more than the {} bytes of the file can hold", self.file.size()));
        }
        let unit = ["unit", "units"].iter().find_map(|name| {
            let attribute = dataset.attr(name).ok()?;
            words(&attribute)?.into_iter().next()
        });
        let numbers = match Packing::of(&dataset)? {
            None => Numbers::Hdf5(dataset),
            Some(packing) => {
                let stored = dataset.read_raw::<f64>().map_err(|error| first_line(&error))?;
                Numbers::Held(stored.into_iter().map(|stored| packing.unpack(stored)).collect())
            }
        };
        Ok(Column { name: name.to_owned(), unit, shape, numbers })
    }
}

impl Archive for File {
    fn names(&self) -> Vec<String> {
        let datasets = self.file.datasets().unwrap_or_default();
        datasets.iter().map(|dataset| dataset.name().trim_start_matches('/').to_owned()).collect()
    }

    fn has(&self, name: &str) -> bool {
        self.has_path(name)
    }

    fn numbers(&mut self, name: &str) -> Result<Column, String> {
        self.column(name)
    }

    fn words(&mut self, of: &str, names: &[&str]) -> Result<Option<Vec<String>>, String> {
        for name in names {
            let attribute = self.file.dataset(of).ok().and_then(|dataset| dataset.attr(name).ok());
            if let Some(found) = attribute.and_then(|attribute| words(&attribute)) {
                return Ok(Some(found));
            }
            if self.has_path(name) {
                let dataset = self.file.dataset(name).map_err(|error| first_line(&error))?;
                let found = words(&dataset).ok_or_else(|| format!("`{name}` holds no words"))?;
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

/// Words of an attribute or a dataset, however they are stored.
fn words(from: &hdf5::Container) -> Option<Vec<String>> {
    fn read<T: hdf5::H5Type + Deref<Target = str>>(from: &hdf5::Container) -> Option<Vec<String>> {
        // libhdf5 hands over bytes as they are in the file, which need not be text.
        from.read_raw::<T>().ok()?.iter().map(|word| String::from_utf8(word.as_bytes().to_vec()).ok()).collect()
    }
    if from.size() > MOST_WORDS {
        return None;
    }
    match from.dtype().ok()?.to_descriptor().ok()? {
        TypeDescriptor::FixedAscii(length) if length <= LONGEST_WORD => read::<FixedAscii<LONGEST_WORD>>(from),
        TypeDescriptor::FixedUnicode(length) if length <= LONGEST_WORD => read::<FixedUnicode<LONGEST_WORD>>(from),
        TypeDescriptor::VarLenAscii => read::<VarLenAscii>(from),
        TypeDescriptor::VarLenUnicode => read::<VarLenUnicode>(from),
        _ => None,
    }
}
