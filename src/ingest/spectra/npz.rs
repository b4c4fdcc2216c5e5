//! NPZ: NPY arrays in a zip archive, compressed or not.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use zip::ZipArchive;

use super::arrays::Archive;
use super::column::{Column, Numbers};
use crate::ingest::member::array_names;
use crate::ingest::npy::{self, LONGEST_BEGIN, MAGIC};
use crate::ingest::pixels::Number;

/// An open archive.
pub(super) struct Npz {
    archive: ZipArchive<BufReader<File>>,
}

/// The bytes behind a header, and what it says.
struct Array {
    descr: String,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Npz {
    pub(super) fn open(path: &Path) -> Result<Self, String> {
        let file = File::open(path).map_err(|error| error.to_string())?;
        let archive =
            ZipArchive::new(BufReader::new(file)).map_err(|error| format!("is no whole NPZ file: {error}"))?;
        Ok(Self { archive })
    }

    /// Reads an array: `size` says how long a number of its type is.
    fn array(&mut self, name: &str, size: impl FnOnce(&str) -> Result<usize, String>) -> Result<Array, String> {
        let broken = |error: &dyn std::fmt::Display| one_line(&error.to_string());
        let mut member = self.archive.by_name(&format!("{name}.npy")).map_err(|error| broken(&error))?;
        let mut bytes = Vec::new();
        Read::by_ref(&mut member).take(LONGEST_BEGIN as u64).read_to_end(&mut bytes).map_err(|error| broken(&error))?;
        if !bytes.starts_with(MAGIC) {
            return Err("is no NPY array".into());
        }
        let header = npy::header(&bytes).map_err(|fault| format!("header: {fault}"))?;
        header.expect_c_order()?;
        let size = size(header.descr)?;
        let wanted = header.shape.iter().try_fold(size, |bytes, &length| bytes.checked_mul(length));
        let wanted = wanted.and_then(|wanted| wanted.checked_add(header.start));
        let (descr, shape, start) = (header.descr.to_owned(), header.shape, header.start);
        let wanted = wanted.ok_or_else(|| format!("`shape` is {shape:?}, more than any file has"))?;
        // What is there decides on the memory, not what the header claims; the end is read for the checksum behind it.
        let rest = (wanted + 1).saturating_sub(bytes.len()) as u64;
        member.take(rest).read_to_end(&mut bytes).map_err(|error| broken(&error))?;
        if bytes.len() != wanted {
            let found = if bytes.len() > wanted { "more".to_owned() } else { (bytes.len() - start).to_string() };
            return Err(format!("has {found} bytes, expected {} for shape {shape:?}", wanted - start));
        }
        bytes.drain(..start);
        Ok(Array { descr, shape, bytes })
    }
}

impl Archive for Npz {
    fn names(&self) -> Vec<String> {
        array_names(&self.archive)
    }

    fn has(&self, name: &str) -> bool {
        self.names().iter().any(|here| here == name)
    }

    fn numbers(&mut self, name: &str) -> Result<Column, String> {
        let array = self.array(name, |descr| npy::number(descr).map(|(number, _)| number.bytes()))?;
        let (number, big_endian): (Number, bool) = npy::number(&array.descr)?;
        let shape = array.shape;
        if !matches!(shape.len(), 1 | 2) || shape.contains(&0) {
            return Err(format!("has shape {shape:?}, expected [points] or [objects, points]"));
        }
        Ok(Column {
            name: name.to_owned(),
            unit: None,
            shape,
            numbers: Numbers::Packed(number, big_endian, array.bytes),
        })
    }

    fn words(&mut self, _: &str, names: &[&str]) -> Result<Option<Vec<String>>, String> {
        let Some(name) = names.iter().find(|name| self.has(name)) else { return Ok(None) };
        let array = self.array(name, |descr| width(descr).map(|(_, bytes, _)| bytes));
        let array = array.map_err(|fault| format!("`{name}`: {fault}"))?;
        let (wide, bytes, big_endian) = width(&array.descr)?;
        let word = |bytes: &[u8]| -> String {
            let (letters, _) = bytes.as_chunks::<4>();
            let letter =
                |bytes: &[u8; 4]| if big_endian { u32::from_be_bytes(*bytes) } else { u32::from_le_bytes(*bytes) };
            let letters: String = if wide {
                letters.iter().map(|bytes| char::from_u32(letter(bytes)).unwrap_or('?')).collect()
            } else {
                String::from_utf8_lossy(bytes).into_owned()
            };
            letters.trim_end_matches('\0').to_owned()
        };
        if bytes == 0 {
            return Err(format!("`{name}` holds empty words"));
        }
        Ok(Some(array.bytes.chunks_exact(bytes).map(word).collect()))
    }
}

/// Whether letters of a type such as `<U15` or `|S15` are 4 bytes wide, the bytes of a word, and whether the highest comes first.
fn width(descr: &str) -> Result<(bool, usize, bool), String> {
    let kind = descr.trim_start_matches(['<', '>', '|', '=']);
    let length = |text: &str| text.parse::<usize>().ok().filter(|length| *length < 1 << 16);
    let found = match (kind.strip_prefix('U').and_then(length), kind.strip_prefix('S').and_then(length)) {
        (Some(letters), _) => Some((true, 4 * letters)),
        (_, Some(letters)) => Some((false, letters)),
        _ => None,
    };
    let (wide, bytes) = found.ok_or_else(|| format!("`descr` is '{descr:.20}', expected words as in <U15"))?;
    Ok((wide, bytes, descr.starts_with('>')))
}

fn one_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim_end_matches('.').to_owned()
}
