//! Text and numbers of other people's files, however they are written, and lists for messages.

use std::fs;
use std::path::Path;

use crate::ingest::IngestError;

/// What the first bytes of UTF-8 text may be.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// The text of a file of at most `longest` bytes.
///
/// - `what`: what the file should be, for messages
/// - `no_text`: what is said of bytes that are no text
pub(super) fn load(path: &Path, what: &str, longest: u64, no_text: &str) -> Result<String, IngestError> {
    let bytes = fs::metadata(path).map_err(IngestError::file(path))?.len();
    if bytes > longest {
        return Err(IngestError::wrong(path, format!("is {bytes} bytes, expected {what} of at most {longest}")));
    }
    let text = decode(fs::read(path).map_err(IngestError::file(path))?);
    text.ok_or_else(|| IngestError::wrong(path, no_text))
}

/// Text of UTF-8, with or without a byte order mark, or else of Latin-1; none of bytes that no text has.
pub(super) fn decode(bytes: Vec<u8>) -> Option<String> {
    let is_binary = |byte: &u8| matches!(byte, 0..=8 | 14..=31);
    if bytes.iter().any(is_binary) || bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return None;
    }
    let text = String::from_utf8(bytes).unwrap_or_else(|error| {
        // Latin-1 has no signs between 0x80 and 0x9f.
        let letter =
            |byte: &u8| if (0x80..0xa0).contains(byte) { char::REPLACEMENT_CHARACTER } else { char::from(*byte) };
        error.as_bytes().iter().map(letter).collect()
    });
    Some(text.strip_prefix(BYTE_ORDER_MARK).map(str::to_owned).unwrap_or(text))
}

/// A number, whose exponent may be Fortran's: 8.0D-05.
pub(super) fn number(cell: &str) -> Option<f64> {
    cell.parse().ok().or_else(|| {
        let is_fortran = cell.starts_with(|sign: char| sign.is_ascii_digit() || "+-.".contains(sign));
        (is_fortran && cell.contains(['d', 'D'])).then(|| cell.replace(['d', 'D'], "e").parse().ok())?
    })
}

/// A list for the log, cut where it is long.
pub(super) fn some_of(names: &[String]) -> String {
    const MOST: usize = 8;
    let first = names.iter().take(MOST).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > MOST { format!("{first} and {} more", names.len() - MOST) } else { first }
}
