//! What lies between the bytes of a file and the numbers of its maps: gzip, bzip2, an archive, tile compression, order of the axes.
//!
//! A layer turns bytes into bytes, all of them at once. What comes out is bounded by what goes in, and kept for other readers of the
//! same file, as long as all that is kept is not too much.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::{IngestError, npy, npz, tiles};

/// Bytes that one byte can stand for: twice what deflate makes of zeros.
pub(super) const MOST_PACKED: u64 = 1 << 11;
/// What is kept for other readers.
const KEPT_BYTES: usize = 1 << 30;

/// One step from bytes to bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Layer {
    /// gzip (RFC 1952), one or several members.
    Gzip,
    /// bzip2, one or several streams.
    Bzip2,
    /// A compressed file in a zip archive.
    Member(String),
    /// A tile-compressed FITS image.
    Tiles {
        /// The first byte of its header.
        place: u64,
        /// Number of its HDU.
        hdu: usize,
    },
    /// An array in column-major order.
    ColumnMajor(ColumnMajor),
}

/// An array whose first index runs fastest, as Fortran stores it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnMajor {
    /// Its first byte.
    pub start: u64,
    /// Lengths of its axes.
    pub shape: Vec<usize>,
    /// Bytes of a number.
    pub size: usize,
}

/// Bytes behind some layers.
pub(super) enum Bytes {
    /// Those of a file.
    File(File, u64),
    /// Unpacked ones.
    Memory(Arc<Vec<u8>>),
}

type Slot = Arc<Mutex<Option<Arc<Vec<u8>>>>>;

/// Unpacked bytes by file and layers, the last used at the end.
static KEPT: Mutex<Vec<(PathBuf, Vec<Layer>, Slot)>> = Mutex::new(Vec::new());

impl Bytes {
    /// The bytes of a file behind `layers`, the outermost first.
    pub(super) fn open(path: &Path, layers: &[Layer]) -> Result<Self, IngestError> {
        if layers.is_empty() {
            let file = File::open(path).map_err(IngestError::file(path))?;
            let length = file.metadata().map_err(IngestError::file(path))?.len();
            return Ok(Self::File(file, length));
        }
        let kept = || KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = {
            let mut kept = kept();
            let at = kept.iter().position(|(file, known, _)| file == path && known == layers);
            let entry = at.map_or_else(|| (path.to_owned(), layers.to_vec(), Slot::default()), |at| kept.remove(at));
            let slot = Arc::clone(&entry.2);
            kept.push(entry);
            slot
        };
        // Whoever wants the same bytes waits here, and does not unpack them again.
        let mut held = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bytes) = &*held {
            return Ok(Self::Memory(Arc::clone(bytes)));
        }
        let bytes = Arc::new(unpack(path, layers)?);
        *held = Some(Arc::clone(&bytes));
        drop(held);
        let mut kept = kept();
        let size =
            |slot: &Slot| slot.try_lock().ok().and_then(|held| held.as_ref().map(|bytes| bytes.len())).unwrap_or(0);
        let mut all: usize = kept.iter().map(|(_, _, slot)| size(slot)).sum();
        while all > KEPT_BYTES && kept.len() > 1 {
            all -= size(&kept.remove(0).2);
        }
        Ok(Self::Memory(bytes))
    }

    /// Forgets what was unpacked of a file, which may have changed since.
    pub(super) fn forget(path: &Path) {
        KEPT.lock().unwrap_or_else(PoisonError::into_inner).retain(|(file, _, _)| file != path);
    }

    /// How many they are.
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::File(_, length) => *length,
            Self::Memory(bytes) => bytes.len() as u64,
        }
    }

    /// Those from `place` on.
    pub(super) fn read_exact_at(&self, to: &mut [u8], place: u64) -> io::Result<()> {
        match self {
            Self::File(file, _) => file.read_exact_at(to, place),
            Self::Memory(bytes) => {
                let start = usize::try_from(place).ok();
                let from = start.and_then(|start| bytes.get(start..start.checked_add(to.len())?));
                to.copy_from_slice(from.ok_or(io::ErrorKind::UnexpectedEof)?);
                Ok(())
            }
        }
    }

    /// At most `most` bytes from the first one.
    pub(super) fn begin(&self, most: usize) -> io::Result<Vec<u8>> {
        let mut begin = vec![0; most.min(usize::try_from(self.len()).unwrap_or(most))];
        self.read_exact_at(&mut begin, 0)?;
        Ok(begin)
    }

    /// To be read from the first one to the last.
    pub(super) fn stream(&self) -> Stream<'_> {
        Stream { bytes: self, place: 0 }
    }
}

/// Reads bytes in their order.
pub(super) struct Stream<'a> {
    bytes: &'a Bytes,
    place: u64,
}

impl Read for Stream<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let there = self.bytes.len().saturating_sub(self.place);
        let count = to.len().min(usize::try_from(there).unwrap_or(usize::MAX));
        self.bytes.read_exact_at(&mut to[..count], self.place)?;
        self.place += count as u64;
        Ok(count)
    }
}

impl Seek for Stream<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::End(offset) => self.bytes.len().checked_add_signed(offset),
            SeekFrom::Current(offset) => self.place.checked_add_signed(offset),
        };
        self.place = place.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.place)
    }
}

fn unpack(path: &Path, layers: &[Layer]) -> Result<Vec<u8>, IngestError> {
    let (layer, outer) = layers.split_last().expect("there is a layer");
    let packed = Bytes::open(path, outer)?;
    let wrong = |fault: String| IngestError::wrong(path, fault);
    match layer {
        Layer::Gzip => bounded(flate2::read::MultiGzDecoder::new(io::BufReader::new(packed.stream())), packed.len())
            .map_err(|fault| wrong(format!("gzip: {fault}"))),
        Layer::Bzip2 => bounded(bzip2::read::MultiBzDecoder::new(io::BufReader::new(packed.stream())), packed.len())
            .map_err(|fault| wrong(format!("bzip2: {fault}"))),
        Layer::Member(name) => npz::unpack(&packed, name).map_err(|fault| wrong(format!("array `{name}`: {fault}"))),
        Layer::Tiles { place, hdu } => tiles::unpack(path, &packed, *place, *hdu),
        Layer::ColumnMajor(array) => npy::row_major(&packed, array).map_err(IngestError::file(path)),
    }
}

/// All that `from` gives, which is made of `packed` bytes.
pub(super) fn bounded(from: impl Read, packed: u64) -> Result<Vec<u8>, String> {
    let most = packed.saturating_mul(MOST_PACKED);
    let mut bytes = Vec::new();
    from.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(|error| format!("is damaged: {error}"))?;
    if bytes.len() as u64 > most {
        return Err(format!("unpacks to more than {most} bytes, {MOST_PACKED} times its own, expected less"));
    }
    Ok(bytes)
}
