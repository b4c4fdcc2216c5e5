//! Which named column has which role: as options say, else by the names that the documentation lists, else by names of well-known
//! programs. A name that does not say its meaning for certain is never used.

use super::units::{DepthUnit, WavelengthUnit};
use super::{Quantity, Reading, Role};

/// A column name of a well-known program, in lower case.
struct Known {
    name: &'static str,
    role: Role,
    /// The quantity that it belongs to.
    of: Quantity,
    /// Its unit, where the name is the unit.
    unit: Option<&'static str>,
}

const fn known(name: &'static str, role: Role, of: Quantity, unit: Option<&'static str>) -> Known {
    Known { name, role, of, unit }
}

/// Names with their sources.
const KNOWN: [Known; 31] = {
    use Quantity::{Depth as D, RadiusRatio as R};
    use Role::{Depth, Error, ErrorAbove, ErrorBelow, Wavelength, Width};
    [
        // NASA Exoplanet Archive, "Atmospheric Spectroscopy Table Data Columns": ERR1 is the upper error, ERR2 the lower one, negative.
        known("centralwavelng", Wavelength, D, None),
        known("centralwavelng", Wavelength, R, None),
        known("bandwidth", Width, D, None),
        known("bandwidth", Width, R, None),
        known("pl_trandep", Depth, D, None),
        known("pl_trandeperr1", ErrorAbove, D, None),
        known("pl_trandeperr2", ErrorBelow, D, None),
        known("pl_ratror", Depth, R, None),
        known("pl_ratrorerr1", ErrorAbove, R, None),
        known("pl_ratrorerr2", ErrorBelow, R, None),
        // Eureka!, tables of Stage 6 (`savetable_S6`).
        known("rp^2_value", Depth, D, None),
        known("rp^2_errorneg", ErrorBelow, D, None),
        known("rp^2_errorpos", ErrorAbove, D, None),
        known("rp_value", Depth, R, None),
        known("rp_errorneg", ErrorBelow, R, None),
        known("rp_errorpos", ErrorAbove, R, None),
        // FIREFLy, published spectrum of WASP-39 b (`wv_center transit_depth wv_wdth tran_unc`).
        known("wv_center", Wavelength, D, None),
        known("wv_center", Wavelength, R, None),
        known("tran_unc", Error, D, None),
        // exoTEDRF, spectra of Stage 4: parts per million.
        known("wave", Wavelength, D, None),
        known("wave", Wavelength, R, None),
        known("dppm", Depth, D, Some("ppm")),
        known("dppm_err", Error, D, Some("ppm")),
        // Names that say it in words.
        known("transit_depth", Depth, D, None),
        known("transit_depth_err", Error, D, None),
        known("transit_depth_error", Error, D, None),
        known("depth_err", Error, D, None),
        known("depth_error", Error, D, None),
        known("rp/rs", Depth, R, None),
        known("rprs", Depth, R, None),
        known("radius_ratio_error", Error, R, None),
    ]
};

/// Names that hold full widths in the files of some programs and half widths in those of others.
const FULL_OR_HALF: [&str; 4] = ["bin_width", "wv_wdth", "wave_err", "wavelength_err"];

/// The roles of the columns of a file.
#[derive(Debug)]
pub(super) struct Roles {
    pub wavelength: String,
    /// With what its numbers are multiplied to be full widths.
    pub width: Option<(String, f64)>,
    pub depth: String,
    /// None, one for both sides, or below and above.
    pub errors: Vec<String>,
    /// Columns without a role.
    pub unused: Vec<String>,
}

/// What a name means for certain: its role, and whether it is a name of ours.
fn meaning(name: &str, quantity: Quantity) -> Option<(Role, bool)> {
    let name = name.to_lowercase();
    let depth = if quantity == Quantity::Depth { "depth" } else { "radius_ratio" };
    let ours = [
        ("wavelength", Role::Wavelength),
        ("width", Role::Width),
        ("half_width", Role::HalfWidth),
        (depth, Role::Depth),
        ("error", Role::Error),
        ("error_below", Role::ErrorBelow),
        ("error_above", Role::ErrorAbove),
    ];
    let exact = |name: &str| {
        let ours = ours.iter().find(|(ours, _)| *ours == name).map(|(_, role)| (*role, true));
        let known = || KNOWN.iter().find(|known| known.name == name && known.of == quantity);
        ours.or_else(|| known().map(|known| (known.role, false)))
    };
    exact(&name).or_else(|| {
        let (stem, unit) = name.rsplit_once('_')?;
        exact(stem).filter(|(role, _)| role.has_unit(unit))
    })
}

/// The role that a name has for certain, whatever the quantity.
pub(super) fn certain(name: &str) -> Option<Role> {
    meaning(name, Quantity::Depth).or_else(|| meaning(name, Quantity::RadiusRatio)).map(|(role, _)| role)
}

/// Whether a name is used for full widths and for half widths.
pub(super) fn is_full_or_half(name: &str) -> bool {
    let name = name.to_lowercase();
    let stem = name.rsplit_once('_').filter(|(_, unit)| Role::Width.has_unit(unit)).map(|(stem, _)| stem);
    FULL_OR_HALF.iter().any(|known| *known == name || stem == Some(known))
}

/// The unit that a name ends with, or is.
pub(super) fn unit_of(name: &str, role: Role) -> Option<String> {
    let lower = name.to_lowercase();
    let whole = KNOWN.iter().find(|known| known.name == lower).and_then(|known| known.unit);
    let behind = || name.rsplit_once('_').map(|(_, unit)| unit).filter(|unit| role.has_unit(unit));
    whole.or_else(behind).map(str::to_owned)
}

