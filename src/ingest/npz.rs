//! NPZ files of maps: NPY arrays in a zip archive, as `numpy.savez` writes them.
//!
//! An array that is stored as it is can be read where it lies in the file, some rows at a time. A compressed one
//! (`numpy.savez_compressed`) cannot, and is refused.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use zip::{CompressionMethod, ZipArchive};

use super::IngestError;
use super::npy::{self, LONGEST_HEADER};
use super::pixels::Pixels;

/// Finds the maps in the array `wanted`, or in the only array of maps.
pub fn open(path: &Path, wanted: Option<&str>) -> Result<Pixels, IngestError> {
    let file = File::open(path).map_err(IngestError::file(path))?;
    let mut archive = ZipArchive::new(BufReader::new(file))
        .map_err(|error| IngestError::wrong(path, format!("is no whole NPZ file: {error}")))?;
    let mut names: Vec<String> =
        archive.file_names().filter_map(|name| Some(name.strip_suffix(".npy")?.to_owned())).collect();
    names.sort();
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
        names.iter().map(|name| array(path, &mut archive, name)).collect();
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
fn array(path: &Path, archive: &mut ZipArchive<BufReader<File>>, name: &str) -> Result<Pixels, IngestError> {
    let wrong = |fault: String| IngestError::wrong(path, format!("array `{name}`: {fault}"));
    let mut member = archive.by_name(&format!("{name}.npy")).map_err(|error| wrong(error.to_string()))?;
    if member.compression() != CompressionMethod::Stored {
        return Err(wrong("is compressed, expected one saved by numpy.savez or numpy.save".into()));
    }
    let (start, end) = (member.data_start(), member.data_start().saturating_add(member.size()));
    let mut raw = Vec::new();
    let header = LONGEST_HEADER as u64 + 12;
    Read::by_ref(&mut member).take(header).read_to_end(&mut raw).map_err(|error| wrong(error.to_string()))?;
    if !raw.starts_with(npy::MAGIC) {
        return Err(wrong("is no NPY array".into()));
    }
    let mut pixels = npy::parse(&raw).map_err(|fault| wrong(format!("header: {fault}")))?;
    pixels.start += start;
    let bytes = std::fs::metadata(path).map_err(IngestError::file(path))?.len();
    pixels.check(path, end.min(bytes))?;
    Ok(pixels)
}
