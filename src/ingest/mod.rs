//! Other people's maps become patches of a dataset: FITS images, HDF5, NPY and NPZ stacks `[n, h, w]`.
//!
//! An *input* is a file of one or many maps; a *patch* is a square cut from one; a *band* is what is read at once, some rows of
//! patches of neighbouring maps. No map is ever held as a whole unless it is small.
//!
//! open -> scan (bad pixels, moments) -> order (which patch is which record) -> gather (records, block by block)
//!
//! Spectra have their own way (`spectra`).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub mod fits;
pub mod hdf5;
pub mod npy;
pub mod npz;
pub mod pixels;

pub mod gather;
pub mod order;
pub mod patches;
pub mod scan;

pub mod spectra;

pub use gather::Gatherer;
pub use order::{Band, Order};
pub use patches::{Augment, Cut, Survey};
pub use scan::{MapScan, Moments, scan};

use crate::data::DataError;
use crate::exit::{Ends, Exit};
use crate::files;

/// How HDF5 files begin.
const HDF5: &[u8; 8] = b"\x89HDF\r\n\x1a\n";

/// A setting that is one of a few values, each with a name on the command line and in files.
pub trait Named: Copy + 'static {
    /// All values.
    const ALL: &[Self];

    /// The name of this one.
    fn name(self) -> &'static str;
}

/// What can go wrong with what is to be ingested.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error("{}: {fault}", path.display())]
    Wrong {
        /// Which.
        path: PathBuf,
        /// Where in it, what is wrong, and what was wanted.
        fault: String,
    },
    /// What is asked for cannot be.
    #[error("{0}")]
    Usage(String),
    /// The dataset cannot be written.
    #[error(transparent)]
    Data(#[from] DataError),
}

impl Ends for IngestError {
    fn exit(&self) -> Exit {
        match self {
            Self::File { .. } => Exit::FileSystem,
            Self::Wrong { .. } => Exit::Data,
            Self::Usage(_) => Exit::Usage,
            Self::Data(error) => error.exit(),
        }
    }
}

impl IngestError {
    pub(crate) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_path_buf();
        move |source| Self::File { path, source }
    }

    pub(crate) fn wrong(path: &Path, fault: impl Into<String>) -> Self {
        Self::Wrong { path: path.to_path_buf(), fault: fault.into() }
    }
}

/// Which of a file's images is meant, where it may hold several.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// A FITS HDU by number, 0 for the primary, or by its EXTNAME.
    pub hdu: Option<String>,
    /// Path of a dataset in an HDF5 file, or name of an array in an NPZ file.
    pub dataset: Option<String>,
}

/// What a file says of the sky in it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sky {
    /// Unit of the pixels.
    pub unit: Option<String>,
    /// Side of a pixel in arcminutes.
    pub pixel_arcmin: Option<f64>,
    /// Redshift of the sources.
    pub redshift: Option<f64>,
    /// Cosmological parameters by the names that `simulate` gives them.
    pub cosmology: BTreeMap<String, f64>,
}

/// Maps in a file, wherever they lie.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Stack {
    /// One number after the other: FITS, NPY and NPZ.
    Plain(pixels::Pixels),
    /// A dataset that HDF5 reads.
    Hdf5(hdf5::Stack),
}

/// A file of maps, described: whoever holds this can read them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// The file.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// The maps.
    pub stack: Stack,
    /// What it says of them.
    pub sky: Sky,
}

impl Input {
    /// Finds the maps of a file; reads its headers only.
    pub fn open(path: &Path, choice: &Choice) -> Result<Self, IngestError> {
        files::expect_file(path, "a FITS, HDF5, NPY or NPZ file").map_err(IngestError::file(path))?;
        let mut file = File::open(path).map_err(IngestError::file(path))?;
        let metadata = file.metadata().map_err(IngestError::file(path))?;
        let mut magic = Vec::new();
        Read::by_ref(&mut file).take(8).read_to_end(&mut magic).map_err(IngestError::file(path))?;
        let (stack, sky) = match magic.as_slice() {
            [b'S', b'I', b'M', b'P', b'L', b'E', ..] => fits::open(path, choice.hdu.as_deref())?,
            [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => (Stack::Plain(npy::open(path)?), Sky::default()),
            [b'P', b'K', 3 | 5, 4 | 6, ..] => {
                (Stack::Plain(npz::open(path, choice.dataset.as_deref())?), Sky::default())
            }
            magic if magic == HDF5 => (Stack::Hdf5(hdf5::open(path, choice.dataset.as_deref())?), Sky::default()),
            [0x1f, 0x8b, ..] => {
                return Err(IngestError::wrong(path, "is compressed by gzip, expected an unpacked file"));
            }
            [] => return Err(IngestError::wrong(path, "is empty, expected a FITS, HDF5, NPY or NPZ file")),
            _ => return Err(IngestError::wrong(path, "begins as no FITS, HDF5, NPY or NPZ file does")),
        };
        let input = Self { path: path.to_path_buf(), bytes: metadata.len(), stack, sky };
        if input.shape().contains(&0) {
            return Err(IngestError::wrong(path, format!("holds maps of shape {:?}, expected no 0", input.shape())));
        }
        Ok(input)
    }

    /// Whether a file begins as HDF5 files do; not where it cannot be read.
    pub fn is_hdf5(path: &Path) -> bool {
        let mut magic = [0; HDF5.len()];
        File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok() && magic == *HDF5
    }

    /// `[n, h, w]`: maps, rows, columns.
    pub fn shape(&self) -> [usize; 3] {
        match &self.stack {
            Stack::Plain(pixels) => pixels.shape,
            Stack::Hdf5(stack) => stack.shape,
        }
    }

    /// Opens it for `read_rows`.
    pub fn reader(&self) -> Result<Reader<'_>, IngestError> {
        Ok(match &self.stack {
            Stack::Plain(pixels) => Reader::Plain(pixels::Reader::open(&self.path, pixels)?),
            Stack::Hdf5(stack) => Reader::Hdf5(hdf5::Reader::open(&self.path, stack)?),
        })
    }
}

/// An open input.
pub enum Reader<'a> {
    /// One number after the other.
    Plain(pixels::Reader<'a>),
    /// Through HDF5.
    Hdf5(hdf5::Reader<'a>),
}

impl Reader<'_> {
    /// Some rows of one map, `[rows, w]`, in physical units and single precision. Bad pixels are not finite: blank, NaN, infinite, or
    /// beyond single precision.
    pub fn read_rows(&mut self, map: usize, rows: Range<usize>, to: &mut [f32]) -> Result<(), IngestError> {
        match self {
            Self::Plain(reader) => reader.read_rows(map, rows, to),
            Self::Hdf5(reader) => reader.read_rows(map, &rows, to),
        }
    }
}

/// The maps in an array of this shape, `[n, h, w]`: of `[h, w]`, `[n, h, w]` or, as networks have it, `[n, 1, h, w]`.
fn maps_of(shape: &[usize]) -> Option<[usize; 3]> {
    match *shape {
        [h, w] => Some([1, h, w]),
        [n, h, w] | [n, 1, h, w] => Some([n, h, w]),
        _ => None,
    }
}
