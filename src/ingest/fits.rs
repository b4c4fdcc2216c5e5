//! Images in FITS files (standard 4.0): the primary HDU or an IMAGE extension with 2 or 3 axes, of every BITPIX.
//!
//! Cards and the sizes that follow from them are `fitsio-pure`'s; what it is given is checked before, since it takes headers at their
//! word. Pixels are read by `pixels`, a part at a time.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use fitsio_pure::block::{BLOCK_SIZE, padded_byte_len};
use fitsio_pure::hdu::{Hdu, HduInfo};
use fitsio_pure::header::{Card, header_byte_len, parse_header_blocks};
use fitsio_pure::value::Value;

use super::pixels::{Number, Pixels, Scaling};
use super::{IngestError, Sky, Stack};

/// The longest header that is believed to be one: 130,000 cards.
const LONGEST_HEADER: usize = 10 << 20;
/// The most axes that the standard allows.
const MOST_AXES: i64 = 999;

/// Finds the image `wanted` (an HDU's number or EXTNAME), or the first there is.
pub fn open(path: &Path, wanted: Option<&str>) -> Result<(Stack, Sky), IngestError> {
    let file = File::open(path).map_err(IngestError::file(path))?;
    let file_bytes = file.metadata().map_err(IngestError::file(path))?.len();
    let (mut place, mut number, mut primary) = (0, 0, Vec::new());
    let mut compressed = None;
    while place + BLOCK_SIZE as u64 <= file_bytes {
        let raw = read_header(path, &file, place, file_bytes, number)?;
        let hdu = parse(&raw, place).map_err(|fault| at(path, number, &fault))?;
        let name = text(&hdu.cards, "EXTNAME").unwrap_or_default();
        let asked = wanted.map(|wanted| wanted.eq_ignore_ascii_case(name) || wanted.parse() == Ok(number));
        if asked != Some(false) {
            match &hdu.info {
                HduInfo::Primary { naxes, .. } | HduInfo::Image { naxes, .. }
                    if asked.is_some() || !naxes.is_empty() =>
                {
                    let pixels = pixels(&hdu).map_err(|fault| at(path, number, &fault))?;
                    pixels.check(path, file_bytes)?;
                    return Ok((Stack::Plain(pixels), sky(&primary, &hdu.cards, naxes)));
                }
                HduInfo::CompressedImage { .. } => {
                    compressed.get_or_insert(number);
                }
                _ if asked.is_some() => return Err(at(path, number, "is no image, expected one")),
                _ => {}
            }
            if let (Some(number), true) = (compressed, asked.is_some()) {
                return Err(tiled(path, number));
            }
        }
        if number == 0 {
            primary = hdu.cards;
        }
        // Checked here and not by the last read: data that are cut off are an error even where nobody wants them.
        let end = (hdu.data_start as u64).checked_add(padded_byte_len(hdu.data_len) as u64);
        place = end
            .filter(|_| hdu.data_len as u64 <= file_bytes)
            .ok_or_else(|| at(path, number, "is larger than the file"))?;
        number += 1;
    }
    Err(match (wanted, compressed) {
        (None, Some(number)) => tiled(path, number),
        (Some(wanted), _) => IngestError::wrong(
            path,
            format!("has no HDU `{wanted}`, expected a number below {number} or an EXTNAME in it"),
        ),
        (None, None) => IngestError::wrong(path, format!("has no image in its {number} HDUs, expected one")),
    })
}

fn at(path: &Path, number: usize, fault: &str) -> IngestError {
    IngestError::wrong(path, format!("HDU {number}: {fault}"))
}

fn tiled(path: &Path, number: usize) -> IngestError {
    at(path, number, "is a tile-compressed image, expected a plain one, as funpack makes it")
}

