//! The seven parameters of an atmosphere as other people's files give them. What is not given is not known: NaN.

use std::path::Path;

use super::words::{self, some_of};
use super::{Known, RadiusUnit, Reading};
use crate::atmosphere::{JUPITER_MASS_KG, JUPITER_RADIUS_M};
use crate::ingest::{IngestError, Named};

/// Jupiter's and the Earth's equatorial radii in m, nominal (IAU 2015 resolution B3), as astropy has them.
const JUPITER_EQUATORIAL_RADIUS_M: f64 = 7.1492e7;
const EARTH_EQUATORIAL_RADIUS_M: f64 = 6.3781e6;
/// The Earth's mass in kg, from the nominal G M (IAU 2015 resolution B3) and CODATA 2018, as astropy has it.
const EARTH_MASS_KG: f64 = 5.972_167_9e24;

/// Names of masses' and radii's units, and what they are in ours.
const MASSES: Units = &[
    ("kg", 1.0 / JUPITER_MASS_KG),
    ("mjup", 1.0),
    ("m_jup", 1.0),
    ("jupitermass", 1.0),
    ("mearth", EARTH_MASS_KG / JUPITER_MASS_KG),
    ("m_earth", EARTH_MASS_KG / JUPITER_MASS_KG),
    ("earthmass", EARTH_MASS_KG / JUPITER_MASS_KG),
];
const RADII: Units = &[
    ("m", 1.0 / JUPITER_RADIUS_M),
    ("km", 1e3 / JUPITER_RADIUS_M),
    ("rjup", 1.0),
    ("r_jup", 1.0),
    ("rjup-equatorial", JUPITER_EQUATORIAL_RADIUS_M / JUPITER_RADIUS_M),
    // astropy's word for it.
    ("jupiterrad", JUPITER_EQUATORIAL_RADIUS_M / JUPITER_RADIUS_M),
    ("rearth", EARTH_EQUATORIAL_RADIUS_M / JUPITER_RADIUS_M),
    ("r_earth", EARTH_EQUATORIAL_RADIUS_M / JUPITER_RADIUS_M),
    ("earthrad", EARTH_EQUATORIAL_RADIUS_M / JUPITER_RADIUS_M),
];

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
pub(super) fn recognise(
    name: &str,
    unit: Option<&str>,
    reading: &Reading,
) -> Result<Option<(usize, Conversion)>, String> {
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
        "" => Some(unit.filter(|unit| !unit.trim().is_empty()).map(str::to_lowercase)),
        rest => rest.strip_prefix('_').map(|unit| Some(unit.to_owned())),
    };
    let quantities: [(&str, usize, Units, Option<&str>, &str); 3] = [
        ("planet_mass", MASS, MASSES, reading.mass_unit.map(Named::name), ", or --mass-unit"),
        ("planet_radius", RADIUS, RADII, reading.radius_unit.map(Named::name), ", or --radius-unit"),
        ("temperature", TEMPERATURE, &[("k", 1.0)], None, ""),
    ];
    for (stem, quantity, units, option, hint) in quantities {
        let Some(unit) = behind(stem) else { continue };
        let unit = unit.or_else(|| option.map(str::to_owned));
        let found = units.iter().find(|(name, _)| unit.as_deref() == Some(name));
        let wanted = units.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        return match (found, unit) {
            (Some((_, scale)), _) => Ok(Some((quantity, Conversion::Scale(*scale)))),
            (None, None) => {
                Err(format!("parameter `{name}` says no unit, expected one of {wanted} behind its name{hint}"))
            }
            (None, Some(unit)) => Err(format!("parameter `{name}` is in `{unit:.20}`, expected one of {wanted}")),
        };
    }
    Ok(None)
}

/// What is wanted of a parameter file.
const WANTED: &str = "[Planet] mass, radius, [Atmosphere] tp_iso_temp, active_gases_mixratios (TauREx 2, ExoGAN), or [Planet] \
                      planet_mass, planet_radius, [Temperature] T, [Chemistry] [[GAS]] mix_ratio (TauREx 3)";

/// What a parameter file says.
///
/// - ExoGAN's and TauREx 2's: `[Planet] radius, mass` in Jupiter's, `[Atmosphere] tp_iso_temp` in K, `active_gases` with their
///   `active_gases_mixratios`
/// - TauREx 3's: `[Planet] planet_radius, planet_mass` in Jupiter's, `[Temperature] T` in K where the profile is isothermal,
///   `[Chemistry] [[GAS]] mix_ratio` where the gas is constant
/// - both: `[Star] radius` in the Sun's
///
/// A file of which nothing is understood is an error; what of it is not understood becomes a note.
pub(super) fn par(path: &Path, reading: &Reading) -> Result<Known, IngestError> {
    crate::files::expect_file(path, "a parameter file").map_err(IngestError::file(path))?;
    let no_text = "is no text, expected [Planet], [Atmosphere] and [Star]";
    let text = words::load(path, "a parameter file", LONGEST, no_text)?;
    let mut known = parse(&text, reading).map_err(|fault| IngestError::wrong(path, fault))?;
    known.notes.iter_mut().for_each(|note| *note = format!("parameter file: {note}"));
    Ok(known)
}

