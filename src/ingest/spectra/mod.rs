//! Other people's spectra become records on one grid: text, ECSV, NPZ, HDF5 and the output of TauREx 3.
//!
//! A *table* is what a file holds: one or many spectra over one list of wavelengths; an *object* is what a record is of, from one table or
//! from several that were joined.
//!
//! A table of text, ECSV or IPAC becomes `cells`; those and the arrays of other files have roles by `names`.
//!
//! open (names, units, wavelengths) -> read (depths and errors, checked) -> bins (onto the grid) -> combine (instruments)

use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

mod arrays;
pub mod bins;
mod cells;
mod column;
mod ecsv;
mod hdf5;
mod ipac;
mod names;
mod npz;
mod object;
mod recipe;
mod text;
mod truth;
pub mod units;
mod words;

pub use bins::{Bin, Grid, Overlaps, Points, combine};
pub use object::{Object, grid};
pub use recipe::{ColumnRole, Recipe};
pub use text::{check_names, check_roles};
pub use units::{DepthUnit, MassUnit, Quantity, RadiusUnit, WavelengthUnit};

use self::arrays::Archive;
use self::column::Column;
use self::truth::Conversion;
use super::{HDF5, IngestError, Named};
use crate::files;

/// What a column of a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "their names say it all")]
pub enum Role {
    Wavelength,
    /// Full width of a bin, in the unit of the wavelength.
    Width,
    /// Half the width of a bin, in the unit of the wavelength.
    HalfWidth,
    Depth,
    Error,
    ErrorBelow,
    ErrorAbove,
    Skip,
}

/// Which spectrum of TauREx's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TaurexSpectrum {
    /// As it was computed.
    Native,
    /// In the bins of the observation or of the input file.
    Binned,
    /// As an instrument would see it, with its noise.
    Instrument,
    /// The observation itself.
    Observed,
}

impl Named for Role {
    const ALL: &[Self] = &[
        Self::Wavelength,
        Self::Width,
        Self::HalfWidth,
        Self::Depth,
        Self::Error,
        Self::ErrorBelow,
        Self::ErrorAbove,
        Self::Skip,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Wavelength => "wavelength",
            Self::Width => "width",
            Self::HalfWidth => "half-width",
            Self::Depth => "depth",
            Self::Error => "error",
            Self::ErrorBelow => "error-below",
            Self::ErrorAbove => "error-above",
            Self::Skip => "skip",
        }
    }
}

impl Named for TaurexSpectrum {
    const ALL: &[Self] = &[Self::Native, Self::Binned, Self::Instrument, Self::Observed];

    fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Binned => "binned",
            Self::Instrument => "instrument",
            Self::Observed => "observed",
        }
    }
}

/// What brings depths to those of a star of one solar radius, as ExoGAN's training set has it: (Rp/Rs)^2 Rs^2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum StarRadius {
    /// Nothing: depths stay as they are.
    #[default]
    Kept,
    /// This radius, in the Sun's.
    Is(f64),
    /// The radius that the file, or the parameter file beside it, says.
    Said,
}

impl FromStr for StarRadius {
    type Err = String;

    /// A number of solar radii, or `said`.
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "said" {
            return Ok(Self::Said);
        }
        let radius = text.parse::<f64>().ok().filter(|radius| *radius > 0.0 && radius.is_finite());
        radius.map(Self::Is).ok_or_else(|| "expected a positive number of solar radii, or said".into())
    }
}

/// How files are to be understood, where they do not say it themselves.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// Name of the wavelengths.
    pub wavelength: Option<String>,
    /// Name of the full widths of bins.
    pub width: Option<String>,
    /// Name of the depths.
    pub depth: Option<String>,
    /// Name of the errors, or of those below and above.
    pub error: Vec<String>,
    /// Columns of a text, by position.
    pub columns: Option<Vec<Role>>,
    /// Columns by name.
    pub named: Vec<(String, Role)>,
    /// Unit of the wavelengths.
    pub wavelength_unit: Option<WavelengthUnit>,
    /// Unit of depths and errors.
    pub depth_unit: Option<DepthUnit>,
    /// What depths are.
    pub quantity: Quantity,
    /// Whether errors are read.
    pub errors: bool,
    /// Whether NaN means not observed.
    pub nan_is_masked: bool,
    /// Which spectrum of TauREx's output.
    pub taurex: Option<TaurexSpectrum>,
    /// The radius of the star.
    pub star_radius: StarRadius,
    /// Unit of the planets' masses.
    pub mass_unit: Option<MassUnit>,
    /// Unit of the planets' radii.
    pub radius_unit: Option<RadiusUnit>,
}

