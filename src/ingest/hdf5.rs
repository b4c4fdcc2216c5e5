//! Stacks in HDF5 files: a dataset of numbers of any kind, chunked, compressed or not, a slab at a time.
//!
//! netCDF files are HDF5 files, in which attributes say what stored numbers mean (CF conventions 1.11, sections 2.5.1 and 8.1).

use std::ops::Range;
use std::path::Path;

use hdf5::{Hyperslab, SliceOrIndex};
use serde::{Deserialize, Serialize};

use super::bytes::MOST_PACKED;
use super::{IngestError, maps_of};

/// For chunks that several slabs need.
const CHUNK_CACHE_BYTES: usize = 32 << 20;

/// More pixels than any map has.
const MOST_ON_A_SIDE: u64 = 1 << 20;
/// More values that stand for no value are no list of them.
const MOST_MISSING: usize = 64;

/// A dataset of maps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stack {
    /// Its path in the file.
    pub dataset: String,
    /// Its shape there.
    pub full_shape: Vec<usize>,
    /// `[n, h, w]`.
    pub shape: [usize; 3],
    /// What its numbers mean, where attributes say so.
    pub packing: Option<Packing>,
}

/// Physical value = offset + scale x stored value, where that is not missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Packing {
    /// `scale_factor`.
    pub scale: f64,
    /// `add_offset`.
    pub offset: f64,
    /// Stored values that stand for no value: `_FillValue` and `missing_value`.
    pub missing: Vec<f64>,
    /// Stored values below are none: `valid_min`.
    pub least: Option<f64>,
    /// Stored values above are none: `valid_max`.
    pub greatest: Option<f64>,
    /// Whether numbers are stored in single precision, to which missing values are rounded then.
    pub single: bool,
}

impl Packing {
    /// What the attributes of a dataset say; none where its numbers are meant as they are.
    pub(super) fn of(dataset: &hdf5::Dataset) -> Result<Option<Self>, String> {
        let names = dataset.attr_names().map_err(|error| first_line(&error))?;
        let numbers = |name: &str, most: usize| -> Result<Vec<f64>, String> {
            if !names.iter().any(|there| there == name) {
                return Ok(Vec::new());
            }
            let told = |fault: &str| format!("attribute `{name}` {fault}");
            let attribute = dataset.attr(name).map_err(|error| told(&first_line(&error)))?;
            number_size(&attribute).map_err(|_| told("is no number, expected one"))?;
            if !(1..=most).contains(&attribute.size()) {
                return Err(told(&format!("holds {} numbers, expected 1 to {most}", attribute.size())));
            }
            attribute.read_raw::<f64>().map_err(|error| told(&first_line(&error)))
        };
        let one = |name: &str| numbers(name, 1).map(|numbers| numbers.first().copied());
        let (scale, offset) = (one("scale_factor")?.unwrap_or(1.0), one("add_offset")?.unwrap_or(0.0));
        if !(scale.is_finite() && scale != 0.0 && offset.is_finite()) {
            let wanted = "expected finite numbers and a scale other than 0";
            return Err(format!("attributes `scale_factor` and `add_offset` are {scale} and {offset}, {wanted}"));
        }
        if names.iter().any(|name| name == "_Unsigned") {
            return Err("has the attribute `_Unsigned`, expected numbers of their own type".into());
        }
        let mut missing = numbers("_FillValue", 1)?;
        missing.extend(numbers("missing_value", MOST_MISSING)?);
        missing.retain(|value| !value.is_nan());
        let range = numbers("valid_range", 2)?;
        let mut bounds = [one("valid_min")?, one("valid_max")?];
        if let [least, greatest] = range[..] {
            bounds = [Some(least), Some(greatest)];
        } else if !range.is_empty() {
            return Err("attribute `valid_range` holds 1 number, expected 2".into());
        }
        let [least, greatest] = bounds.map(|bound| bound.filter(|bound| bound.is_finite()));
        let plain = scale == 1.0 && offset == 0.0 && missing.is_empty() && least.is_none() && greatest.is_none();
        let single = dataset.dtype().is_ok_and(|kind| kind.is::<f32>());
        Ok((!plain).then_some(Self { scale, offset, missing, least, greatest, single }))
    }

    /// The physical value of a stored one, NaN where it stands for none.
    pub(super) fn unpack(&self, stored: f64) -> f64 {
        let is_stored = |missing: &f64| *missing == stored || (self.single && *missing as f32 == stored as f32);
        let is_out = self.least.is_some_and(|least| stored < least) || self.greatest.is_some_and(|most| stored > most);
        if is_out || self.missing.iter().any(is_stored) { f64::NAN } else { self.scale * stored + self.offset }
    }
}

