//! The seven parameters of an atmosphere as other people's files give them. What is not given is not known: NaN.

use std::fs;
use std::path::Path;

use super::Known;
use crate::atmosphere::{JUPITER_MASS_KG, JUPITER_RADIUS_M};
use crate::ingest::IngestError;

/// Gases among the seven, in their order.
const GASES: [&str; 4] = ["h2o", "co2", "co", "ch4"];
const MASS: usize = 4;
const RADIUS: usize = 5;
const TEMPERATURE: usize = 6;

/// No parameter file is longer.
const LONGEST: u64 = 1 << 20;

/// The seven, none of them known.
pub(super) const UNKNOWN: [f64; 7] = [f64::NAN; 7];

/// From a file's number to the unit of `atmosphere`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Conversion {
    /// Times this.
    Scale(f64),
    /// A mixing ratio becomes its logarithm.
    Log10,
}

impl Conversion {
    /// The number in our unit; NaN stays NaN, and what single precision does not hold is refused.
    pub(super) fn of(self, value: f64) -> Result<f64, String> {
        let converted = match self {
            Self::Scale(scale) => value * scale,
            Self::Log10 if value <= 0.0 => return Err(format!("is {value}, expected a positive mixing ratio")),
            Self::Log10 => value.log10(),
        };
        if (converted as f32).is_infinite() {
            return Err(format!("is {value}, expected a finite number, or NaN where it is not known"));
        }
        Ok(converted)
    }
}

