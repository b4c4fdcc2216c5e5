//! Units of other people's spectra, and their way to micrometres and (Rp/Rs)^2. They are said, never guessed.

use serde::{Deserialize, Serialize};

use crate::ingest::Named;

/// Unit of wavelengths, or of wavenumbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum WavelengthUnit {
    /// Micrometres.
    Um,
    /// Nanometres.
    Nm,
    /// 0.1 nm.
    Angstrom,
    /// Metres.
    M,
    /// Wavenumbers: waves in a centimetre.
    #[serde(rename = "cm-1")]
    PerCm,
}

/// Unit of depths or radius ratios.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DepthUnit {
    /// 1.
    Fraction,
    /// 1e-2.
    Percent,
    /// 1e-6.
    Ppm,
}

/// Unit of planets' masses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "their names say it all")]
pub enum MassUnit {
    Jupiter,
    Earth,
    Kg,
}

/// Unit of planets' radii.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RadiusUnit {
    /// Jupiter's volumetric mean radius, ExoGAN's.
    Jupiter,
    /// Jupiter's equatorial radius, astropy's.
    JupiterEquatorial,
    /// The Earth's equatorial radius, astropy's.
    Earth,
    /// Metres.
    M,
    /// Kilometres.
    Km,
}

/// What is given of the planet before its star.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Quantity {
    /// (Rp/Rs)^2, the share of the star that is covered.
    #[default]
    Depth,
    /// Rp/Rs.
    RadiusRatio,
}

impl Named for WavelengthUnit {
    const ALL: &[Self] = &[Self::Um, Self::Nm, Self::Angstrom, Self::M, Self::PerCm];

    fn name(self) -> &'static str {
        match self {
            Self::Um => "um",
            Self::Nm => "nm",
            Self::Angstrom => "angstrom",
            Self::M => "m",
            Self::PerCm => "cm-1",
        }
    }
}

impl Named for DepthUnit {
    const ALL: &[Self] = &[Self::Fraction, Self::Percent, Self::Ppm];

    fn name(self) -> &'static str {
        match self {
            Self::Fraction => "fraction",
            Self::Percent => "percent",
            Self::Ppm => "ppm",
        }
    }
}

impl Named for MassUnit {
    const ALL: &[Self] = &[Self::Jupiter, Self::Earth, Self::Kg];

    fn name(self) -> &'static str {
        match self {
            Self::Jupiter => "mjup",
            Self::Earth => "mearth",
            Self::Kg => "kg",
        }
    }
}

impl Named for RadiusUnit {
    const ALL: &[Self] = &[Self::Jupiter, Self::JupiterEquatorial, Self::Earth, Self::M, Self::Km];

    fn name(self) -> &'static str {
        match self {
            Self::Jupiter => "rjup",
            Self::JupiterEquatorial => "rjup-equatorial",
            Self::Earth => "rearth",
            Self::M => "m",
            Self::Km => "km",
        }
    }
}

impl Named for Quantity {
    const ALL: &[Self] = &[Self::Depth, Self::RadiusRatio];

    fn name(self) -> &'static str {
        match self {
            Self::Depth => "depth",
            Self::RadiusRatio => "radius-ratio",
        }
    }
}

impl WavelengthUnit {
    /// All, as they are looked for in messages.
    pub const NAMES: &str = "um, nm, angstrom, m, cm-1";

    /// The unit of a name in a header or behind the name of an array.
    pub fn named(name: &str) -> Option<Self> {
        Some(match plain(name).as_str() {
            "um" | "micron" | "microns" | "micrometer" | "micrometre" | "\u{b5}m" | "\u{3bc}m" => Self::Um,
            "nm" | "nanometer" | "nanometre" => Self::Nm,
            "angstrom" | "angstroms" | "aa" | "\u{c5}" | "\u{e5}" => Self::Angstrom,
            "m" | "meter" | "metre" => Self::M,
            "cm-1" | "1/cm" | "cm^-1" | "cm**-1" | "cm1" | "/cm" => Self::PerCm,
            _ => return None,
        })
    }

    /// The wavelength in micrometres.
    pub fn um(self, value: f64) -> f64 {
        match self {
            Self::Um => value,
            Self::Nm => value / 1e3,
            Self::Angstrom => value / 1e4,
            Self::M => value * 1e6,
            Self::PerCm => 1e4 / value,
        }
    }
}

impl DepthUnit {
    /// All, as they are looked for in messages.
    pub const NAMES: &str = "fraction, percent, ppm";

    /// The unit of a name in a header, where an empty one means none, or behind the name of an array.
    pub fn named(name: &str) -> Option<Self> {
        Some(match plain(name).as_str() {
            "" | "1" | "fraction" | "dimensionless" => Self::Fraction,
            "%" | "percent" | "pct" => Self::Percent,
            "ppm" => Self::Ppm,
            _ => return None,
        })
    }

    /// The value as a fraction.
    pub fn fraction(self, value: f64) -> f64 {
        match self {
            Self::Fraction => value,
            Self::Percent => value / 1e2,
            Self::Ppm => value / 1e6,
        }
    }
}

impl Quantity {
    /// Depth and errors, below and above, of a value with errors: a radius ratio's bounds are squared, so that they stay bounds.
    pub fn depth(self, value: f64, [below, above]: [f64; 2]) -> (f64, [f64; 2]) {
        match self {
            Self::Depth => (value, [below, above]),
            Self::RadiusRatio => {
                let least = (value - below).max(0.0);
                (value * value, [(value - least) * (value + least), above * (2.0 * value + above)])
            }
        }
    }
}

fn plain(name: &str) -> String {
    name.chars().filter(|sign| !sign.is_whitespace()).collect::<String>().to_lowercase()
}