/// The blocks of the header at `place`.
fn read_header(path: &Path, file: &File, place: u64, file_bytes: u64, number: usize) -> Result<Vec<u8>, IngestError> {
    let mut raw = Vec::new();
    while place + (raw.len() + BLOCK_SIZE) as u64 <= file_bytes && raw.len() < LONGEST_HEADER {
        let start = raw.len();
        raw.resize(start + BLOCK_SIZE, 0);
        file.read_exact_at(&mut raw[start..], place + start as u64).map_err(IngestError::file(path))?;
        if header_byte_len(&raw[start..]).is_ok() {
            return Ok(raw);
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

fn pixels(hdu: &Hdu) -> Result<Pixels, String> {
    let (HduInfo::Primary { bitpix, naxes } | HduInfo::Image { bitpix, naxes }) = &hdu.info else {
        return Err("is no image".into());
    };
    let shape = match naxes[..] {
        [w, h] => [1, h, w],
        [w, h, n] => [n, h, w],
        _ => return Err(format!("NAXIS is {}, expected 2 or 3", naxes.len())),
    };
    let number = match bitpix {
        8 => Number::U8,
        16 => Number::I16,
        32 => Number::I32,
        64 => Number::I64,
        -32 => Number::F32,
        -64 => Number::F64,
        _ => return Err(format!("BITPIX is {bitpix}, expected 8, 16, 32, 64, -32 or -64")),
    };
    let (scale, zero) = (real(&hdu.cards, "BSCALE").unwrap_or(1.0), real(&hdu.cards, "BZERO").unwrap_or(0.0));
    if !(scale.is_finite() && scale != 0.0 && zero.is_finite()) {
        return Err(format!("BSCALE is {scale} and BZERO is {zero}, expected finite numbers and a scale other than 0"));
    }
    Ok(Pixels {
        start: hdu.data_start as u64,
        shape,
        number,
        big_endian: true,
        scaling: (scale != 1.0 || zero != 0.0).then_some(Scaling { scale, zero }),
        blank: integer(&hdu.cards, "BLANK").filter(|_| *bitpix > 0),
    })
}

/// What the image's cards say of the sky or, where they are silent, those of the primary HDU.
fn sky(primary: &[Card], cards: &[Card], naxes: &[usize]) -> Sky {
    let one = |names: &[&str]| {
        [cards, primary]
            .iter()
            .find_map(|cards| names.iter().find_map(|name| real(cards, name)))
            .filter(|x| x.is_finite())
    };
    let columns = naxes.first().copied().unwrap_or(1) as f64;
    // LensTools writes the side of a map in degrees; others the step along an axis, in degrees where it is one of the sky.
    let celestial = text(cards, "CTYPE1")
        .is_some_and(|axis| ["RA", "GLON", "ELON"].iter().any(|sky| axis.starts_with(sky)))
        && text(cards, "CUNIT1").is_none_or(|unit| unit.trim() == "deg");
    let step = || {
        let matrix = |a, b| Some(real(cards, a)?.hypot(real(cards, b).unwrap_or(0.0)));
        celestial.then(|| real(cards, "CDELT1").or_else(|| matrix("CD1_1", "CD2_1"))).flatten()
    };
    let pixel_deg = one(&["ANGLE"]).map(|side| side / columns).or_else(step);
    let mut cosmology = std::collections::BTreeMap::new();
    for (name, keywords) in [
        ("omega_m", &["OMEGA_M", "OMEGAM", "OMEGA0", "OM0"][..]),
        ("omega_b", &["OMEGA_B", "OMEGAB", "OB0"]),
        ("omega_l", &["OMEGA_L", "OMEGAL", "ODE0"]),
        ("sigma_8", &["SIGMA_8", "SIGMA8"]),
        ("n_s", &["N_S", "NS"]),
        ("w0", &["W0"]),
        ("wa", &["WA"]),
    ] {
        cosmology.extend(one(keywords).map(|value| (name.to_owned(), value)));
    }
    cosmology.extend(one(&["H0"]).map(|h0| ("h".to_owned(), h0 / 100.0)));
    Sky {
        unit: text(cards, "BUNIT").map(|unit| unit.trim().to_owned()).filter(|unit| !unit.is_empty()),
        pixel_arcmin: pixel_deg.map(|step| step.abs() * 60.0).filter(|pixel| *pixel > 0.0 && pixel.is_finite()),
        redshift: one(&["REDSHIFT", "ZSOURCE", "Z"]),
        cosmology,
    }
}

fn value<'a>(cards: &'a [Card], name: &str) -> Option<&'a Value> {
    cards.iter().find(|card| card.keyword_str() == name)?.value.as_ref()
}

fn integer(cards: &[Card], name: &str) -> Option<i64> {
    match value(cards, name)? {
        Value::Integer(integer) => Some(*integer),
        _ => None,
    }
}

fn real(cards: &[Card], name: &str) -> Option<f64> {
    match value(cards, name)? {
        Value::Integer(integer) => Some(*integer as f64),
        Value::Float(float) => Some(*float),
        _ => None,
    }
}

fn text<'a>(cards: &'a [Card], name: &str) -> Option<&'a str> {
    match value(cards, name)? {
        Value::String(text) => Some(text.trim_end()),
        _ => None,
    }
}
