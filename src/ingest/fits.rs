//! Images in FITS files (standard 4.0): the primary HDU, IMAGE extensions and tile-compressed images, of every BITPIX.
//!
//! Cards and the sizes that follow from them are `fitsio-pure`'s; what it is given is checked before, since it takes headers at their
//! word. Pixels are read by `pixels`, a part at a time.

use std::collections::BTreeMap;
use std::path::Path;

use fitsio_pure::block::{BLOCK_SIZE, padded_byte_len};
use fitsio_pure::hdu::{Hdu, HduInfo};

use super::bytes::Bytes;
use super::cards::Cards;
use super::hdu::{at, hdu_at};
use super::layers::Layer;
use super::pixel_scale::pixel_arcmin;
use super::pixels::{Number, Pixels, Scaling};
use super::tiles::{self, Tiled};
use super::{IngestError, Sky};

/// What stands for all images where HDUs are named.
const ALL: &str = "all";
/// Names of images that describe another image: its errors, flags, weights, exposure. HST, JWST, Euclid, LSST and others use them.
const PLANES: &[&str] = &[
    "ERR",
    "ERROR",
    "RMS",
    "SIGMA",
    "NOISE",
    "UNCERT",
    "VAR",
    "VARIANCE",
    "IVAR",
    "DQ",
    "FLAG",
    "FLAGS",
    "MASK",
    "WHT",
    "WEIGHT",
    "WEIGHTS",
    "CON",
    "CTX",
    "EXP",
    "EXPOSURE",
    "BKG",
    "BACKGROUND",
];

/// An image that was asked for.
struct Image {
    hdu: usize,
    name: String,
    bitpix: i64,
    pixels: Pixels,
    sky: Sky,
}

/// Finds the images `wanted` (HDUs by number or EXTNAME, separated by commas, or `all`), or all there are.
///
/// - `layers`: those in front of `bytes`
/// - `any_shape`: whether images may differ in their numbers of rows and columns
pub(super) fn open(
    path: &Path,
    bytes: &Bytes,
    layers: &[Layer],
    wanted: Option<&str>,
    any_shape: bool,
) -> Result<(Vec<Pixels>, Sky), IngestError> {
    let names: Option<Vec<&str>> = wanted
        .filter(|wanted| !wanted.eq_ignore_ascii_case(ALL))
        .map(|wanted| wanted.split(',').map(str::trim).collect());
    let mut met = vec![false; names.as_ref().map_or(0, Vec::len)];
    let (mut place, mut number, mut primary) = (0, 0, Vec::new());
    let mut images = Vec::new();
    while place + BLOCK_SIZE as u64 <= bytes.len() {
        let hdu = hdu_at(path, bytes, place, number)?;
        let name = Cards(&hdu.cards).text("EXTNAME").ok().flatten().unwrap_or_default().trim().to_owned();
        let asked = names.as_ref().map(|names| {
            let is_meant = |wanted: &&str| wanted.eq_ignore_ascii_case(&name) || wanted.parse() == Ok(number);
            names.iter().zip(&mut met).fold(false, |any, (wanted, met)| {
                let meant = is_meant(wanted);
                *met |= meant;
                any | meant
            })
        });
        let tiled = matches!(hdu.info, HduInfo::CompressedImage { .. });
        let is_image = match &hdu.info {
            HduInfo::Primary { naxes, .. } | HduInfo::Image { naxes, .. } => asked.is_some() || !naxes.is_empty(),
            _ => tiled,
        };
        match (asked, is_image) {
            (None | Some(true), true) => {
                let found = image(&hdu, number, layers, Cards(&primary));
                let (bitpix, pixels, sky) = found.map_err(|fault| at(path, number, &fault))?;
                if !tiled {
                    pixels.check(path, bytes.len())?;
                }
                images.push(Image { hdu: number, name, bitpix, pixels, sky });
            }
            (Some(true), false) => return Err(at(path, number, "is no image, expected one")),
            _ => {}
        }
        // Checked here and not by the last read: data that are cut off are an error even where nobody wants them.
        let end = (hdu.data_start as u64).checked_add(padded_byte_len(hdu.data_len) as u64);
        place = end
            .filter(|_| hdu.data_len as u64 <= bytes.len())
            .ok_or_else(|| at(path, number, "is larger than the file"))?;
        if number == 0 {
            primary = hdu.cards;
        }
        number += 1;
    }
    if let Some(wanted) = names.iter().flatten().zip(&met).find_map(|(wanted, met)| (!met).then_some(wanted)) {
        let fault = format!("has no HDU `{wanted}`, expected a number below {number} or an EXTNAME in it");
        return Err(IngestError::wrong(path, fault));
    }
    if wanted.is_none() {
        expect_one_kind(&images).map_err(|fault| IngestError::wrong(path, fault))?;
    }
    if !any_shape {
        expect_one_shape(&images).map_err(|fault| IngestError::wrong(path, fault))?;
    }
    let sky = sky_of_all(&images)
        .ok_or_else(|| IngestError::wrong(path, format!("has no image in its {number} HDUs, expected one")))?;
    Ok((images.into_iter().map(|image| image.pixels).collect(), sky))
}

