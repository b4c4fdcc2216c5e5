//! Other people's maps become patches of a dataset: FITS images, HDF5, NPY and NPZ stacks `[n, h, w]`, compressed or not.
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

mod bytes;
mod cards;
pub mod column_major;
pub mod fits;
pub mod hdf5;
mod hdu;
pub mod layers;
mod member;
pub mod npy;
pub mod npz;
mod pixel_scale;
pub mod pixels;
mod tiles;

pub mod gather;
pub mod order;
pub mod patches;
pub mod scan;
pub mod spread;

pub mod spectra;

pub use gather::Gatherer;
pub use order::{Band, Order};
pub use patches::{Augment, Cut, Survey};
pub use scan::{MapScan, Moments, scan};
pub use spread::{Outlier, Spread};

use crate::data::DataError;
use crate::exit::{Ends, Exit};
use crate::files;
use layers::Layer;

/// How HDF5 files begin.
const HDF5: &[u8; 8] = b"\x89HDF\r\n\x1a\n";
/// Programs that unpack what is compressed in other ways, and how their files begin.
const UNPACKERS: [(&str, &[u8]); 3] =
    [("xz", b"\xfd7zXZ\0"), ("zstd", b"\x28\xb5\x2f\xfd"), ("uncompress", b"\x1f\x9d")];
/// The value of pixels that were not observed in HEALPix maps and what is cut from them.
const UNSEEN: f32 = -1.637_5e30;
/// healpy takes values this close for `UNSEEN`, relative to it.
const UNSEEN_TOLERANCE: f32 = 1e-5;

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

/// What is meant by the maps of a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choice {
    /// FITS HDUs by number, 0 for the primary, or by EXTNAME, separated by commas, or `all`.
    pub hdu: Option<String>,
    /// Path of a dataset in an HDF5 file, or name of an array in an NPZ file.
    pub dataset: Option<String>,
    /// Rows and columns to which each map is cropped or padded.
    pub size: Option<usize>,
    /// Values that stand for no value, besides that of HEALPix.
    pub bad_values: Vec<f32>,
}

/// What a file says of the sky in it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sky {
    /// Unit of the pixels.
    pub unit: Option<String>,
    /// Why the unit is not known.
    pub unit_fault: Option<String>,
    /// Side of a pixel in arcminutes.
    pub pixel_arcmin: Option<f64>,
    /// Why it cannot be known from what the file says.
    pub pixel_fault: Option<String>,
    /// Redshift of the sources.
    pub redshift: Option<f64>,
    /// Cosmological parameters by the names that `simulate` gives them.
    pub cosmology: BTreeMap<String, f64>,
}

/// Maps in a file, wherever they lie.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Stack {
    /// One number after the other: FITS, NPY and NPZ. Of FITS files one or several images.
    Plain(Vec<pixels::Pixels>),
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
    /// Rows and columns to which each map is cropped or padded about its centre.
    pub size: Option<usize>,
    /// Values that stand for no value, besides that of HEALPix.
    pub bad_values: Vec<f32>,
}

