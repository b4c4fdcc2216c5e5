//! The numbers of the codec.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::layout::{MOST_SECTIONS, STRIPES};
use crate::atmosphere::QUANTITIES;

/// The layout that this program knows; one that puts a number elsewhere has another number.
pub const VERSION: u32 = 1;

/// Everything that decides what a pixel means, except the wavelengths. The defaults are ExoGAN's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AspaSettings {
    /// Version of the layout of pixels. This program knows version 1 only.
    pub version: u32,
    /// Side of the image, 12 to 1024.
    #[schemars(extend("unit" = "pixels"))]
    pub side: usize,
    /// Wavelengths at which sections of the spectrum meet, ascending, at most 13: by default the edges of bands of
    /// water, methane and carbon monoxide. A bin that holds a border belongs to the section of shorter wavelengths.
    #[schemars(extend("unit" = "um"))]
    pub borders_um: Vec<f64>,
    /// Least transit depth that can be encoded, as a fraction of the light of the star; more than 0 and below 1.
    #[schemars(extend("unit" = "fraction"))]
    pub depth_min: f64,
    /// Greatest transit depth that can be encoded, which is a pixel of 1; more than `depth_min` and at most 1.
    #[schemars(extend("unit" = "fraction"))]
    pub depth_max: f64,
    /// Value of each parameter of the atmosphere that is encoded as a pixel of 1. A pixel of 0 is a value of 0.
    pub full_scale: FullScale,
}

/// Value of each parameter of the atmosphere that is encoded as a pixel of 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FullScale {
    /// Decimal logarithm of the volume mixing ratio of water, negative: the least that can be encoded.
    #[schemars(extend("unit" = "dex"))]
    pub log10_h2o: f64,
    /// Decimal logarithm of the volume mixing ratio of carbon dioxide, negative: the least that can be encoded.
    #[schemars(extend("unit" = "dex"))]
    pub log10_co2: f64,
    /// Decimal logarithm of the volume mixing ratio of carbon monoxide, negative: the least that can be encoded.
    #[schemars(extend("unit" = "dex"))]
    pub log10_co: f64,
    /// Decimal logarithm of the volume mixing ratio of methane, negative: the least that can be encoded.
    #[schemars(extend("unit" = "dex"))]
    pub log10_ch4: f64,
    /// Mass of the planet, more than 0.
    #[schemars(extend("unit" = "M_Jup"))]
    pub planet_mass: f64,
    /// Radius of the planet, more than 0.
    #[schemars(extend("unit" = "R_Jup"))]
    pub planet_radius: f64,
    /// Temperature of the atmosphere, more than 0.
    #[schemars(extend("unit" = "K"))]
    pub temperature: f64,
}

impl Default for AspaSettings {
    fn default() -> Self {
        Self {
            version: VERSION,
            side: 33,
            borders_um: vec![0.63, 0.77, 0.88, 1.0, 1.1, 1.25, 1.8, 2.13, 3.96, 4.56, 6.33, 7.21, 10.0],
            depth_min: 0.006_503_702_966_35,
            depth_max: 0.030_180_347_162_9,
            full_scale: FullScale::default(),
        }
    }
}

impl Default for FullScale {
    fn default() -> Self {
        let floor = -8.0;
        Self {
            log10_h2o: floor,
            log10_co2: floor,
            log10_co: floor,
            log10_ch4: floor,
            planet_mass: 2.0,
            planet_radius: 1.5,
            temperature: 2000.0,
        }
    }
}

impl FullScale {
    /// In the order of `QUANTITIES`.
    pub fn all(&self) -> [f64; QUANTITIES.len()] {
        let Self { log10_h2o, log10_co2, log10_co, log10_ch4, planet_mass, planet_radius, temperature } = *self;
        [log10_h2o, log10_co2, log10_co, log10_ch4, planet_mass, planet_radius, temperature]
    }
}

impl AspaSettings {
    /// Says what is wrong, if anything: (key, value, what was wanted).
    pub fn fault(&self) -> Option<(String, String, String)> {
        let fault = |key: &str, value: &dyn std::fmt::Display, wanted: &str| {
            Some((key.to_owned(), value.to_string(), wanted.to_owned()))
        };
        if self.version != VERSION {
            return fault("version", &self.version, &format!("{VERSION}, the layout that this program knows"));
        }
        if !(STRIPES + 2..=1024).contains(&self.side) {
            return fault("side", &self.side, &format!("{} to 1024 pixels", STRIPES + 2));
        }
        let sections = self.borders_um.len() + 1;
        if sections > MOST_SECTIONS {
            let wanted = format!("at most {} borders, for {MOST_SECTIONS} sections", MOST_SECTIONS - 1);
            return fault("borders_um", &format!("{} borders", sections - 1), &wanted);
        }
        if let Some(bad) = self.borders_um.iter().find(|um| !(um.is_finite() && **um > 0.0)) {
            return fault("borders_um", bad, "positive wavelengths");
        }
        if let Some([before, after, ..]) = self.borders_um.windows(2).find(|pair| pair[1] <= pair[0]) {
            return fault("borders_um", &format!("{after} after {before}"), "ascending wavelengths");
        }
        if !(self.depth_min > 0.0 && self.depth_min < 1.0) {
            return fault("depth_min", &self.depth_min, "more than 0 and less than 1");
        }
        if !(self.depth_max > self.depth_min && self.depth_max <= 1.0) {
            return fault(
                "depth_max",
                &self.depth_max,
                &format!("more than `depth_min`: {}, and at most 1", self.depth_min),
            );
        }
        for (quantity, scale) in QUANTITIES.iter().zip(self.full_scale.all()) {
            let logarithm = quantity.unit == "dex";
            if !scale.is_finite() || scale == 0.0 || (scale < 0.0) != logarithm {
                let wanted = if logarithm { "a negative number" } else { "a positive number" };
                return fault(&format!("full_scale.{}", quantity.name), &scale, wanted);
            }
        }
        None
    }
}
