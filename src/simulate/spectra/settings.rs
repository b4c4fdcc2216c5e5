//! What spectra are to be.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::noise::Noise;
use super::opacities::BUILT_IN;
use super::sampling::Sampling;
use crate::atmosphere::QUANTITIES;
use crate::atmosphere::{GRIDS, named_grid};
use crate::data::spectral_axis::grid_from;
use crate::simulate::{SimulateError, read_text};

/// Least and greatest value of each parameter that the physics here can do anything with.
pub(super) const LEGAL: [(f64, f64); QUANTITIES.len()] =
    [(-30.0, -0.31), (-30.0, -0.31), (-30.0, -0.31), (-30.0, -0.31), (1e-4, 100.0), (1e-2, 100.0), (10.0, 10_000.0)];

/// The greatest sum of mixing ratios: some hydrogen and helium must be left.
pub(super) const MOST_TRACES: f64 = 0.99;

/// Sum of the four mixing ratios.
pub(super) fn traces(parameters: &[f64; QUANTITIES.len()]) -> f64 {
    parameters[..4].iter().map(|log10| 10_f64.powf(*log10)).sum()
}

/// How the parameters of the records are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// A grid of ten levels for each of the seven parameters: all ten million combinations, each once, in an order that
    /// depends on the seed, so that any run of records is a fair sample.
    #[default]
    Grid,
    /// Uniformly between the ends of each range, independently for each record.
    Continuous,
    /// The rows of `parameter_table`.
    Table,
}

/// Settings of simulated transmission spectra. Ranges are least and greatest values, in the units of
/// `atmosphere`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SpectrumSettings {
    /// Wavelength bins: `exogan`, `exogan-362`, or a text file of wavelengths in um.
    pub grid: String,
    /// Wavelengths at which radiative transfer is computed.
    pub sampling: Sampling,
    /// Folder of opacity tables (Exo_Transmit `opac*.dat`, TauREx `*.h5`, HITRAN `*.cia`), or `built-in` for the
    /// built-in band models. With a folder, a molecule without a table does not absorb.
    pub opacities: String,
    /// How the parameters of the records are chosen.
    pub order: Order,
    /// Text table of parameters for `order = "table"`: a header line of names, then a row for each record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter_table: Option<PathBuf>,
    /// Number of the first record in that order: each part of the grid can be simulated on its own.
    pub first: u64,
    /// Decimal logarithm of the volume mixing ratio of water. Least and greatest value, within -30 to -0.31. The
    /// greatest mixing ratios of the four gases may add up to 0.99.
    #[schemars(extend("unit" = "dex"))]
    pub log10_h2o: [f64; 2],
    /// Decimal logarithm of the volume mixing ratio of carbon dioxide. Least and greatest value, within -30 to -0.31.
    #[schemars(extend("unit" = "dex"))]
    pub log10_co2: [f64; 2],
    /// Decimal logarithm of the volume mixing ratio of carbon monoxide. Least and greatest value, within -30 to -0.31.
    #[schemars(extend("unit" = "dex"))]
    pub log10_co: [f64; 2],
    /// Decimal logarithm of the volume mixing ratio of methane. Least and greatest value, within -30 to -0.31.
    #[schemars(extend("unit" = "dex"))]
    pub log10_ch4: [f64; 2],
    /// Mass of the planet. Least and greatest value, within 0.0001 to 100.
    #[schemars(extend("unit" = "M_Jup"))]
    pub planet_mass: [f64; 2],
    /// Radius of the planet at the bottom of the atmosphere. Least and greatest value, within 0.01 to 100.
    #[schemars(extend("unit" = "R_Jup"))]
    pub planet_radius: [f64; 2],
    /// Temperature of the isothermal atmosphere. Least and greatest value, within 10 to 10000.
    #[schemars(extend("unit" = "K"))]
    pub temperature: [f64; 2],
    /// Radius of the star, more than 0 and at most 10000.
    #[schemars(extend("unit" = "R_Sun"))]
    pub star_radius: f64,
    /// Ratio of the volume mixing ratios of helium and hydrogen, 0 to 1000.
    pub helium_to_hydrogen: f64,
    /// Layers of the atmosphere, of equal depth in ln P, 2 to 1000.
    #[schemars(extend("unit" = "layers"))]
    pub layers: usize,
    /// Pressure at the bottom of the atmosphere, where `planet_radius` is; more than 0 and at most 1e10.
    #[schemars(extend("unit" = "Pa"))]
    pub bottom_pa: f64,
    /// Pressure at the top of the atmosphere, more than 0 and at most a tenth of `bottom_pa`.
    #[schemars(extend("unit" = "Pa"))]
    pub top_pa: f64,
    /// Whether Rayleigh scattering by molecules is included.
    pub rayleigh: bool,
    /// Pressure at the top of a grey cloud, below which the atmosphere is opaque: `top_pa` to `bottom_pa`. The nearest
    /// border between layers in ln P is taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("unit" = "Pa", "unset" = "no cloud"))]
    pub cloud_top_pa: Option<f64>,
    /// Standard deviation of Gaussian noise on the transit depth of each bin, more than 0 and at most 1e6. Set at most
    /// one of this and `noise_table`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("unit" = "ppm", "unset" = "no noise"))]
    pub noise_ppm: Option<f64>,
    /// Text table of wavelength in um and standard deviation of the transit depth (a fraction), which must cover all
    /// bins.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("unset" = "no noise"))]
    pub noise_table: Option<PathBuf>,
}