/// What kind of file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "their names say it all")]
pub enum Format {
    Text,
    Ecsv,
    Npz,
    Hdf5,
    Taurex,
}

impl Format {
    /// Its name in manifests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Ecsv => "ecsv",
            Self::Npz => "npz",
            Self::Hdf5 => "hdf5",
            Self::Taurex => "taurex",
        }
    }
}

/// What a reader finds in a file, before units.
struct Columns {
    wavelength: Column,
    width: Option<Column>,
    /// What widths are multiplied by to be full ones.
    width_scale: f64,
    depth: Column,
    /// None, one for both sides, or below and above.
    errors: Vec<Column>,
    /// Lines of the points in a text.
    lines: Option<Vec<usize>>,
    /// Points that the file itself masks, ascending.
    masked: Vec<usize>,
    known: Known,
}

/// What is known of the objects.
#[derive(Debug, Default)]
struct Known {
    parameters: Parameters,
    /// In the Sun's.
    star_radius: Option<f64>,
    /// What the files say that was not understood or not used, for the log.
    notes: Vec<String>,
}

/// The seven parameters.
#[derive(Debug, Default)]
enum Parameters {
    #[default]
    Unknown,
    /// The same for all objects of the file.
    Shared([f64; 7]),
    /// A row an object: which quantity is which column, and how it becomes ours.
    Each(Column, Vec<(usize, usize, Conversion)>),
}

/// An opened file: its wavelengths are known and in order, its depths are still in the file.
pub struct Table {
    /// The file.
    pub path: PathBuf,
    /// Its kind.
    pub format: Format,
    /// Its length.
    pub bytes: u64,
    /// Spectra in it.
    pub objects: usize,
    /// Centres in micrometres, in the file's order if that is one, else ascending in the file's unit.
    pub wavelength_um: Vec<f64>,
    /// The bins that it says itself.
    pub widths: Option<Vec<Bin>>,
    /// Of the wavelengths in the file.
    pub wavelength_unit: WavelengthUnit,
    /// Of the depths in the file.
    pub depth_unit: DepthUnit,
    /// The star's radius that it says, in the Sun's.
    pub star_radius: Option<f64>,
    /// What of the file was not understood or not used, for the log.
    pub notes: Vec<String>,
    /// Where each point is in the file, if the file has them in no order.
    order: Option<Vec<usize>>,
    /// What depths are multiplied by.
    factor: f64,
    error_units: Vec<DepthUnit>,
    quantity: Quantity,
    nan_is_masked: bool,
    columns: Columns,
}