impl Input {
    /// Finds the maps of a file; reads its headers only, where it is not compressed as a whole.
    pub fn open(path: &Path, choice: &Choice) -> Result<Self, IngestError> {
        files::expect_file(path, "a FITS, HDF5, NPY or NPZ file").map_err(IngestError::file(path))?;
        let length = std::fs::metadata(path).map_err(IngestError::file(path))?.len();
        layers::forget(path);
        let (stack, sky) = maps_in(path, &mut Vec::new(), choice)?;
        let Choice { size, bad_values, .. } = choice.clone();
        let input = Self { path: path.to_path_buf(), bytes: length, stack, sky, size, bad_values };
        if let Some(shape) = input.stored_shapes().find(|shape| shape.contains(&0)) {
            return Err(IngestError::wrong(path, format!("holds maps of shape {shape:?}, expected no 0")));
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
        let maps = self.stored_shapes().map(|shape| shape[0]).sum();
        let [_, h, w] = self.stored_shapes().next().expect("an input has maps");
        let [h, w] = self.size.map_or([h, w], |size| [size; 2]);
        [maps, h, w]
    }

    /// Number of images, and how many maps of them are smaller than `size`.
    pub fn images(&self) -> (usize, usize) {
        let is_padded = |shape: &[usize; 3]| self.size.is_some_and(|size| shape[1].min(shape[2]) < size);
        let padded = self.stored_shapes().filter(is_padded).map(|shape| shape[0]).sum();
        (self.stored_shapes().count(), padded)
    }

    /// `[n, h, w]` of each image as it is in the file.
    fn stored_shapes(&self) -> impl Iterator<Item = [usize; 3]> {
        let (images, stack): (&[pixels::Pixels], _) = match &self.stack {
            Stack::Plain(images) => (images, None),
            Stack::Hdf5(stack) => (&[], Some(stack.shape)),
        };
        images.iter().map(|pixels| pixels.shape).chain(stack)
    }

    /// Opens it for `read_rows`.
    pub fn reader(&self) -> Result<Reader<'_>, IngestError> {
        let source = match &self.stack {
            Stack::Plain(images) => Source::Plain(images, None),
            Stack::Hdf5(stack) => Source::Hdf5(hdf5::Reader::open(&self.path, stack)?),
        };
        Ok(Reader { input: self, source, stored: Vec::new() })
    }
}

/// The maps of the file behind `layers`, to which those that it has are added.
fn maps_in(path: &Path, layers: &mut Vec<Layer>, choice: &Choice) -> Result<(Stack, Sky), IngestError> {
    let bytes = layers::open(path, layers)?;
    let magic = bytes.begin(8).map_err(IngestError::file(path))?;
    let plain = |pixels| (Stack::Plain(vec![pixels]), Sky::default());
    Ok(match magic.as_slice() {
        [b'S', b'I', b'M', b'P', b'L', b'E', ..] => {
            let (images, sky) = fits::open(path, &bytes, layers, choice.hdu.as_deref(), choice.size.is_some())?;
            (Stack::Plain(images), sky)
        }
        [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => plain(npy::open(path, &bytes, layers)?),
        [b'P', b'K', 3 | 5, 4 | 6, ..] => plain(npz::open(path, &bytes, layers, choice.dataset.as_deref())?),
        magic if magic == HDF5 && layers.is_empty() => {
            (Stack::Hdf5(hdf5::open(path, choice.dataset.as_deref())?), Sky::default())
        }
        magic if magic == HDF5 => {
            return Err(IngestError::wrong(path, "is a compressed HDF5 file, expected it unpacked"));
        }
        [0x1f, 0x8b, ..] if layers.is_empty() => {
            layers.push(Layer::Gzip);
            maps_in(path, layers, choice)?
        }
        [b'B', b'Z', b'h', b'1'..=b'9', ..] if layers.is_empty() => {
            layers.push(Layer::Bzip2);
            maps_in(path, layers, choice)?
        }
        [] => return Err(IngestError::wrong(path, "is empty, expected a FITS, HDF5, NPY or NPZ file")),
        magic => {
            let unpacker = UNPACKERS.iter().find(|(_, begin)| magic.starts_with(begin));
            return Err(IngestError::wrong(
                path,
                unpacker.map_or_else(
                    || "begins as no FITS, HDF5, NPY or NPZ file does".to_owned(),
                    |(name, _)| format!("is compressed, expected gzip or bzip2, or a file unpacked by {name}"),
                ),
            ));
        }
    })
}

/// An open input.
pub struct Reader<'a> {
    input: &'a Input,
    source: Source<'a>,
    /// Rows before they are cropped or padded.
    stored: Vec<f32>,
}

enum Source<'a> {
    /// One number after the other; the image that is open, by number.
    Plain(&'a [pixels::Pixels], Option<(usize, pixels::Reader<'a>)>),
    /// Through HDF5.
    Hdf5(hdf5::Reader<'a>),
}