impl Role {
    /// Whether a word is a unit of such columns.
    fn has_unit(self, unit: &str) -> bool {
        match self {
            _ if unit.is_empty() => false,
            Self::Wavelength | Self::Width | Self::HalfWidth => WavelengthUnit::named(unit).is_some(),
            _ => DepthUnit::named(unit).is_some(),
        }
    }

    /// The option that names such a column.
    fn option(self) -> &'static str {
        match self {
            Self::Wavelength => "--wavelength",
            Self::Width => "--width",
            Self::Depth => "--depth",
            Self::Error | Self::ErrorBelow | Self::ErrorAbove => "--error",
            Self::HalfWidth | Self::Skip => "--columns",
        }
    }
}

/// Finds the roles of named columns.
///
/// - `there`: their names
/// - `has`: whether there is a column of this name, which may lie deeper than `there`
/// - `noun`: what the file calls them, for messages
pub(super) fn roles(
    there: &[String],
    has: &dyn Fn(&str) -> bool,
    noun: &str,
    reading: &Reading,
) -> Result<Roles, String> {
    let list = there.join(", ");
    let mut said: Vec<(&str, Role, &str)> =
        reading.named.iter().map(|(name, role)| (name.as_str(), *role, "--columns")).collect();
    for (name, role) in
        [(&reading.wavelength, Role::Wavelength), (&reading.width, Role::Width), (&reading.depth, Role::Depth)]
    {
        said.extend(name.as_deref().map(|name| (name, role, role.option())));
    }
    match reading.error.as_slice() {
        [both] => said.push((both.as_str(), Role::Error, "--error")),
        [below, above, ..] => {
            said.extend([(below.as_str(), Role::ErrorBelow, "--error"), (above.as_str(), Role::ErrorAbove, "--error")]);
        }
        [] => {}
    }
    if let Some((name, _, option)) = said.iter().find(|(name, _, _)| !has(name)) {
        return Err(format!("has no {noun} `{name}`, expected {option} to name one of {list}"));
    }
    let is_said = |name: &str| said.iter().any(|(said, _, _)| *said == name);
    let pick = |role: Role| -> Result<Option<String>, String> {
        if let Some((name, _, _)) = said.iter().find(|(_, said, _)| *said == role) {
            return Ok(Some((*name).to_owned()));
        }
        for ours in [true, false] {
            let is_meant = |name: &&String| !is_said(name) && meaning(name, reading.quantity) == Some((role, ours));
            match there.iter().filter(is_meant).collect::<Vec<_>>().as_slice() {
                [] => {}
                [name] => return Ok(Some((*name).clone())),
                [first, second, ..] => {
                    let option = role.option();
                    return Err(format!("has {noun}s `{first}` and `{second}`, expected {option} to name one"));
                }
            }
        }
        Ok(None)
    };
    let missing = |stem: &str, wanted: &str| format!("has no {noun} `{stem}` among {list}, expected {wanted}");
    let wavelength = pick(Role::Wavelength)?.ok_or_else(|| missing("wavelength", "--wavelength to name one"))?;
    let (stem, other) = match reading.quantity {
        Quantity::Depth => ("depth", Quantity::RadiusRatio),
        Quantity::RadiusRatio => ("radius_ratio", Quantity::Depth),
    };
    let depth = pick(Role::Depth)?.ok_or_else(|| {
        let of_other = there.iter().find(|name| matches!(meaning(name, other), Some((Role::Depth, _))));
        let hint = of_other.map(|name| {
            let quantity = crate::ingest::Named::name(other);
            format!("--quantity {quantity} for `{name}`, or --depth to name one")
        });
        missing(stem, hint.as_deref().unwrap_or("--depth to name one"))
    })?;
    let width = match (pick(Role::Width)?, pick(Role::HalfWidth)?) {
        (Some(full), Some(half)) => {
            return Err(format!("has widths `{full}` and half widths `{half}`, expected --columns {half}=skip"));
        }
        (Some(full), None) => Some((full, 1.0)),
        (None, Some(half)) => Some((half, 2.0)),
        (None, None) => {
            if let Some(name) = there.iter().find(|name| !is_said(name) && is_full_or_half(name)) {
                return Err(full_or_half(name));
            }
            None
        }
    };
    let mut errors = Vec::new();
    if reading.errors {
        let one_is_said = said.iter().any(|(_, role, _)| *role == Role::Error);
        let (below, above) =
            if one_is_said { (None, None) } else { (pick(Role::ErrorBelow)?, pick(Role::ErrorAbove)?) };
        if let (Some(below), Some(above)) = (below, above) {
            errors = vec![below, above];
        } else {
            let error = pick(Role::Error)?;
            errors.push(error.ok_or_else(|| missing("error", "--error to name one, or --no-errors"))?);
        }
    }
    let is_used = |name: &String| {
        is_said(name)
            || [&wavelength, &depth].contains(&name)
            || width.as_ref().is_some_and(|(width, _)| width == name)
            || errors.contains(name)
    };
    let unused = there.iter().filter(|name| !is_used(name)).cloned().collect();
    Ok(Roles { wavelength, width, depth, errors, unused })
}

/// What is wrong with a width that may be the half.
pub(super) fn full_or_half(name: &str) -> String {
    format!(
        "has `{name}`, which is the full width of a bin in some programs and half of it in others, expected --columns \
         {name}=width, {name}=half-width or {name}=skip"
    )
}