impl Default for SpectrumSettings {
    fn default() -> Self {
        let [log10_h2o, log10_co2, log10_co, log10_ch4, planet_mass, planet_radius, temperature] =
            QUANTITIES.map(|quantity| [quantity.range.0, quantity.range.1]);
        Self {
            grid: "exogan".into(),
            sampling: Sampling::default(),
            opacities: BUILT_IN.into(),
            order: Order::default(),
            parameter_table: None,
            first: 0,
            log10_h2o,
            log10_co2,
            log10_co,
            log10_ch4,
            planet_mass,
            planet_radius,
            temperature,
            star_radius: 1.0,
            helium_to_hydrogen: 0.17647,
            layers: 100,
            bottom_pa: 1e6,
            top_pa: 1e-5,
            rayleigh: true,
            cloud_top_pa: None,
            noise_ppm: None,
            noise_table: None,
        }
    }
}

impl SpectrumSettings {
    /// Ranges of all seven parameters, in the order of `QUANTITIES`.
    pub fn ranges(&self) -> [(f64, f64); QUANTITIES.len()] {
        [
            self.log10_h2o,
            self.log10_co2,
            self.log10_co,
            self.log10_ch4,
            self.planet_mass,
            self.planet_radius,
            self.temperature,
        ]
        .map(|[low, high]| (low, high))
    }

    /// Checks what can be checked without a file.
    pub fn validate(&self) -> Result<(), SimulateError> {
        for (((low, high), quantity), (least, most)) in self.ranges().into_iter().zip(QUANTITIES).zip(LEGAL) {
            if !(least <= low && low <= high && high <= most) {
                let value = format!("[{low}, {high}]");
                let wanted = format!("least and greatest value between {least} and {most}");
                return Err(SimulateError::setting(quantity.name, &value, wanted));
            }
        }
        let most = traces(&self.ranges().map(|(_, high)| high));
        if most > MOST_TRACES {
            let value = format!(
                "[.., {}] and with log10_co2, log10_co and log10_ch4 10^x adds up to {most:.2}",
                self.log10_h2o[1]
            );
            return Err(SimulateError::setting("log10_h2o", &value, format!("at most {MOST_TRACES} in all")));
        }
        let positive = |name, value: f64, most: f64| {
            if value > 0.0 && value <= most {
                return Ok(());
            }
            Err(SimulateError::setting(name, &value, format!("more than 0 and at most {most:e}")))
        };
        positive("star_radius", self.star_radius, 1e4)?;
        positive("bottom_pa", self.bottom_pa, 1e10)?;
        positive("top_pa", self.top_pa, 0.1 * self.bottom_pa)?;
        if !(0.0..=1e3).contains(&self.helium_to_hydrogen) {
            return Err(SimulateError::setting("helium_to_hydrogen", &self.helium_to_hydrogen, "0 to 1000"));
        }
        if !(2..=1000).contains(&self.layers) {
            return Err(SimulateError::setting("layers", &self.layers, "2 to 1000"));
        }
        if let Some(top) = self.cloud_top_pa
            && !(self.top_pa..=self.bottom_pa).contains(&top)
        {
            let wanted = format!("{:e} to {:e}, the pressures of the atmosphere", self.top_pa, self.bottom_pa);
            return Err(SimulateError::setting("cloud_top_pa", &top, wanted));
        }
        match (self.noise_ppm, &self.noise_table) {
            (Some(ppm), Some(_)) => Err(SimulateError::setting("noise_ppm", &ppm, "nothing beside `noise_table`")),
            (Some(ppm), None) => positive("noise_ppm", ppm, 1e6),
            _ => Ok(()),
        }
    }

    /// Centres of the bins in um.
    pub fn wavelengths(&self) -> Result<Vec<f64>, SimulateError> {
        if let Some(grid) = named_grid(&self.grid) {
            return Ok(grid);
        }
        let path = Path::new(&self.grid);
        if !path.exists() {
            let wanted = format!("{}, or a text file of wavelengths in um", GRIDS.join(", "));
            return Err(SimulateError::setting("grid", &self.grid, wanted));
        }
        let text = read_text(path, "a text file of wavelengths in um")?;
        grid_from(&text).map_err(|(line, problem)| match line {
            Some(line) => SimulateError::Table { path: path.into(), line, problem },
            None => SimulateError::WholeTable { path: path.into(), problem },
        })
    }

    /// The noise that is asked for.
    pub(super) fn noise(&self, wavelength_um: &[f64]) -> Result<Option<Noise>, SimulateError> {
        match (&self.noise_table, self.noise_ppm) {
            (Some(path), _) => Noise::read(path, wavelength_um).map(Some),
            (None, Some(ppm)) => Ok(Some(Noise::constant(1e-6 * ppm, wavelength_um.len()))),
            (None, None) => Ok(None),
        }
    }
}