/// Refuses images that are not all of the same kind, since some of them may describe others.
fn expect_one_kind(images: &[Image]) -> Result<(), String> {
    let Some((first, more)) = images.split_first() else { return Ok(()) };
    let is_plane = |image: &Image| {
        let name = image.name.to_ascii_uppercase();
        PLANES.contains(&name.as_str()) || name.starts_with("VAR_")
    };
    let differ = more.iter().any(|image| image.bitpix != first.bitpix || image.sky.unit != first.sky.unit);
    if !more.is_empty() && (differ || images.iter().any(is_plane)) {
        let list = listed(images, |image| {
            let name = if image.name.is_empty() { String::new() } else { format!(" {:.20}", image.name) };
            let unit = image.sky.unit.as_ref().map(|unit| format!(" in {unit:.20}")).unwrap_or_default();
            format!("{}{name} (BITPIX {}{unit})", image.hdu, image.bitpix)
        });
        return Err(format!(
            "has images of different kinds in HDUs {list}: expected --hdu to name those that are maps"
        ));
    }
    Ok(())
}

/// Refuses images of several shapes.
fn expect_one_shape(images: &[Image]) -> Result<(), String> {
    let shape = |image: &Image| [image.pixels.shape[1], image.pixels.shape[2]];
    if images.iter().any(|image| shape(image) != shape(&images[0])) {
        let list = listed(images, |image| {
            let [h, w] = shape(image);
            format!("{h} x {w} px in HDU {}", image.hdu)
        });
        return Err(format!("has images of {list}: expected equal shapes, --size to crop or pad them, or --hdu"));
    }
    Ok(())
}

/// The first few of a list.
fn listed(images: &[Image], each: impl Fn(&Image) -> String) -> String {
    let mut list: Vec<String> = images.iter().take(6).map(each).collect();
    if images.len() > list.len() {
        list.push(format!("{} more", images.len() - list.len()));
    }
    list.join(", ")
}

/// What all images say alike; none of no images.
fn sky_of_all(images: &[Image]) -> Option<Sky> {
    let first = images.first()?;
    let mut sky = first.sky.clone();
    for image in &images[1..] {
        let other = &image.sky;
        let differ = match (sky.pixel_arcmin, other.pixel_arcmin) {
            (Some(a), Some(b)) => (a / b - 1.0).abs() > 1e-3,
            (a, b) => a != b,
        };
        if differ && sky.pixel_fault.is_none() {
            let shown = |pixel: Option<f64>| pixel.map_or("no known side".into(), |pixel| format!("{pixel} arcmin"));
            let fault = format!(
                "HDU {}: has pixels of {}, expected {} as in HDU {}, or --pixel-arcmin or --side-deg",
                image.hdu,
                shown(other.pixel_arcmin),
                shown(sky.pixel_arcmin),
                first.hdu
            );
            sky.pixel_fault = Some(other.pixel_fault.clone().unwrap_or(fault));
        }
        if sky.unit != other.unit && sky.unit_fault.is_none() {
            let shown = |unit: &Option<String>| unit.clone().unwrap_or_else(|| "nothing".into());
            let (unit, wanted) = (shown(&other.unit), shown(&sky.unit));
            let fault =
                format!("HDU {}: BUNIT is {unit}, expected {wanted} as in HDU {}, or --unit", image.hdu, first.hdu);
            sky.unit_fault = Some(fault);
        }
        sky.redshift = sky.redshift.filter(|redshift| other.redshift == Some(*redshift));
        if sky.cosmology != other.cosmology {
            sky.cosmology.clear();
        }
    }
    Some(sky)
}

