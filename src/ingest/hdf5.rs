//! Stacks in HDF5 files: a dataset of numbers of any kind, chunked, compressed or not, a slab at a time.

use std::ops::Range;
use std::path::Path;

use hdf5::{Hyperslab, SliceOrIndex};
use serde::{Deserialize, Serialize};

use super::{IngestError, maps_of};

/// For chunks that several slabs need.
const CHUNK_CACHE_BYTES: usize = 32 << 20;

/// More pixels than any map has.
const MOST_ON_A_SIDE: u64 = 1 << 20;
/// Bytes that one byte of a file can stand for: twice what deflate makes of zeros.
const MOST_PACKED: u64 = 1 << 11;

/// A dataset of maps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stack {
    /// Its path in the file.
    pub dataset: String,
    /// Its shape there.
    pub full_shape: Vec<usize>,
    /// `[n, h, w]`.
    pub shape: [usize; 3],
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
            .map_err(|fault| IngestError::wrong(path, format!("dataset `{name}`: {fault}")));
    }
    let datasets = file.datasets().map_err(told(path))?;
    let mut found: Vec<Stack> =
        datasets.iter().filter_map(|dataset| stack(dataset, &dataset.name(), file.size()).ok()).collect();
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(IngestError::wrong(path, "has no dataset of maps at its root, expected --dataset to name one")),
        _ => {
            let names: Vec<&str> = found.iter().map(|stack| stack.dataset.as_str()).collect();
            Err(IngestError::wrong(path, format!("has datasets {}, expected --dataset to name one", names.join(", "))))
        }
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
    Ok(Stack { dataset: name.to_owned(), full_shape, shape })
}

/// Bytes of a number of `dataset`, which must be one that can be read.
pub(super) fn number_size(dataset: &hdf5::Dataset) -> Result<usize, String> {
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
            _ => vec![map.into(), 0.into(), rows, all],
        };
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