impl Table {
    /// Opens a file; `truth` is the parameter file that is said to belong to it.
    pub fn open(path: &Path, truth: Option<&Path>, reading: &Reading) -> Result<Self, IngestError> {
        const WANTED: &str = "a spectrum: text, ECSV, NPZ or HDF5";
        files::expect_file(path, WANTED).map_err(IngestError::file(path))?;
        let mut file = File::open(path).map_err(IngestError::file(path))?;
        let bytes = file.metadata().map_err(IngestError::file(path))?.len();
        let mut magic = Vec::new();
        Read::by_ref(&mut file).take(8).read_to_end(&mut magic).map_err(IngestError::file(path))?;
        let wrong = |fault: String| IngestError::wrong(path, fault);
        let instead = |what: &str| Err(wrong(format!("is {what}, expected {WANTED}")));
        let (format, mut columns) = match magic.as_slice() {
            [] => return instead("empty"),
            [0x1f, 0x8b, ..] => return instead("compressed by gzip"),
            [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => return instead("a bare NPY array, without names"),
            [b'S', b'I', b'M', b'P', b'L', b'E', b' ', ..] => return instead("FITS"),
            [b'P', b'K', 3 | 5, 4 | 6, ..] => {
                let mut archive = npz::Npz::open(path).map_err(wrong)?;
                (Format::Npz, arrays::open(&mut archive, reading).map_err(wrong)?)
            }
            magic if magic == HDF5 => {
                let mut file = hdf5::File::open(path)?;
                if file.is_taurex() {
                    (Format::Taurex, file.taurex(reading).map_err(wrong)?)
                } else {
                    (Format::Hdf5, arrays::open(&mut file as &mut dyn Archive, reading).map_err(wrong)?)
                }
            }
            _ => {
                let text = text::load(path)?;
                if text.starts_with(ecsv::MAGIC) {
                    (Format::Ecsv, ecsv::parse(&text, reading).map_err(wrong)?)
                } else {
                    (Format::Text, text::parse(&text, reading).map_err(wrong)?)
                }
            }
        };
        let beside = path.with_extension("par");
        let is_text = matches!(format, Format::Text | Format::Ecsv);
        if let Some(par) = truth.or_else(|| (is_text && beside != path && beside.is_file()).then_some(beside.as_path()))
        {
            let notes = std::mem::take(&mut columns.known.notes);
            columns.known = truth::par(par, reading)?;
            columns.known.notes.extend(notes);
        }
        Self::new(path, format, bytes, columns, reading)
    }

    fn new(path: &Path, format: Format, bytes: u64, columns: Columns, reading: &Reading) -> Result<Self, IngestError> {
        let wrong = |fault: String| IngestError::wrong(path, fault);
        let points = columns.wavelength.points();
        if columns.wavelength.has_rows() {
            let shape = &columns.wavelength.shape;
            return Err(wrong(format!("`{}` has shape {shape:?}, expected [points]", columns.wavelength.name)));
        }
        let objects = if columns.depth.has_rows() { columns.depth.shape[0] } else { 1 };
        for column in columns.width.iter().chain([&columns.depth]).chain(&columns.errors) {
            let is_error = columns.errors.iter().any(|error| std::ptr::eq(error, column));
            let fits = column.points() == points
                && (!column.has_rows()
                    || (column.shape[0] == objects && (is_error || column.name == columns.depth.name)));
            if !fits {
                let wanted = if objects > 1 { format!("[{objects}, {points}]") } else { format!("[{points}]") };
                return Err(wrong(format!(
                    "`{}` has shape {:?}, expected {wanted} as {} points of `{}` want it",
                    column.name, column.shape, points, columns.wavelength.name
                )));
            }
        }
        if let Parameters::Each(column, _) = &columns.known.parameters
            && (if column.has_rows() { column.shape[0] } else { 1 }) != objects
        {
            return Err(wrong(format!("`{}` has shape {:?}, expected {objects} rows", column.name, column.shape)));
        }
        let no_unit = |what: &str, option: &str| {
            let wanted = text::unit_wanted(option);
            IngestError::Usage(format!("{}: says no unit of its {what}, {wanted}", path.display()))
        };
        let wavelength_unit = wavelength_unit(&columns.wavelength, reading.wavelength_unit)
            .map_err(wrong)?
            .ok_or_else(|| no_unit("wavelengths", "--wavelength-unit"))?;
        let unit = depth_unit(&columns.depth, reading.depth_unit).map_err(wrong)?;
        let unit = unit.ok_or_else(|| no_unit("depths", "--depth-unit"))?;
        // Errors that say nothing are in the unit of the depths.
        let error_units = columns.errors.iter().map(|error| Ok(depth_unit(error, Some(unit))?.unwrap_or(unit)));
        let error_units = error_units.collect::<Result<_, String>>().map_err(wrong)?;
        if format == Format::Text {
            let said = [(reading.wavelength_unit.map(Named::name), wavelength_unit.name(), "--wavelength-unit")];
            let depth = [(reading.depth_unit.map(Named::name), unit.name(), "--depth-unit")];
            for (option, here, name) in said.into_iter().chain(depth) {
                if let Some(option) = option.filter(|option| *option != here) {
                    return Err(wrong(format!("its line of names says {here}, expected {name} {here}, not {option}")));
                }
            }
        }
        let factor = match reading.star_radius {
            StarRadius::Kept => 1.0,
            StarRadius::Is(radius) => radius * radius,
            StarRadius::Said => {
                let said = columns.known.star_radius.filter(|radius| *radius > 0.0);
                let fault =
                    "says no radius of its star, expected --star-radius with a number, or a .par file that says it";
                said.ok_or_else(|| wrong(fault.into()))?.powi(2)
            }
        };
        let mut table = Self {
            path: path.to_owned(),
            format,
            bytes,
            objects,
            wavelength_um: Vec::new(),
            widths: None,
            wavelength_unit,
            depth_unit: unit,
            star_radius: columns.known.star_radius,
            notes: Vec::new(),
            order: None,
            factor,
            error_units,
            quantity: reading.quantity,
            nan_is_masked: reading.nan_is_masked,
            columns,
        };
        table.place().map_err(wrong)?;
        table.notes.append(&mut table.columns.known.notes);
        Ok(table)
    }

    /// Brings wavelengths, and widths where they are given, to micrometres, and checks them.
    fn place(&mut self) -> Result<(), String> {
        let unit = self.wavelength_unit;
        let values = self.columns.wavelength.all()?;
        if let Some(bad) = values.iter().position(|value| !(*value > 0.0 && value.is_finite())) {
            let place = self.at(&self.columns.wavelength, 0, bad);
            return Err(format!("{place} is {}, expected a positive number", values[bad]));
        }
        let mut order: Vec<usize> = (0..values.len()).collect();
        let is_ordered = |pair: &[f64]| pair[1] != pair[0] && (pair[1] > pair[0]) == (values[1] > values[0]);
        let moved = values.windows(2).filter(|pair| !is_ordered(pair)).count();
        if moved > 0 {
            order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
        }
        if let Some(pair) = order.windows(2).find(|pair| values[pair[0]] == values[pair[1]]) {
            let (first, second) = (pair[0].min(pair[1]), pair[0].max(pair[1]));
            let [first, second] = [first, second].map(|point| self.at(&self.columns.wavelength, 0, point));
            let first = first.split(':').next().unwrap_or_default();
            let value = values[pair[0]];
            return Err(format!("{second} is {value}, the same as in {first}, expected each wavelength once"));
        }
        self.wavelength_um = order.iter().map(|point| unit.um(values[*point])).collect();
        if let Some(widths) = &self.columns.width {
            let (all, scale) = (widths.all()?, self.columns.width_scale);
            let bins = order.iter().map(|&point| {
                let (centre, width) = (values[point], scale * all[point]);
                // A masked point may lack its width.
                if self.columns.masked.binary_search(&point).is_ok() && width.is_nan() {
                    return Ok(Bin::between(unit.um(centre), unit.um(centre)));
                }
                if !(width > 0.0 && width < 2.0 * centre) {
                    let (width, most) = (all[point], 2.0 * centre / scale);
                    let wanted = format!("more than 0 and less than {most}, so that the bin is above 0");
                    return Err(format!("{} is {width}, expected {wanted}", self.at(widths, 0, point)));
                }
                Ok(Bin::between(unit.um(centre - width / 2.0), unit.um(centre + width / 2.0)))
            });
            self.widths = Some(bins.collect::<Result<_, String>>()?);
        }
        if moved > 0 {
            self.notes.push(format!("points are in no order of wavelength, {moved} steps are backwards: sorted"));
            self.order = Some(order);
        }
        let masked = self.columns.masked.len();
        if masked > 0 {
            self.notes.push(format!("{masked} of {} points are masked, as the file says", values.len()));
        }
        Ok(())
    }

    /// The spectra of some objects, checked, each with the seven parameters.
    pub fn read(&self, objects: Range<usize>) -> Result<Vec<(Points, [f32; 7])>, IngestError> {
        self.spectra(objects).map_err(|fault| IngestError::wrong(&self.path, fault))
    }

    fn spectra(&self, objects: Range<usize>) -> Result<Vec<(Points, [f32; 7])>, String> {
        let points = self.wavelength_um.len();
        let depths = self.columns.depth.rows(objects.clone())?;
        let errors: Vec<Vec<f64>> =
            self.columns.errors.iter().map(|column| column.rows(objects.clone())).collect::<Result<_, _>>()?;
        let seven = self.parameters(objects.clone())?;
        let mut found = Vec::with_capacity(objects.len());
        for (row, (object, seven)) in objects.zip(seven).enumerate() {
            let mut spectrum = Points::default();
            let mut sign_below = 0.0;
            for place in 0..points {
                let point = self.order.as_ref().map_or(place, |order| order[place]);
                let depth = depths[row * points + point];
                let error = |side: usize| {
                    let side = side.min(errors.len() - 1);
                    let shared = !self.columns.errors[side].has_rows();
                    errors[side][if shared { point } else { row * points + point }]
                };
                let mut both = if errors.is_empty() { [1.0; 2] } else { [error(0), error(1)] };
                // A lower error may be given as a negative number: then all are.
                if errors.len() == 2 && both[0] != 0.0 && !both[0].is_nan() {
                    let sign = both[0].signum();
                    if sign_below != 0.0 && sign != sign_below {
                        let place = self.at(&self.columns.errors[0], object, point);
                        let before = if sign > 0.0 { "negative" } else { "positive" };
                        return Err(format!("{place} is {} after {before} ones, expected one sign", both[0]));
                    }
                    sign_below = sign;
                    both[0] = both[0].abs();
                }
                let observed = self.check(object, point, depth, both)?;
                let (depth, both) =
                    if observed { self.physical(object, point, depth, both)? } else { (f64::NAN, [f64::NAN; 2]) };
                spectrum.depth.push(depth);
                if !errors.is_empty() {
                    spectrum.errors.push(both);
                }
            }
            if spectrum.depth.iter().all(|depth| depth.is_nan()) {
                let which = if self.objects > 1 { format!("object {object}: ") } else { String::new() };
                return Err(format!("{which}all points are masked, expected one that is not"));
            }
            found.push((spectrum, seven));
        }
        Ok(found)
    }

    /// Whether a point was observed; else, or where its numbers cannot be, why not.
    fn check(&self, object: usize, point: usize, depth: f64, errors: [f64; 2]) -> Result<bool, String> {
        if self.columns.masked.binary_search(&point).is_ok() {
            return Ok(false);
        }
        // TauREx's bins that its own spectrum does not reach are 0.
        if self.format == Format::Taurex && depth == 0.0 {
            return Ok(false);
        }
        let column = &self.columns.depth;
        if depth.is_nan() || errors.iter().any(|error| error.is_nan()) {
            if self.nan_is_masked {
                return Ok(false);
            }
            let column = if depth.is_nan() { column } else { &self.columns.errors[0] };
            let wanted = "expected a number, or --mask-nan where it means not observed";
            return Err(format!("{} is NaN, {wanted}", self.at(column, object, point)));
        }
        for (side, error) in errors.into_iter().enumerate() {
            if !(error > 0.0 && error.is_finite()) {
                let column = &self.columns.errors[side.min(self.columns.errors.len() - 1)];
                return Err(format!("{} is {error}, expected a positive number", self.at(column, object, point)));
            }
        }
        Ok(true)
    }

    /// Depth and errors as fractions of a star of one solar radius, or of the star that there is.
    fn physical(&self, object: usize, point: usize, value: f64, errors: [f64; 2]) -> Result<(f64, [f64; 2]), String> {
        let fraction = self.depth_unit.fraction(value);
        let unit = |side: usize| self.error_units.get(side.min(self.error_units.len().max(1) - 1)).copied();
        let errors = [0, 1].map(|side| unit(side).map_or(errors[side], |unit| unit.fraction(errors[side])));
        let (depth, errors) = self.quantity.depth(fraction, errors);
        let (depth, errors) = (depth * self.factor, errors.map(|error| error * self.factor));
        if !(fraction > 0.0 && fraction < 1.0 && depth < 1.0) {
            let (what, unit) = (self.at(&self.columns.depth, object, point), self.depth_unit.name());
            let star = if self.factor == 1.0 { "" } else { " before and after --star-radius" };
            return Err(format!(
                "{what} is {value} ({unit}), expected more than 0 and less than 1 as a fraction{star}"
            ));
        }
        Ok((depth, errors))
    }

    /// The seven parameters of some objects.
    fn parameters(&self, objects: Range<usize>) -> Result<Vec<[f32; 7]>, String> {
        let single = |seven: [f64; 7]| seven.map(|value| value as f32);
        match &self.columns.known.parameters {
            Parameters::Unknown => Ok(vec![single(truth::UNKNOWN); objects.len()]),
            Parameters::Shared(seven) => Ok(vec![single(*seven); objects.len()]),
            Parameters::Each(column, which) => {
                let rows = column.rows(objects.clone())?;
                let rows = rows.chunks_exact(column.points()).zip(objects);
                rows.map(|(row, object)| {
                    let mut seven = truth::UNKNOWN;
                    for &(quantity, from, conversion) in which {
                        let value = conversion.of(row[from]);
                        seven[quantity] =
                            value.map_err(|fault| format!("{}[{object}, {from}] {fault}", column.name))?;
                    }
                    Ok(single(seven))
                })
                .collect()
            }
        }
    }

    /// A number's name and place.
    fn at(&self, column: &Column, object: usize, point: usize) -> String {
        let name = &column.name;
        match &self.columns.lines {
            Some(lines) => format!("line {}: {name}", lines[point]),
            None if column.has_rows() => format!("{name}[{object}, {point}]"),
            None => format!("{name}[{point}]"),
        }
    }
}

/// What a column says of its unit; the option where it says nothing.
fn wavelength_unit(column: &Column, option: Option<WavelengthUnit>) -> Result<Option<WavelengthUnit>, String> {
    let Some(said) = &column.unit else { return Ok(option) };
    let names = WavelengthUnit::NAMES;
    let unit = WavelengthUnit::named(said);
    unit.map(Some).ok_or_else(|| format!("`{}` is in `{said:.20}`, expected one of {names}", column.name))
}

fn depth_unit(column: &Column, option: Option<DepthUnit>) -> Result<Option<DepthUnit>, String> {
    let Some(said) = &column.unit else { return Ok(option) };
    let unit = DepthUnit::named(said);
    unit.map(Some).ok_or_else(|| format!("`{}` is in `{said:.20}`, expected one of {}", column.name, DepthUnit::NAMES))
}
