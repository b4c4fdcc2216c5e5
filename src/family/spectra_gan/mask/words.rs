//! Words of the command line, and lists, to masks of spectra.

use std::path::Path;

use super::instruments::INSTRUMENTS;
use super::spectrum::{SpectrumMask, Wavelengths};
use crate::atmosphere::QUANTITIES;
use crate::data::mask::{MapMask, MaskError};
use crate::files;

/// Before what is left out.
const NOT: &str = "not:";
/// All wavelengths, and no parameter.
const PARAMETERS: &str = "parameters";

impl SpectrumMask {
    /// What the word says, lists that it names being read.
    pub fn parse(word: &str) -> Result<Self, MaskError> {
        if MapMask::is_meant_by(word) {
            let mask = MapMask::parse(word)?;
            return Err(MaskError::word(&mask, "is of maps, expected a mask of spectra"));
        }
        spectrum(word)
    }
}

fn spectrum(word: &str) -> Result<SpectrumMask, MaskError> {
    let (mut known, mut left_out, mut given) = (Vec::new(), Vec::new(), [false; QUANTITIES.len()]);
    let (mut after_not, mut all) = (false, false);
    for part in word.split(',') {
        let mut part = part.trim();
        if let Some(rest) = part.strip_prefix(NOT) {
            if after_not {
                return Err(MaskError::word(&word, "has `not:` twice, expected it once, before all that is left out"));
            }
            (after_not, part) = (true, rest);
        }
        let pieces = if after_not { &mut left_out } else { &mut known };
        let parameter = QUANTITIES.iter().position(|quantity| quantity.name == part);
        if after_not && (parameter.is_some() || part == PARAMETERS) {
            let fault = "names parameters after `not:`, expected wavelengths: those that are not named are not given";
            return Err(MaskError::word(&word, fault));
        }
        if let Some(index) = parameter {
            given[index] = true;
        } else if part == PARAMETERS {
            all = true;
        } else {
            pieces.extend(wavelengths(part)?);
        }
    }
    if all && !known.is_empty() {
        return Err(MaskError::word(
            &word,
            "has some wavelengths beside `parameters`, which is all, expected one of them",
        ));
    }
    SpectrumMask::new(known, left_out, given)
}

/// What a part of a word says.
fn wavelengths(part: &str) -> Result<Vec<Wavelengths>, MaskError> {
    if let Some(instrument) = INSTRUMENTS.iter().find(|instrument| instrument.name == part) {
        return Ok(instrument.channels_um.iter().map(|(from, to)| Wavelengths::Between(*from, *to)).collect());
    }
    let path = Path::new(part);
    let is_number = part.starts_with(|sign: char| sign.is_ascii_digit() || ['.', '-', '+'].contains(&sign));
    if is_number && !part.contains('/') && !path.is_file() {
        let fault = |fault| MaskError::word(&part, fault);
        let bare = part.strip_suffix("um").ok_or_else(|| fault(without_unit(part)))?;
        return Ok(vec![piece(bare).map_err(fault)?]);
    }
    if part.contains(['/', '.']) || path.is_file() {
        return list(path);
    }
    let instruments: Vec<&str> = INSTRUMENTS.iter().map(|instrument| instrument.name).collect();
    Err(MaskError::word(
        &part,
        format!(
            "is not known, expected {PARAMETERS}, wavelengths as in 0.6-5.3um, {}, a parameter such as planet_radius, a file, or, \
             of maps, center, left, random:0.2, grid:4, rows:10-20,columns:5-30",
            instruments.join(", ")
        ),
    ))
}

/// What is wrong with a wavelength that does not end in um.
fn without_unit(part: &str) -> String {
    let unit = part.trim_start_matches(|sign: char| !sign.is_alphabetic());
    match unit {
        "" => format!("has no unit, expected um, as in {part}um"),
        unit => format!("is in {unit:.20}, expected um, as in 0.6-5.3um"),
    }
}

/// `0.6-5.3` or `1.4`, in um.
fn piece(text: &str) -> Result<Wavelengths, String> {
    let number = |text: &str| {
        text.trim()
            .parse::<f64>()
            .map_err(|_| format!("has `{text:.30}`, which is no number, expected 0.6-5.3um or 1.4um"))
    };
    let piece = match text.split_once('-') {
        Some((from, to)) => Wavelengths::Between(number(from)?, number(to)?),
        None => Wavelengths::At(number(text)?),
    };
    piece.check().map(|()| piece)
}

/// A range or a wavelength a line, in um: `0.6-5.3um`, `0.6 5.3`, `1.4`; what follows `#` is passed over.
fn list(path: &Path) -> Result<Vec<Wavelengths>, MaskError> {
    let wanted = "a list of wavelengths, or another mask";
    let text = files::read_text(path, wanted).map_err(|source| MaskError::File { path: path.into(), source })?;
    let mut pieces = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let cells: Vec<&str> = line.split([' ', '\t', ',']).filter(|cell| !cell.is_empty()).collect();
        let bare = |cell: &str| cell.strip_suffix("um").unwrap_or(cell).to_owned();
        let read = match cells[..] {
            [one] => piece(&bare(one)),
            [from, to] => piece(&format!("{}-{}", bare(from), bare(to))),
            _ => Err(format!("has {} numbers, expected a range or a wavelength", cells.len())),
        };
        let fault = |fault| MaskError::List { path: path.into(), line: Some(number), fault };
        pieces.push(read.map_err(fault)?);
    }
    if pieces.is_empty() {
        let fault = "holds no wavelengths, expected a range or a wavelength a line".into();
        return Err(MaskError::List { path: path.into(), line: None, fault });
    }
    Ok(pieces)
}
