//! NPZ files of maps: NPY arrays in a zip archive, as `numpy.savez` writes them.
//!
//! An array that is stored as it is can be read where it lies in the file, some rows at a time. A compressed one
//! (`numpy.savez_compressed`) is unpacked as a whole.

use std::io::{BufReader, Read};
use std::path::Path;

use zip::{CompressionMethod, ZipArchive};

use super::IngestError;
use super::bytes::{Bytes, Stream};
use super::layers::{self, Layer};
use super::member::{array_names, member_name};
use super::npy::{self, LONGEST_BEGIN};
use super::pixels::Pixels;

/// Finds the maps in the array `wanted`, or in the only array of maps.
pub(super) fn open(path: &Path, bytes: &Bytes, layers: &[Layer], wanted: Option<&str>) -> Result<Pixels, IngestError> {
    let mut archive = ZipArchive::new(BufReader::new(bytes.stream()))
        .map_err(|error| IngestError::wrong(path, format!("is no whole NPZ file: {error}")))?;
    let mut names = array_names(&archive);
    if names.is_empty() {
        return Err(IngestError::wrong(path, "is a zip archive without arrays, expected an NPZ file"));
    }
    let listed = names.join(", ");
    if let Some(name) = wanted {
        if !names.iter().any(|there| there == name) {
            return Err(IngestError::wrong(path, format!("has no array `{name}`, expected one of {listed}")));
        }
        names = vec![name.to_owned()];
    }
    let mut arrays: Vec<Result<Pixels, IngestError>> =
        names.iter().map(|name| array(path, bytes, layers, &mut archive, name)).collect();
    if let [_] = arrays.as_slice() {
        return arrays.remove(0); // its fault is the user's answer
    }
    let mut maps: Vec<Pixels> = arrays.into_iter().filter_map(Result::ok).collect();
    match maps.len() {
        1 => Ok(maps.remove(0)),
        0 => Err(IngestError::wrong(
            path,
            format!("has no array of maps among {listed}, expected --dataset to name one"),
        )),
        _ => Err(IngestError::wrong(path, format!("has arrays {listed}, expected --dataset to name one"))),
    }
}

/// The maps of an array.
fn array(
    path: &Path,
    bytes: &Bytes,
    layers: &[Layer],
    archive: &mut ZipArchive<BufReader<Stream>>,
    name: &str,
) -> Result<Pixels, IngestError> {
    let wrong = |fault: String| IngestError::wrong(path, format!("array `{name}`: {fault}"));
    let mut member = archive.by_name(&member_name(name)).map_err(|error| wrong(error.to_string()))?;
    let stored = member.compression() == CompressionMethod::Stored;
    let (start, end) = (member.data_start(), member.data_start().saturating_add(member.size()));
    let mut raw = Vec::new();
    Read::by_ref(&mut member)
        .take(LONGEST_BEGIN as u64)
        .read_to_end(&mut raw)
        .map_err(|error| wrong(error.to_string()))?;
    if !raw.starts_with(npy::MAGIC) {
        return Err(wrong("is no NPY array".into()));
    }
    let parsed = npy::parse(&raw, if stored { start } else { 0 });
    let parsed = parsed.map_err(|fault| wrong(format!("header: {fault}")))?;
    if stored {
        return parsed.within(path, layers, end.min(bytes.len()));
    }
    drop(member);
    let layers = [layers, &[Layer::Member(name.to_owned())]].concat();
    let unpacked = layers::open(path, &layers)?;
    parsed.within(path, &layers, unpacked.len())
}
