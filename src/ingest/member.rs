//! Arrays in a zip archive: their names, and compressed ones unpacked.

use std::io::{BufReader, Read, Seek};

use zip::ZipArchive;

use super::bytes::{Bytes, bounded};

/// The bytes of the compressed array `name`.
pub(super) fn unpack(bytes: &Bytes, name: &str) -> Result<Vec<u8>, String> {
    let mut archive = ZipArchive::new(BufReader::new(bytes.stream())).map_err(|error| error.to_string())?;
    let member = archive.by_name(&member_name(name)).map_err(|error| error.to_string())?;
    let packed = member.compressed_size().min(bytes.len());
    bounded(member, packed)
}

/// Names of the arrays in an archive, in order.
pub(super) fn array_names<R: Read + Seek>(archive: &ZipArchive<R>) -> Vec<String> {
    let mut names: Vec<String> =
        archive.file_names().filter_map(|name| Some(name.strip_suffix(".npy")?.to_owned())).collect();
    names.sort();
    names
}

/// The name of an array's file in an archive.
pub(super) fn member_name(name: &str) -> String {
    format!("{name}.npy")
}
