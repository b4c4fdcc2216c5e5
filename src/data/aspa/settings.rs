//! The numbers of the codec.

use serde::{Deserialize, Serialize};

use super::layout::{MOST_SECTIONS, STRIPES};
use crate::data::atmosphere::QUANTITIES;

/// The layout that this program knows; one that puts a number elsewhere has another number.
pub const VERSION: u32 = 1;

/// All that decides what a pixel means, but for the wavelengths. The defaults are ExoGAN's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AspaSettings {
    /// `VERSION`.
    pub version: u32,
    /// Side of the image in pixels.
    pub side: usize,
    /// Where sections meet, in micrometres, ascending: edges of the bands of water, methane and carbon monoxide. The bin that a
    /// border lies in belongs to the section of shorter wavelengths.
    pub borders_um: Vec<f64>,
    /// Least depth that can be encoded: the pixel of a section's least depth is this over that.
    pub depth_min: f64,
    /// Greatest depth that can be encoded, which is a pixel of 1.
    pub depth_max: f64,
    /// What a pixel of 1 stands for; 0 stands for 0.
    pub full_scale: FullScale,
}

/// The value of each parameter that a pixel of 1 stands for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FullScale {
    /// Decimal logarithm of the mixing ratio of water, negative, as of all gases: what is less cannot be told from it.
    pub log10_h2o: f64,
    /// Of carbon dioxide.
    pub log10_co2: f64,
    /// Of carbon monoxide.
    pub log10_co: f64,
    /// Of methane.
    pub log10_ch4: f64,
    /// Mass in Jupiter masses.
    pub planet_mass: f64,
    /// Radius in Jupiter radii.
    pub planet_radius: f64,
    /// Temperature in K.
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