impl Reader<'_> {
    /// Some rows of one map, `[rows, w]`, in physical units and single precision. Bad pixels are not finite: blank, NaN, infinite,
    /// beyond single precision, not observed, or beside the image.
    pub fn read_rows(&mut self, map: usize, rows: Range<usize>, to: &mut [f32]) -> Result<(), IngestError> {
        let Self { input, source, stored } = self;
        let (mut image, mut map) = (0, map);
        let shapes: Vec<[usize; 3]> = input.stored_shapes().collect();
        while map >= shapes[image][0] {
            map -= shapes[image][0];
            image += 1;
        }
        if let Some(size) = input.size {
            let [_, h, w] = shapes[image];
            let (above, left) = (Margin::new(size, h), Margin::new(size, w));
            to.fill(f32::NAN);
            let there = above.stored(&rows);
            let columns = left.stored(&(0..size));
            stored.resize(there.len() * w, 0.0);
            if !there.is_empty() {
                source.read_rows(input, image, map, there.clone(), stored)?;
            }
            for (row, pixels) in there.zip(stored.chunks_exact(w)) {
                let to = &mut to[(above.shown(row) - rows.start) * size..][..size];
                to[left.shown(columns.start)..][..columns.len()].copy_from_slice(&pixels[columns.clone()]);
            }
        } else {
            source.read_rows(input, image, map, rows, to)?;
        }
        mark_bad(&input.bad_values, to);
        Ok(())
    }
}

impl<'a> Source<'a> {
    fn read_rows(
        &mut self,
        input: &'a Input,
        image: usize,
        map: usize,
        rows: Range<usize>,
        to: &mut [f32],
    ) -> Result<(), IngestError> {
        match self {
            Self::Plain(images, open) => {
                if open.as_ref().is_none_or(|(number, _)| *number != image) {
                    *open = None; // two images at once would be twice the memory
                    *open = Some((image, pixels::Reader::open(&input.path, &images[image])?));
                }
                let (_, reader) = open.as_mut().expect("it has just been opened");
                reader.read_rows(map, rows, to)
            }
            Self::Hdf5(reader) => reader.read_rows(map, &rows, to),
        }
    }
}

/// How lines of pixels of an image lie among those that are shown: line `length / 2` is shown as line `size / 2`.
#[derive(Clone, Copy)]
struct Margin {
    /// Lines before the image, or less than 0 where some of it are cut off.
    before: isize,
    length: usize,
}

impl Margin {
    fn new(size: usize, length: usize) -> Self {
        Self { before: (size / 2) as isize - (length / 2) as isize, length }
    }

    /// Lines of the image among these that are shown.
    fn stored(self, shown: &Range<usize>) -> Range<usize> {
        let line = |at: usize| (at as isize - self.before).clamp(0, self.length as isize) as usize;
        line(shown.start)..line(shown.end)
    }

    /// Where a line of the image is shown.
    fn shown(self, stored: usize) -> usize {
        (stored as isize + self.before) as usize
    }
}

/// Makes what stands for no value NaN.
fn mark_bad(values: &[f32], pixels: &mut [f32]) {
    for pixel in &mut *pixels {
        if (*pixel - UNSEEN).abs() <= UNSEEN_TOLERANCE * UNSEEN.abs() {
            *pixel = f32::NAN;
        }
    }
    for bad in values {
        pixels.iter_mut().filter(|pixel| **pixel == *bad).for_each(|pixel| *pixel = f32::NAN);
    }
}

/// The maps in an array of this shape, `[n, h, w]`: of `[h, w]`, `[n, h, w]` or, as networks have it, `[n, 1, h, w]` or
/// `[n, h, w, 1]`.
fn maps_of(shape: &[usize]) -> Option<[usize; 3]> {
    match *shape {
        [h, w] => Some([1, h, w]),
        [n, h, w] | [n, 1, h, w] | [n, h, w, 1] => Some([n, h, w]),
        _ => None,
    }
}
