//! Headers of HDUs, with what they claim checked before it is computed with.

use std::path::Path;

use fitsio_pure::block::BLOCK_SIZE;
use fitsio_pure::hdu::Hdu;
use fitsio_pure::header::{header_byte_len, parse_header_blocks};
use fitsio_pure::value::Value;

use super::IngestError;
use super::bytes::Bytes;

/// The longest header that is believed to be one: 130,000 cards.
const LONGEST_HEADER: usize = 10 << 20;
/// The most axes that the standard allows.
const MOST_AXES: i64 = 999;

/// A fault of the HDU of this number.
pub(super) fn at(path: &Path, number: usize, fault: &str) -> IngestError {
    IngestError::wrong(path, format!("HDU {number}: {fault}"))
}

/// The HDU of this number, whose header begins at `place`.
pub(super) fn hdu_at(path: &Path, bytes: &Bytes, place: u64, number: usize) -> Result<Hdu, IngestError> {
    let mut raw = Vec::new();
    while place + (raw.len() + BLOCK_SIZE) as u64 <= bytes.len() && raw.len() < LONGEST_HEADER {
        let start = raw.len();
        raw.resize(start + BLOCK_SIZE, 0);
        bytes.read_exact_at(&mut raw[start..], place + start as u64).map_err(IngestError::file(path))?;
        if header_byte_len(&raw[start..]).is_ok() {
            return parse(&raw, place).map_err(|fault| at(path, number, &fault));
        }
    }
    Err(at(path, number, &format!("its header has no END in {} bytes", raw.len())))
}

fn parse(raw: &[u8], place: u64) -> Result<Hdu, String> {
    let cards = parse_header_blocks(raw).map_err(|error| error.to_string())?;
    // Every card of the name, since a keyword may stand there twice and only one of them be a number.
    for card in &cards {
        let Some(Value::Integer(count)) = card.value else { continue };
        let name = card.keyword_str();
        let most = if matches!(name, "NAXIS" | "ZNAXIS") { MOST_AXES } else { i64::MAX };
        let counts = name.trim_start_matches('Z').starts_with("NAXIS") || matches!(name, "GCOUNT" | "PCOUNT");
        if counts && !(0..=most).contains(&count) {
            return Err(format!("{name} is {count}, expected 0 to {most}"));
        }
    }
    Hdu::from_cards(cards, place as usize, place as usize + raw.len()).map_err(|error| error.to_string())
}
