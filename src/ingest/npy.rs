//! NPY files (numpy.lib.format, versions 1 to 3): the header's one line of Python, then numbers.
//!
//! Our own hundred lines, since the crates that read NPY allocate what a header claims.

use std::path::Path;

use super::bytes::Bytes;
use super::column_major::ColumnMajor;
use super::layers::Layer;
use super::pixels::{Number, Pixels};
use super::{IngestError, maps_of};

/// The longest header that is believed to be one; numpy's own limit is 10,000 bytes.
const LONGEST_HEADER: usize = 1 << 16;
const KINDS: &str = "one of f2, f4, f8, i1, i2, i4, i8, u1, u2, u4, u8";

/// The longest beginning of a file that a header may need.
pub(super) const LONGEST_BEGIN: usize = LONGEST_HEADER + 12;

/// Finds the maps of a file.
pub(super) fn open(path: &Path, bytes: &Bytes, layers: &[Layer]) -> Result<Pixels, IngestError> {
    let raw = bytes.begin(LONGEST_BEGIN).map_err(IngestError::file(path))?;
    let parsed = parse(&raw, 0).map_err(|fault| IngestError::wrong(path, format!("header: {fault}")))?;
    parsed.within(path, layers, bytes.len())
}

/// Maps of an array, and the layer that puts it in row-major order where it is in another.
pub(super) struct Parsed {
    pixels: Pixels,
    order: Option<ColumnMajor>,
}

impl Parsed {
    /// The maps behind `layers` that end before the byte `end`.
    pub(super) fn within(self, path: &Path, layers: &[Layer], end: u64) -> Result<Pixels, IngestError> {
        let Self { mut pixels, order } = self;
        pixels.check(path, end)?;
        pixels.layers = layers.to_vec();
        if let Some(order) = order {
            pixels.start = 0;
            pixels.layers.push(Layer::ColumnMajor(order));
        }
        Ok(pixels)
    }
}

/// What a header says.
pub(super) struct Header<'a> {
    /// The first number's place.
    pub start: usize,
    /// Name of the type, as in `<f4`.
    pub descr: &'a str,
    /// Whether columns come one after the other.
    pub fortran_order: bool,
    /// Lengths of the axes.
    pub shape: Vec<usize>,
}

/// How NPY arrays begin.
pub(super) const MAGIC: &[u8] = b"\x93NUMPY";

/// The maps of the array at the begin of `raw`, which begins at the byte `place`.
pub(super) fn parse(raw: &[u8], place: u64) -> Result<Parsed, String> {
    let header = header(raw)?;
    let (number, big_endian) = number(header.descr)?;
    let shape = header.shape;
    let maps = maps_of(&shape).ok_or_else(|| format!("`shape` is {shape:?}, expected [h, w] or [n, h, w]"))?;
    let start = place + header.start as u64;
    let order = header.fortran_order.then(|| ColumnMajor { start, shape, size: number.bytes() });
    let pixels = Pixels { layers: Vec::new(), start, shape: maps, number, big_endian, scaling: None, blank: None };
    Ok(Parsed { pixels, order })
}

/// Reads the header at the begin of `raw`.
pub(super) fn header(raw: &[u8]) -> Result<Header<'_>, String> {
    let version = raw.get(6).copied().unwrap_or(0);
    let length = match (version, raw) {
        (1, [_, _, _, _, _, _, _, _, a, b, ..]) => u32::from(u16::from_le_bytes([*a, *b])),
        (2 | 3, [_, _, _, _, _, _, _, _, a, b, c, d, ..]) => u32::from_le_bytes([*a, *b, *c, *d]),
        (1..=3, _) => return Err(format!("ends after {} bytes", raw.len())),
        _ => return Err(format!("version is {version}, expected 1 to 3")),
    };
    let (begin, length) = (if version == 1 { 10 } else { 12 }, length as usize);
    if length > LONGEST_HEADER {
        return Err(format!("is {length} bytes long, expected at most {LONGEST_HEADER}"));
    }
    let text = raw.get(begin..begin + length).ok_or_else(|| format!("ends before its {length} bytes"))?;
    let text = std::str::from_utf8(text).unwrap_or("\0").trim_end();
    if text.chars().any(char::is_control) {
        return Err("is no line of text".into());
    }
    let entry = |key: &str| entry(text, key).ok_or_else(|| format!("says no `{key}`"));
    let descr = entry("descr")?.strip_prefix(['\'', '"']).and_then(|rest| rest.split(['\'', '"']).next());
    let descr = descr.ok_or_else(|| format!("`descr` is no name of a type, expected {KINDS}"))?;
    let fortran_order = match entry("fortran_order")?.split([',', '}']).next().map(str::trim) {
        Some("False") => false,
        Some("True") => true,
        _ => return Err("`fortran_order` is neither True nor False".into()),
    };
    Ok(Header { start: begin + length, descr, fortran_order, shape: shape(entry("shape")?)? })
}

impl Header<'_> {
    /// Refuses arrays whose columns come one after the other.
    pub(super) fn expect_c_order(&self) -> Result<(), String> {
        if self.fortran_order {
            return Err("`fortran_order` is True, expected an array in C order".into());
        }
        Ok(())
    }
}

/// What follows `'key':`.
fn entry<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    ['\'', '"'].iter().find_map(|quote| {
        let (_, after) = text.split_once(&format!("{quote}{key}{quote}"))?;
        after.trim_start().strip_prefix(':').map(str::trim_start)
    })
}

/// The type of a name such as `<f4`, and whether its most significant byte comes first.
pub(super) fn number(name: &str) -> Result<(Number, bool), String> {
    let kind = name.trim_start_matches(['<', '>', '|', '=']);
    let number = match kind {
        "u1" => Number::U8,
        "i1" => Number::I8,
        "u2" => Number::U16,
        "i2" => Number::I16,
        "u4" => Number::U32,
        "i4" => Number::I32,
        "u8" => Number::U64,
        "i8" => Number::I64,
        "f2" => Number::F16,
        "f4" => Number::F32,
        "f8" => Number::F64,
        _ => return Err(format!("`descr` is '{name:.20}', expected {KINDS}")),
    };
    Ok((number, name.starts_with('>')))
}

/// A tuple of lengths; Python 2 wrote some with an L.
fn shape(text: &str) -> Result<Vec<usize>, String> {
    let inside = text.strip_prefix('(').and_then(|rest| rest.split_once(')')).map(|(inside, _)| inside);
    let inside = inside.ok_or("`shape` is no tuple")?;
    let lengths = inside.split(',').map(str::trim).filter(|length| !length.is_empty());
    let read = |length: &str| {
        length
            .trim_end_matches('L')
            .parse()
            .map_err(|_| format!("`shape` has the length `{length:.20}`, expected a whole number"))
    };
    lengths.map(read).collect()
}