/// Finds the dataset `wanted`, or the only one with maps.
pub fn open(path: &Path, wanted: Option<&str>) -> Result<Stack, IngestError> {
    let file = open_file(path)?;
    if let Some(name) = wanted {
        if !file.link_exists(name) {
            let there = file.member_names().map_err(told(path))?.join(", ");
            return Err(IngestError::wrong(path, format!("has no dataset `{name}`, expected one of {there}")));
        }
        let dataset = file.dataset(name).map_err(told(path))?;
        return stack(&dataset, name, file.size())
            .and_then(|stack| stack.with_packing(&dataset))
            .map_err(|fault| IngestError::wrong(path, format!("dataset `{name}`: {fault}")));
    }
    let datasets = file.datasets().map_err(told(path))?;
    let mut found: Vec<(Stack, &hdf5::Dataset)> = datasets
        .iter()
        .filter_map(|dataset| Some((stack(dataset, &dataset.name(), file.size()).ok()?, dataset)))
        .collect();
    match found.len() {
        1 => {
            let (stack, dataset) = found.remove(0);
            let name = stack.dataset.clone();
            stack.with_packing(dataset).map_err(|fault| IngestError::wrong(path, format!("dataset `{name}`: {fault}")))
        }
        0 => Err(IngestError::wrong(path, "has no dataset of maps at its root, expected --dataset to name one")),
        _ => {
            let names: Vec<&str> = found.iter().map(|(stack, _)| stack.dataset.as_str()).collect();
            Err(IngestError::wrong(path, format!("has datasets {}, expected --dataset to name one", names.join(", "))))
        }
    }
}

impl Stack {
    fn with_packing(self, dataset: &hdf5::Dataset) -> Result<Self, String> {
        Ok(Self { packing: Packing::of(dataset)?, ..self })
    }
}

fn stack(dataset: &hdf5::Dataset, name: &str, file_bytes: u64) -> Result<Stack, String> {
    let size = number_size(dataset)?;
    let full_shape = dataset.shape();
    let shape =
        maps_of(&full_shape).ok_or_else(|| format!("has shape {full_shape:?}, expected [h, w] or [n, h, w]"))?;
    let [_, h, w] = shape.map(|length| length as u64);
    if h.max(w) > MOST_ON_A_SIDE || !can_be_there(dataset, size, file_bytes) {
        let wanted = format!("no more than {file_bytes} bytes can hold, nor {MOST_ON_A_SIDE} px on a side");
        return Err(format!("has shape {full_shape:?}, expected {wanted}"));
    }
    Ok(Stack { dataset: name.to_owned(), full_shape, shape, packing: None })
}

/// Bytes of a number of a dataset or an attribute, which must be one that can be read.
pub(super) fn number_size(dataset: &hdf5::Container) -> Result<usize, String> {
    let kind = dataset.dtype().map_err(|error| first_line(&error))?;
    // libhdf5 dies of converting numbers that are damaged to be of another size.
    if kind.conv_to::<f32>().is_none() || ![1, 2, 4, 8].contains(&kind.size()) {
        return Err("holds no numbers, expected some of 1, 2, 4 or 8 bytes".into());
    }
    Ok(kind.size())
}

/// Whether a file of `file_bytes` can hold all of `dataset`: what a damaged one claims should not be what there must be memory for.
pub(super) fn can_be_there(dataset: &hdf5::Dataset, size: usize, file_bytes: u64) -> bool {
    let bytes = dataset.shape().iter().try_fold(size as u64, |bytes, &length| bytes.checked_mul(length as u64));
    let packed = if dataset.is_chunked() { MOST_PACKED } else { 1 };
    bytes.is_some_and(|bytes| bytes <= file_bytes.saturating_mul(packed))
}

/// Reads some rows at a time.
pub struct Reader<'a> {
    path: &'a Path,
    stack: &'a Stack,
    dataset: hdf5::Dataset,
}

impl<'a> Reader<'a> {
    /// Opens the dataset `stack` of a file.
    pub fn open(path: &'a Path, stack: &'a Stack) -> Result<Self, IngestError> {
        let dataset = open_file(path)?.dataset(&stack.dataset).map_err(told(path))?;
        if dataset.shape() != stack.full_shape {
            return Err(IngestError::wrong(path, format!("dataset `{}` has changed its shape", stack.dataset)));
        }
        Ok(Self { path, stack, dataset })
    }

    /// Some rows of one map, `[rows, w]`.
    pub fn read_rows(&mut self, map: usize, rows: &Range<usize>, to: &mut [f32]) -> Result<(), IngestError> {
        let rows = SliceOrIndex::from(rows.clone());
        let all = SliceOrIndex::from(..);
        let slab = match self.stack.full_shape.len() {
            2 => vec![rows, all],
            3 => vec![map.into(), rows, all],
            _ if self.stack.full_shape[1] == 1 => vec![map.into(), 0.into(), rows, all],
            _ => vec![map.into(), rows, all, 0.into()],
        };
        if let Some(packing) = &self.stack.packing {
            let read = self.dataset.read_slice_2d::<f64, _>(Hyperslab::from(slab)).map_err(told(self.path))?;
            to.iter_mut().zip(&read).for_each(|(to, stored)| *to = packing.unpack(*stored) as f32);
            return Ok(());
        }
        let read = self.dataset.read_slice_2d::<f32, _>(Hyperslab::from(slab)).map_err(told(self.path))?;
        to.copy_from_slice(read.as_slice().expect("HDF5 gives rows one after the other"));
        Ok(())
    }
}

pub(super) fn open_file(path: &Path) -> Result<hdf5::File, IngestError> {
    let options = hdf5::File::with_options()
        .with_fapl(|access| access.file_locking(false).chunk_cache(521, CHUNK_CACHE_BYTES, 0.75))
        .open(path);
    options.map_err(|error| IngestError::wrong(path, format!("is no whole HDF5 file: {}", first_line(&error))))
}

fn told(path: &Path) -> impl FnOnce(hdf5::Error) -> IngestError + use<> {
    let path = path.to_path_buf();
    move |error| IngestError::Wrong { path, fault: first_line(&error) }
}

/// HDF5 tells long stories; their first line says what failed.
pub(super) fn first_line(error: &hdf5::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}
