//! Side of a pixel of a FITS image, from its world coordinate system (Greisen & Calabretta 2002, Calabretta & Greisen 2002).
//!
//! x_i = sum_j M_ij p_j takes pixels p to intermediate world coordinates x. M is CDi_j, or CDELTi PCi_j, or CDELTi rotated by CROTA2.
//! The length of column j of M is the side of a pixel along axis j, whatever the rotation.

use super::cards::Cards;

/// Sides of a pixel may differ by this share, and the cosine of the angle between them may be as large: fitted coordinate systems are
/// never exactly square.
const TOLERANCE: f64 = 1e-2;

/// Side of a square pixel in arcmin; none where the axes are not of the sky or the header gives no step.
pub(super) fn pixel_arcmin(cards: Cards) -> Result<Option<f64>, String> {
    let axes = [cards.text("CTYPE1")?, cards.text("CTYPE2")?].map(|axis| axis.and_then(celestial));
    if !matches!(axes, [Some(first), Some(second)] if first != second) {
        return Ok(None);
    }
    let Some(matrix) = matrix(cards)? else { return Ok(None) };
    let [first, second] = [0, 1].map(|axis| f64::hypot(matrix[0][axis], matrix[1][axis]));
    let wanted = "or --pixel-arcmin or --side-deg";
    if ![first, second].iter().all(|side| side.is_finite() && *side > 0.0) {
        return Err(format!("pixels have sides of {first} and {second} arcmin, expected positive numbers, {wanted}"));
    }
    if (first / second - 1.0).abs() > TOLERANCE {
        return Err(format!("pixels are {first:.6} x {second:.6} arcmin, expected squares, {wanted}"));
    }
    let cosine = (matrix[0][0] * matrix[0][1] + matrix[1][0] * matrix[1][1]) / (first * second);
    if cosine.abs() > TOLERANCE {
        let angle = cosine.clamp(-1.0, 1.0).acos().to_degrees();
        return Err(format!(
            "sides of a pixel, {first:.6} and {second:.6} arcmin, meet at {angle:.2} degrees, expected 90, {wanted}"
        ));
    }
    Ok(Some(if first == second { first } else { (first * second).sqrt() }))
}

/// Whether an axis is a longitude; none where it is not of the sky.
fn celestial(axis: &str) -> Option<bool> {
    let name = axis.split('-').next().unwrap_or_default().trim();
    match name {
        "RA" => Some(true),
        "DEC" => Some(false),
        _ if name.len() == 4 && (name.ends_with("LON") || name.ends_with("LN")) => Some(true),
        _ if name.len() == 4 && (name.ends_with("LAT") || name.ends_with("LT")) => Some(false),
        _ => None,
    }
}

/// M in arcmin per pixel; none where the header says nothing of it.
fn matrix(cards: Cards) -> Result<Option<[[f64; 2]; 2]>, String> {
    let elements = |kind: &str| -> Result<[[Option<f64>; 2]; 2], String> {
        let one = |i: usize, j: usize| cards.real(&format!("{kind}{i}_{j}"));
        Ok([[one(1, 1)?, one(1, 2)?], [one(2, 1)?, one(2, 2)?]])
    };
    let (cd, pc) = (elements("CD")?, elements("PC")?);
    let steps = [cards.real("CDELT1")?, cards.real("CDELT2")?];
    let rotation = cards.real("CROTA2")?.unwrap_or(0.0).to_radians();
    let units = [unit(cards, "CUNIT1")?, unit(cards, "CUNIT2")?];
    let any = |elements: &[[Option<f64>; 2]; 2]| elements.iter().flatten().any(Option::is_some);
    // What is absent has the standard's default.
    let [first, second] = steps.map(|step| step.unwrap_or(1.0));
    let degrees = match (any(&cd), any(&pc)) {
        (true, true) => {
            let wanted = "expected one of them, or --pixel-arcmin or --side-deg";
            return Err(format!("both CDi_j and PCi_j give the pixels' scale, {wanted}"));
        }
        (true, false) => cd.map(|row| row.map(|element| element.unwrap_or(0.0))), // CDELT beside it is void
        (false, true) => [
            [first * pc[0][0].unwrap_or(1.0), first * pc[0][1].unwrap_or(0.0)],
            [second * pc[1][0].unwrap_or(0.0), second * pc[1][1].unwrap_or(1.0)],
        ],
        (false, false) if steps == [None, None] => return Ok(None),
        (false, false) => {
            let (sine, cosine) = rotation.sin_cos();
            [[first * cosine, -second * sine], [first * sine, second * cosine]]
        }
    };
    Ok(Some([0, 1].map(|i| degrees[i].map(|element| element * units[i]))))
}

/// Arcminutes in the unit of an axis; degrees where the card is absent.
fn unit(cards: Cards, name: &str) -> Result<f64, String> {
    let unit = cards.text(name)?.unwrap_or_default().trim();
    Ok(match unit.to_ascii_lowercase().as_str() {
        "" | "deg" | "degree" | "degrees" => 60.0,
        "arcmin" => 1.0,
        "arcsec" => 1.0 / 60.0,
        "mas" => 1.0 / 60_000.0,
        "rad" | "radian" | "radians" => 60.0 * 180.0 / std::f64::consts::PI,
        _ => {
            let wanted = "expected deg, arcmin, arcsec, mas or rad, or --pixel-arcmin or --side-deg";
            return Err(format!("{name} is '{unit:.20}', {wanted}"));
        }
    })
}