/// BITPIX, pixels and sky of an image.
fn image(hdu: &Hdu, number: usize, layers: &[Layer], primary: Cards) -> Result<(i64, Pixels, Sky), String> {
    let cards = Cards(&hdu.cards);
    let mut layers = layers.to_vec();
    let (start, bitpix, naxes) = match &hdu.info {
        HduInfo::Primary { bitpix, naxes } | HduInfo::Image { bitpix, naxes } => {
            (hdu.data_start as u64, *bitpix, naxes.clone())
        }
        _ => {
            let Tiled { bitpix, naxes, .. } = tiles::describe(hdu)?;
            layers.push(Layer::Tiles { place: hdu.header_start as u64, hdu: number });
            (0, bitpix, naxes)
        }
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
    let (scale, zero) = (cards.real("BSCALE")?.unwrap_or(1.0), cards.real("BZERO")?.unwrap_or(0.0));
    if !(scale.is_finite() && scale != 0.0 && zero.is_finite()) {
        return Err(format!("BSCALE is {scale} and BZERO is {zero}, expected finite numbers and a scale other than 0"));
    }
    let blank = if bitpix > 0 { cards.integer("BLANK")?.or(cards.integer("ZBLANK")?) } else { None };
    let pixels = Pixels {
        layers,
        start,
        shape: shape(&naxes)?,
        number,
        big_endian: true,
        scaling: (scale != 1.0 || zero != 0.0).then_some(Scaling { scale, zero }),
        blank,
    };
    let sky = sky(primary, cards, naxes[0])?;
    Ok((bitpix, pixels, sky))
}

/// `[n, h, w]` of the lengths of axes, the fastest first. Beyond three axes, those of length 1 do not count.
fn shape(naxes: &[usize]) -> Result<[usize; 3], String> {
    match *naxes {
        [w, h] => Ok([1, h, w]),
        [w, h, n] => Ok([n, h, w]),
        [w, h, ref more @ ..] => match more.iter().filter(|length| **length != 1).collect::<Vec<_>>()[..] {
            [] => Ok([1, h, w]),
            [&n] => Ok([n, h, w]),
            _ => Err(format!("NAXISn are {naxes:?}, expected 2 or 3 axes that are longer than 1")),
        },
        _ => Err(format!("NAXIS is {}, expected 2 or 3", naxes.len())),
    }
}

/// What the image's cards say of the sky or, where they are silent, those of the primary HDU.
fn sky(primary: Cards, cards: Cards, columns: usize) -> Result<Sky, String> {
    let one = |names: &[&str]| -> Result<Option<f64>, String> {
        for cards in [cards, primary] {
            for name in names {
                if let Some(value) = cards.real_if_number(name)? {
                    return Ok(Some(value).filter(|value| value.is_finite()));
                }
            }
        }
        Ok(None)
    };
    let mut cosmology = BTreeMap::new();
    for (name, keywords) in [
        ("omega_m", &["OMEGA_M", "OMEGAM", "OMEGA0", "OM0"][..]),
        ("omega_b", &["OMEGA_B", "OMEGAB", "OB0"]),
        ("omega_l", &["OMEGA_L", "OMEGAL", "ODE0"]),
        ("sigma_8", &["SIGMA_8", "SIGMA8"]),
        ("n_s", &["N_S", "NS"]),
        ("w0", &["W0"]),
        ("wa", &["WA"]),
    ] {
        cosmology.extend(one(keywords)?.map(|value| (name.to_owned(), value)));
    }
    cosmology.extend(one(&["H0"])?.map(|h0| ("h".to_owned(), h0 / 100.0)));
    // LensTools writes the side of a map in degrees as ANGLE, which elsewhere is the angle of anything, with its other keywords.
    let has = |name: &str| cards.has(name) || primary.has(name);
    let lens_tools = (has("H0") && has("OMEGA_M")) || has("ITYPE");
    let side_deg = if lens_tools { one(&["ANGLE"])? } else { None };
    let pixel = match side_deg {
        Some(side) => Ok(Some(side.abs() * 60.0 / columns as f64).filter(|pixel| *pixel > 0.0)),
        None => pixel_arcmin(cards),
    };
    let unit = cards.text("BUNIT")?.map(|unit| unit.trim().to_owned()).filter(|unit| !unit.is_empty());
    Ok(Sky {
        unit,
        unit_fault: None,
        pixel_fault: pixel.as_ref().err().cloned(),
        pixel_arcmin: pixel.ok().flatten(),
        redshift: one(&["REDSHIFT", "ZSOURCE", "Z"])?,
        cosmology,
    })
}
