//! The modalities of a dataset: what kinds of arrays a record consists of.
//!
//! Most datasets have one modality, such as convergence maps. A catalogue of galaxies may have two, cutouts and spectra,
//! of which a record may lack one.

use serde::{Deserialize, Serialize};

use super::normalise::Transform;
use super::spectral_axis::SpectralAxis;

/// Bytes of a name at most.
pub const LONGEST_NAME: usize = 64;

/// Names of the other arrays of a shard, which no modality may have.
pub const RESERVED_NAMES: [&str; 4] = ["present", "labels", "id", "block_checksums"];

/// What an array of a record shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A 2-D field: `[channels, h, w]`.
    Map,
    /// An object in several bands: `[bands, h, w]`.
    Cutout,
    /// A quantity over wavelength: `[channels, points]`.
    Spectrum,
}

impl Kind {
    /// Its name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Map => "map",
            Self::Cutout => "cutout",
            Self::Spectrum => "spectrum",
        }
    }

    /// Several of them, in words.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Map => "maps",
            Self::Cutout => "cutouts",
            Self::Spectrum => "spectra",
        }
    }
}

/// How a number is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// Single precision, little-endian.
    #[default]
    F32,
    /// Half precision: a name that the format keeps, refused by this version.
    F16,
}

/// The piece of the sky that a map covers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// Side of a map in degrees.
    pub side_deg: f64,
    /// Side of a pixel in arcminutes.
    pub pixel_arcmin: f64,
}

/// The bands of a cutout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bands {
    /// Name of each band, in the order of the channels.
    pub names: Vec<String>,
    /// Side of a pixel in arcseconds.
    pub pixel_arcsec: f64,
}

/// What the dimensions of an array stand for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Axis {
    /// A piece of the sky, for maps.
    Sky(Field),
    /// Bands, for cutouts.
    Bands(Bands),
    /// Wavelengths and channels, for spectra.
    Wavelength(SpectralAxis),
}

/// One array of each record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Modality {
    /// Its name, which its array in a shard has too.
    pub name: String,
    /// What it shows.
    pub kind: Kind,
    /// Shape of one record: `[channels, h, w]`, `[bands, h, w]` or `[channels, points]`.
    pub shape: Vec<usize>,
    /// How a number is stored.
    #[serde(default)]
    pub dtype: Dtype,
    /// Unit of the values, "1" for none.
    pub unit: String,
    /// Whether a record may lack it; the shard's array `present` says which do.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// The transform to train with by default.
    pub transform: Transform,
    /// What its dimensions stand for; needed for cutouts and spectra.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub axis: Option<Axis>,
}

impl Modality {
    /// Maps of `shape`, `[channels, h, w]`, as the modality `map`.
    pub fn maps(shape: [usize; 3], unit: &str, transform: Transform, field: Option<Field>) -> Self {
        Self {
            name: "map".into(),
            kind: Kind::Map,
            shape: shape.to_vec(),
            dtype: Dtype::F32,
            unit: unit.into(),
            optional: false,
            transform,
            axis: field.map(Axis::Sky),
        }
    }

    /// Cutouts of `h` by `w` pixels in some bands, as the modality `cutout`.
    pub fn cutouts(bands: Bands, [h, w]: [usize; 2], unit: &str, transform: Transform) -> Self {
        Self {
            name: "cutout".into(),
            kind: Kind::Cutout,
            shape: vec![bands.names.len(), h, w],
            dtype: Dtype::F32,
            unit: unit.into(),
            optional: false,
            transform,
            axis: Some(Axis::Bands(bands)),
        }
    }

    /// Spectra of transit depths on `axis`, as the modality `spectrum`.
    pub fn spectra(axis: SpectralAxis) -> Self {
        Self {
            name: "spectrum".into(),
            kind: Kind::Spectrum,
            shape: vec![axis.channels.len(), axis.wavelength_um.len()],
            dtype: Dtype::F32,
            unit: "1".into(),
            optional: false,
            transform: Transform::default(),
            axis: Some(Axis::Wavelength(axis)),
        }
    }

    /// Numbers in an array of one record.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it has no numbers, which no valid one has.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Wavelengths and channels, where it has spectra.
    pub fn spectral_axis(&self) -> Option<&SpectralAxis> {
        match &self.axis {
            Some(Axis::Wavelength(axis)) => Some(axis),
            _ => None,
        }
    }

    /// The piece of the sky, where it has maps and that is known.
    pub fn field(&self) -> Option<Field> {
        match &self.axis {
            Some(Axis::Sky(field)) => Some(*field),
            _ => None,
        }
    }

