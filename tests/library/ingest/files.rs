//! Small files to read.

use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use skyforge::ingest::{Choice, IngestError, Input};
use zip::write::FileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Cards, filled up with blanks to whole blocks.
pub fn header(cards: &[&str]) -> Vec<u8> {
    let mut bytes: Vec<u8> = cards.iter().chain(&["END"]).flat_map(|card| format!("{card:<80}").into_bytes()).collect();
    bytes.resize(bytes.len().next_multiple_of(2880), b' ');
    bytes
}

/// An image HDU: `first` is its first card.
pub fn image(first: &str, bitpix: i32, naxes: &[usize], more: &[&str], data: &[u8]) -> Vec<u8> {
    let mut cards = vec![first.to_owned(), format!("BITPIX  = {bitpix:>20}"), format!("NAXIS   = {:>20}", naxes.len())];
    cards.extend(naxes.iter().zip(1..).map(|(length, axis)| format!("NAXIS{axis:<3}= {length:>20}")));
    if first.starts_with("XTENSION") {
        cards.extend(["PCOUNT  =                    0".to_owned(), "GCOUNT  =                    1".to_owned()]);
    }
    let cards: Vec<&str> = cards.iter().map(String::as_str).chain(more.iter().copied()).collect();
    let mut bytes = header(&cards);
    bytes.extend(data);
    bytes.resize(bytes.len().next_multiple_of(2880), 0);
    bytes
}

pub const PRIMARY: &str = "SIMPLE  =                    T";
pub const EXTENSION: &str = "XTENSION= 'IMAGE   '";

/// A primary HDU with an image of single precision.
pub fn float_image(naxes: &[usize], more: &[&str], values: &[f32]) -> Vec<u8> {
    let data: Vec<u8> = values.iter().flat_map(|value| value.to_be_bytes()).collect();
    image(PRIMARY, -32, naxes, more, &data)
}

/// An NPY file, version 1.
pub fn npy(descr: &str, fortran: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let text = format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    let length = (text.len() + 11).next_multiple_of(64) - 10;
    bytes.extend((length as u16).to_le_bytes());
    bytes.extend(format!("{text:<width$}\n", width = length - 1).into_bytes());
    bytes.extend(data);
    bytes
}

pub fn float_npy(shape: &str, values: &[f32]) -> Vec<u8> {
    let data: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    npy("<f4", "False", shape, &data)
}

/// An NPZ file of arrays with their names.
pub fn archive(arrays: &[(&str, Vec<u8>)], method: CompressionMethod) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in arrays {
        zip.start_file(format!("{name}.npy"), FileOptions::default().compression_method(method)).expect("it begins");
        zip.write_all(bytes).expect("memory has room");
    }
    zip.finish().expect("memory has room").into_inner()
}

pub fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, bytes).expect("the disk has room");
    path
}

/// All pixels of an input, `[n, h, w]`.
pub fn pixels(input: &Input) -> Result<Vec<f32>, IngestError> {
    let [n, h, w] = input.shape();
    let mut reader = input.reader()?;
    let mut all = vec![0.0; n * h * w];
    for (map, pixels) in all.chunks_exact_mut(h * w).enumerate() {
        // Not all rows at once, so that the parts must fit together.
        let (first, second) = pixels.split_at_mut(h / 3 * w);
        reader.read_rows(map, h / 3..h, second)?;
        reader.read_rows(map, 0..h / 3, first)?;
    }
    Ok(all)
}

/// The file that these bytes are, opened and read.
pub fn read(name: &str, bytes: &[u8], choice: &Choice) -> Result<(Input, Vec<f32>), String> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = write(folder.path(), name, bytes);
    let input = Input::open(&path, choice).map_err(|error| told(&error, &path))?;
    let pixels = pixels(&input).map_err(|error| told(&error, &path))?;
    Ok((input, pixels))
}

/// An error without its path, which it must begin with.
pub fn told(error: &IngestError, path: &Path) -> String {
    let text = error.to_string();
    assert!(!text.contains('\n') && !text.ends_with('.'), "one line without a period: {text}");
    let rest = text.strip_prefix(&format!("{}: ", path.display()));
    rest.unwrap_or_else(|| panic!("it names the file first: {text}")).to_owned()
}