/// A setting of a parameter file.
struct Setting<'a> {
    line: usize,
    /// Sections that it is in, joined by a slash, and its own name, in lower case: `chemistry/h2o/mix_ratio`.
    path: String,
    /// As the file has them: `[Chemistry] [[H2O]] mix_ratio`.
    shown: String,
    value: &'a str,
    used: bool,
}

/// The settings of a file in the syntax of Python's configparser or configobj, in which sections lie in sections.
fn settings(text: &str) -> Result<Vec<Setting<'_>>, String> {
    let (mut found, mut sections): (Vec<Setting>, Vec<String>) = Default::default();
    for (line, number) in text.lines().zip(1..) {
        let mut quote = None;
        let comment = line.find(|sign| {
            match quote {
                Some(open) if open == sign => quote = None,
                None if sign == '"' || sign == '\'' => quote = Some(sign),
                _ => {}
            }
            quote.is_none() && (sign == '#' || sign == ';')
        });
        let line = line[..comment.unwrap_or(line.len())].trim();
        if line.starts_with('[') {
            let depth = line.len() - line.trim_start_matches('[').len();
            let name = line[depth..].strip_suffix(&"]".repeat(depth)).filter(|name| !name.contains([']', '[']));
            let name = name.ok_or_else(|| format!("line {number}: expected [SECTION]"))?;
            if depth > sections.len() + 1 {
                return Err(format!(
                    "line {number}: is {depth} sections deep, expected at most {}",
                    sections.len() + 1
                ));
            }
            sections.truncate(depth - 1);
            sections.push(name.trim().to_owned());
            continue;
        }
        if line.is_empty() {
            continue;
        }
        let wrong = || format!("line {number}: expected KEY = VALUE");
        let (key, value) = line.split_once('=').or_else(|| line.split_once(':')).ok_or_else(wrong)?;
        let (key, value) = (key.trim(), value.trim());
        if value.starts_with("\"\"\"") || value.starts_with("'''") {
            return Err(format!("line {number}: is text of several lines, expected KEY = VALUE in one line"));
        }
        let path = sections.iter().map(String::as_str).chain([key]).collect::<Vec<_>>().join("/").to_lowercase();
        let brackets =
            |(depth, name): (usize, &String)| format!("{}{name}{} ", "[".repeat(depth + 1), "]".repeat(depth + 1));
        let shown = sections.iter().enumerate().map(brackets).collect::<String>() + key;
        let value = value.trim_matches(['"', '\'']);
        found.push(Setting { line: number, path, shown, value, used: false });
    }
    Ok(found)
}

/// Takes the value of a setting, with its line and name.
fn take<'a>(settings: &mut [Setting<'a>], path: &str) -> Result<Option<(usize, String, &'a str)>, String> {
    let mut all = settings.iter_mut().filter(|setting| setting.path == path);
    let Some(setting) = all.next() else { return Ok(None) };
    if let Some(twice) = all.next() {
        return Err(format!("line {}: gives `{path}` again, expected it once", twice.line));
    }
    setting.used = true;
    let key = path.rsplit('/').next().unwrap_or(path).to_owned();
    Ok(Some((setting.line, key, setting.value)))
}

fn positive(line: usize, key: &str, text: &str) -> Result<f64, String> {
    match words::number(text) {
        Some(value) if value > 0.0 && (value as f32).is_finite() => Ok(value),
        _ => Err(format!("line {line}: `{key}` is {text:.40}, expected a positive number")),
    }
}