    /// Checks all that it says; the error says what is wrong.
    pub fn validate(&self) -> Result<(), String> {
        check_name(&self.name).map_err(|fault| format!("modality name `{}` {fault}", self.name))?;
        let wrong = |fault: String| Err(format!("modality `{}`: {fault}", self.name));
        if RESERVED_NAMES.contains(&self.name.as_str()) {
            return wrong(format!("`name` is reserved, expected another than {}", RESERVED_NAMES.join(", ")));
        }
        if let Err(fault) = check_text("unit", &self.unit) {
            return wrong(fault);
        }
        if self.dtype == Dtype::F16 {
            return wrong("`dtype` is \"f16\", which this version does not read, expected \"f32\"".into());
        }
        if self.shape.contains(&0) {
            return wrong(format!("`shape` is {:?}, expected no 0", self.shape));
        }
        if self.bytes().is_none_or(|bytes| bytes >= 1 << 48) {
            return wrong(format!("`shape` is {:?}, expected records of less than 2^48 bytes", self.shape));
        }
        if let Err(fault) = self.check_shape() {
            return wrong(fault);
        }
        self.transform.validate().or_else(|reason| wrong(format!("`transform`: {reason}")))
    }

    /// Bytes of one record, unless they are more than can be counted.
    pub fn bytes(&self) -> Option<u64> {
        self.shape.iter().try_fold(4_u64, |bytes, &n| bytes.checked_mul(n as u64))
    }

    /// Whether shape and axis are those of the kind.
    fn check_shape(&self) -> Result<(), String> {
        let shape = &self.shape;
        match (self.kind, &self.axis) {
            (Kind::Map, None) if shape.len() == 3 => Ok(()),
            (Kind::Map, Some(Axis::Sky(field))) if shape.len() == 3 => field.validate(),
            (Kind::Map, None | Some(Axis::Sky(_))) => {
                Err(format!("`shape` is {shape:?}, expected [channels, h, w] of maps"))
            }
            (Kind::Map, Some(_)) => Err("`axis.kind` is not that of maps, expected \"sky\" or no axis".into()),
            (Kind::Cutout, Some(Axis::Bands(bands))) => {
                bands.validate()?;
                match shape[..] {
                    [count, _, _] if count == bands.names.len() => Ok(()),
                    _ => Err(format!("`shape` is {shape:?}, expected [{}, h, w] from `axis.names`", bands.names.len())),
                }
            }
            (Kind::Cutout, None) => Err("`axis` is missing, expected the bands of cutouts".into()),
            (Kind::Cutout, Some(_)) => Err("`axis.kind` is not that of cutouts, expected \"bands\"".into()),
            (Kind::Spectrum, Some(Axis::Wavelength(axis))) => {
                axis.validate()?;
                let wanted = [axis.channels.len(), axis.wavelength_um.len()];
                if *shape == wanted {
                    return Ok(());
                }
                Err(format!("`shape` is {shape:?}, expected {wanted:?} from `axis`"))
            }
            (Kind::Spectrum, None) => Err("`axis` is missing, expected the wavelengths of spectra".into()),
            (Kind::Spectrum, Some(_)) => Err("`axis.kind` is not that of spectra, expected \"wavelength\"".into()),
        }
    }
}

impl Field {
    fn validate(self) -> Result<(), String> {
        for (key, value) in [("side_deg", self.side_deg), ("pixel_arcmin", self.pixel_arcmin)] {
            if !(value > 0.0 && value.is_finite()) {
                return Err(format!("`axis.{key}` is {value}, expected a positive number"));
            }
        }
        Ok(())
    }
}

impl Bands {
    fn validate(&self) -> Result<(), String> {
        if self.names.is_empty() {
            return Err("`axis.names` is empty, expected the names of the bands".into());
        }
        let unique: std::collections::BTreeSet<&String> = self.names.iter().collect();
        self.names.iter().try_for_each(|name| check_text("axis.names", name))?;
        if unique.len() < self.names.len() {
            return Err(format!("`axis.names` is {:?}, expected a name of its own for each band", self.names));
        }
        if !(self.pixel_arcsec > 0.0 && self.pixel_arcsec.is_finite()) {
            return Err(format!("`axis.pixel_arcsec` is {}, expected a positive number", self.pixel_arcsec));
        }
        Ok(())
    }
}

/// The only one of `modalities`, which is of `kind` and which every record has; the error says what they are.
pub fn only(modalities: &[Modality], kind: Kind) -> Result<&Modality, String> {
    match modalities {
        [modality] if modality.kind == kind && !modality.optional => Ok(modality),
        [modality] if modality.kind == kind => {
            Err(format!("modality `{}` is optional, expected one that every record has", modality.name))
        }
        modalities => {
            let held: Vec<&str> = modalities.iter().map(|modality| modality.kind.plural()).collect();
            let alone = if held.len() > 1 { " alone" } else { "" };
            Err(format!("holds {}, expected {}{alone}", held.join(" and "), kind.plural()))
        }
    }
}

/// Whether a unit or the name of a class or band can stand in a line: 1 to 64 characters that can be printed.
pub(super) fn check_text(key: &str, text: &str) -> Result<(), String> {
    if (1..=64).contains(&text.chars().count()) && !text.chars().any(char::is_control) {
        return Ok(());
    }
    Err(format!("`{key}` has {text:?}, expected 1 to 64 printable characters"))
}

/// Whether a name can be an array's and a column's: letters, digits and `_`, of which the first is a letter.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.len() <= LONGEST_NAME && name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(legal) {
        return Ok(());
    }
    Err(format!("is not valid, expected at most {LONGEST_NAME} letters, digits and `_`, the first a letter"))
}
