//! What lies between the bytes of a file and the numbers of its maps: gzip, bzip2, an archive, tile compression, order of the axes.
//!
//! A layer turns bytes into bytes, all of them at once. What comes out is bounded by what goes in, and kept for other readers of the
//! same file, as long as all that is kept is not too much.

use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::bytes::{Bytes, bounded};
use super::column_major::ColumnMajor;
use super::{IngestError, column_major, member, tiles};

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

type Slot = Arc<Mutex<Option<Arc<Vec<u8>>>>>;

/// Unpacked bytes by file and layers, the last used at the end.
static KEPT: Mutex<Vec<(PathBuf, Vec<Layer>, Slot)>> = Mutex::new(Vec::new());

/// The bytes of a file behind `layers`, the outermost first.
pub(super) fn open(path: &Path, layers: &[Layer]) -> Result<Bytes, IngestError> {
    if layers.is_empty() {
        return Bytes::of_file(path);
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
        return Ok(Bytes::Memory(Arc::clone(bytes)));
    }
    let bytes = Arc::new(unpack(path, layers)?);
    *held = Some(Arc::clone(&bytes));
    drop(held);
    let mut kept = kept();
    let size = |slot: &Slot| slot.try_lock().ok().and_then(|held| held.as_ref().map(|bytes| bytes.len())).unwrap_or(0);
    let mut all: usize = kept.iter().map(|(_, _, slot)| size(slot)).sum();
    while all > KEPT_BYTES && kept.len() > 1 {
        all -= size(&kept.remove(0).2);
    }
    Ok(Bytes::Memory(bytes))
}

/// Forgets what was unpacked of a file, which may have changed since.
pub(super) fn forget(path: &Path) {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner).retain(|(file, _, _)| file != path);
}

fn unpack(path: &Path, layers: &[Layer]) -> Result<Vec<u8>, IngestError> {
    let (layer, outer) = layers.split_last().expect("there is a layer");
    let packed = open(path, outer)?;
    let wrong = |fault: String| IngestError::wrong(path, fault);
    match layer {
        Layer::Gzip => bounded(flate2::read::MultiGzDecoder::new(BufReader::new(packed.stream())), packed.len())
            .map_err(|fault| wrong(format!("gzip: {fault}"))),
        Layer::Bzip2 => bounded(bzip2::read::MultiBzDecoder::new(BufReader::new(packed.stream())), packed.len())
            .map_err(|fault| wrong(format!("bzip2: {fault}"))),
        Layer::Member(name) => member::unpack(&packed, name).map_err(|fault| wrong(format!("array `{name}`: {fault}"))),
        Layer::Tiles { place, hdu } => tiles::unpack(path, &packed, *place, *hdu),
        Layer::ColumnMajor(array) => column_major::row_major(&packed, array).map_err(IngestError::file(path)),
    }
}