fn parse(text: &str, reading: &Reading) -> Result<Known, String> {
    let mut settings = settings(text)?;
    let (mut seven, mut notes) = (UNKNOWN, Vec::new());
    let number = |settings: &mut [Setting], path: &str| -> Result<Option<f64>, String> {
        take(settings, path)?.map(|(line, key, value)| positive(line, &key, value)).transpose()
    };
    for (quantity, paths) in
        [(MASS, ["planet/mass", "planet/planet_mass"]), (RADIUS, ["planet/radius", "planet/planet_radius"])]
    {
        let [old, new] = paths;
        let values = (number(&mut settings, old)?, number(&mut settings, new)?);
        if let (Some(_), Some(_)) = values {
            return Err(format!("gives both `{old}` and `{new}`, expected one of them"));
        }
        let is_new = values.1.is_some();
        let Some(value) = values.0.or(values.1) else { continue };
        seven[quantity] = value;
        if is_new && quantity == RADIUS {
            match reading.radius_unit {
                Some(RadiusUnit::JupiterEquatorial) => {
                    seven[quantity] = value * JUPITER_EQUATORIAL_RADIUS_M / JUPITER_RADIUS_M;
                }
                Some(RadiusUnit::Jupiter) => {}
                _ => notes.push(
                    "planet_radius is read in Jupiter's mean radius, 6.9911e7 m (--radius-unit rjup-equatorial: in \
                     the equatorial one, 7.1492e7 m, as versions of TauREx with the constants of astropy mean it)"
                        .to_owned(),
                ),
            }
        }
    }
    let star = number(&mut settings, "star/radius")?;
    temperature(&mut settings, &mut seven, &mut notes)?;
    gases(&mut settings, &mut seven, &mut notes)?;
    let others: Vec<String> =
        settings.iter().filter(|setting| !setting.used).map(|setting| setting.shown.clone()).collect();
    if seven.iter().all(|value| value.is_nan()) && star.is_none() {
        let here = if others.is_empty() { "it is empty".to_owned() } else { format!("it has {}", some_of(&others)) };
        notes.push(here);
        return Err(format!("says none of the parameters: {}, expected {WANTED}", notes.join("; ")));
    }
    if !others.is_empty() {
        notes.push(format!("not used: {}", some_of(&others)));
    }
    Ok(Known { parameters: super::Parameters::Shared(seven), star_radius: star, notes })
}

/// The one temperature of an isothermal profile.
fn temperature(settings: &mut [Setting], seven: &mut [f64; 7], notes: &mut Vec<String>) -> Result<(), String> {
    for (profile, value) in
        [("atmosphere/tp_type", "atmosphere/tp_iso_temp"), ("temperature/profile_type", "temperature/t")]
    {
        let profile = take(settings, profile)?;
        let value = take(settings, value)?;
        if let Some((_, key, profile)) = profile.filter(|(_, _, profile)| !profile.eq_ignore_ascii_case("isothermal")) {
            notes.push(format!("`{key}` is {profile:.20}, not isothermal: the temperature is unknown"));
        } else if let Some((line, key, value)) = value {
            seven[TEMPERATURE] = positive(line, &key, value)?;
        }
    }
    Ok(())
}

/// The mixing ratios of gases that have one.
fn gases(settings: &mut [Setting], seven: &mut [f64; 7], notes: &mut Vec<String>) -> Result<(), String> {
    let names = take(settings, "atmosphere/active_gases")?.map_or("", |(_, _, names)| names);
    let names: Vec<String> = names.split(',').map(|gas| gas.trim().to_lowercase()).collect();
    if let Some((line, key, ratios)) = take(settings, "atmosphere/active_gases_mixratios")? {
        let ratios =
            ratios.split(',').map(|ratio| positive(line, &key, ratio.trim())).collect::<Result<Vec<_>, _>>()?;
        if ratios.len() != names.len() {
            let (found, wanted) = (ratios.len(), names.len());
            return Err(format!("line {line}: `{key}` has {found} numbers, expected {wanted} as `active_gases` has"));
        }
        let mut others = Vec::new();
        for (gas, ratio) in names.iter().zip(ratios) {
            match GASES.iter().position(|known| known == gas) {
                Some(quantity) => seven[quantity] = ratio.log10(),
                None => others.push(gas.to_uppercase()),
            }
        }
        if !others.is_empty() {
            notes.push(format!("gases that are not stored: {}", some_of(&others)));
        }
    }
    let chemistry = take(settings, "chemistry/chemistry_type")?.map_or("taurex", |(_, _, kind)| kind);
    let is_free = ["taurex", "free"].contains(&chemistry.to_lowercase().as_str());
    if !is_free {
        notes.push(format!("`chemistry_type` is {chemistry:.20}, not taurex: mixing ratios are unknown"));
    }
    for (quantity, gas) in GASES.iter().enumerate() {
        let kind = take(settings, &format!("chemistry/{gas}/gas_type"))?.map_or("constant", |(_, _, kind)| kind);
        let ratio = take(settings, &format!("chemistry/{gas}/mix_ratio"))?;
        if !kind.eq_ignore_ascii_case("constant") {
            notes.push(format!("{} is {kind:.20}, not constant: its mixing ratio is unknown", gas.to_uppercase()));
        } else if let Some((line, key, ratio)) = ratio.filter(|_| is_free) {
            seven[quantity] = positive(line, &key, ratio)?.log10();
        }
    }
    Ok(())
}

/// The seven from single numbers with names and units.
pub(super) fn seven(numbers: &[(&str, &str, f64)]) -> [f64; 7] {
    let mut seven = UNKNOWN;
    for &(name, unit, value) in numbers {
        if let Ok(Some((quantity, conversion))) = recognise(name, Some(unit), &Reading::default())
            && let Ok(value) = conversion.of(value)
        {
            seven[quantity] = value;
        }
    }
    seven
}