/// Names of units, and what they are in ours.
type Units<'a> = &'a [(&'a str, f64)];

/// Which of the seven a name and its unit mean, and how the number becomes ours; none for another quantity.
pub(super) fn recognise(name: &str, unit: Option<&str>) -> Result<Option<(usize, Conversion)>, String> {
    let name = name.to_lowercase();
    let gas = |text: &str| {
        let text = text.strip_prefix("x_").unwrap_or(text);
        GASES.iter().position(|gas| *gas == text)
    };
    if let Some(gas) = ["log10_", "log_"].iter().find_map(|log| name.strip_prefix(log)).and_then(gas) {
        return Ok(Some((gas, Conversion::Scale(1.0))));
    }
    if let Some(gas) = gas(&name) {
        return Ok(Some((gas, Conversion::Log10)));
    }
    // A name, or a name with a unit behind it.
    let behind = |stem: &str| match name.strip_prefix(stem)? {
        "" => Some(unit.map(str::to_lowercase)),
        rest => rest.strip_prefix('_').map(|unit| Some(unit.to_owned())),
    };
    let quantities: [(&str, usize, Units); 3] = [
        ("planet_mass", MASS, &[("kg", 1.0 / JUPITER_MASS_KG), ("mjup", 1.0), ("m_jup", 1.0), ("jupitermass", 1.0)]),
        (
            "planet_radius",
            RADIUS,
            &[
                ("m", 1.0 / JUPITER_RADIUS_M),
                ("km", 1e3 / JUPITER_RADIUS_M),
                ("rjup", 1.0),
                ("r_jup", 1.0),
                ("jupiterrad", 1.0),
            ],
        ),
        ("temperature", TEMPERATURE, &[("k", 1.0)]),
    ];
    for (stem, quantity, units) in quantities {
        let Some(unit) = behind(stem) else { continue };
        let found = units.iter().find(|(name, _)| unit.as_deref() == Some(name));
        let wanted = units.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        return match (found, unit) {
            (Some((_, scale)), _) => Ok(Some((quantity, Conversion::Scale(*scale)))),
            (None, None) => Err(format!("parameter `{name}` says no unit, expected one of {wanted} behind its name")),
            (None, Some(unit)) => Err(format!("parameter `{name}` is in `{unit:.20}`, expected one of {wanted}")),
        };
    }
    Ok(None)
}

/// What a parameter file says as ExoGAN's and TauREx 2's do: `[Planet] radius, mass` in Jupiter's, `[Atmosphere] tp_iso_temp` in K,
/// `active_gases` with their `active_gases_mixratios`, `[Star] radius` in the Sun's.
pub(super) fn par(path: &Path) -> Result<Known, IngestError> {
    let told = IngestError::file(path);
    crate::files::expect_file(path, "a parameter file").map_err(IngestError::file(path))?;
    let bytes = fs::metadata(path).map_err(IngestError::file(path))?.len();
    if bytes > LONGEST {
        return Err(IngestError::wrong(
            path,
            format!("is {bytes} bytes, expected a parameter file of at most {LONGEST}"),
        ));
    }
    let text = String::from_utf8(fs::read(path).map_err(told)?);
    let text = text.map_err(|_| IngestError::wrong(path, "is no text, expected [Planet], [Atmosphere] and [Star]"))?;
    parse(&text).map_err(|fault| IngestError::wrong(path, fault))
}

fn parse(text: &str) -> Result<Known, String> {
    let (mut seven, mut star, mut section) = (UNKNOWN, None, String::new());
    let (mut gases, mut ratios, mut isothermal) = (Vec::new(), None, true);
    for (line, number) in text.lines().zip(1..) {
        let line = line.split(['#', ';']).next().unwrap_or_default().trim();
        if let Some(name) = line.strip_prefix('[') {
            let name = name.strip_suffix(']').ok_or_else(|| format!("line {number}: expected [SECTION]"))?;
            section = name.trim().to_lowercase();
            continue;
        }
        let Some((key, value)) = line.split_once(['=', ':']) else {
            if line.is_empty() {
                continue;
            }
            return Err(format!("line {number}: expected KEY = VALUE"));
        };
        let (key, value) = (key.trim().to_lowercase(), value.trim());
        let positive = |text: &str| match text.parse::<f64>() {
            Ok(value) if value > 0.0 && (value as f32).is_finite() => Ok(value),
            _ => Err(format!("line {number}: `{key}` is {text:.40}, expected a positive number")),
        };
        match (section.as_str(), key.as_str()) {
            ("planet", "mass") => seven[MASS] = positive(value)?,
            ("planet", "radius") => seven[RADIUS] = positive(value)?,
            ("star", "radius") => star = Some(positive(value)?),
            ("atmosphere", "tp_iso_temp") => seven[TEMPERATURE] = positive(value)?,
            ("atmosphere", "tp_type") => isothermal = value.eq_ignore_ascii_case("isothermal"),
            ("atmosphere", "active_gases") => gases = value.split(',').map(|gas| gas.trim().to_lowercase()).collect(),
            ("atmosphere", "active_gases_mixratios") => {
                ratios =
                    Some((number, value.split(',').map(str::trim).map(positive).collect::<Result<Vec<f64>, _>>()?));
            }
            _ => {}
        }
    }
    if !isothermal {
        seven[TEMPERATURE] = f64::NAN;
    }
    if let Some((line, ratios)) = ratios {
        if ratios.len() != gases.len() {
            let (found, wanted) = (ratios.len(), gases.len());
            return Err(format!(
                "line {line}: `active_gases_mixratios` has {found} numbers, expected {wanted} as `active_gases` has"
            ));
        }
        for (gas, ratio) in gases.iter().zip(ratios) {
            if let Some(quantity) = GASES.iter().position(|known| known == gas) {
                seven[quantity] = ratio.log10();
            }
        }
    }
    Ok(Known { parameters: super::Parameters::Shared(seven), star_radius: star })
}

/// The seven from single numbers with names and units.
pub(super) fn seven(numbers: &[(&str, &str, f64)]) -> [f64; 7] {
    let mut seven = UNKNOWN;
    for &(name, unit, value) in numbers {
        if let Ok(Some((quantity, conversion))) = recognise(name, Some(unit))
            && let Ok(value) = conversion.of(value)
        {
            seven[quantity] = value;
        }
    }
    seven
}
