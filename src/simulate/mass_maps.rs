//! Convergence maps: lognormal or Gaussian random fields with a given angular power spectrum.
//!
//! A map is a function of (seed, index) alone. It is cut from a periodic grid that is larger than the map, so that
//! its own edges do not match. What is slower than the grid is in its mode 0, so that the mean of a map, and in a
//! lognormal one the strength of all its structure, scatters as on a large sky.
//!
//! Shapes: n = pixels on a side of the grid, side = pixels on a side of the map.

use std::path::PathBuf;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use skyforge_fft::{Complex, ComplexToReal, Fft};

use crate::data::Transform;
use crate::rng::{Draw, Stream};
use crate::simulate::grid_power::Grid;
use crate::simulate::{ConvergencePower, Cosmology, SimulateError};

/// Pixels of CosmoGAN's maps: 3.5 degrees over 512.
const DEFAULT_PIXEL_ARCMIN: f64 = 3.5 * 60.0 / 512.0;
/// Largest side of the grid: 4 GiB for its modes.
const LARGEST_GRID: usize = 16_384;
/// Standard deviations of a pixel (of its logarithm, for lognormal maps) that the default transform puts at 1.
const SPREAD: f64 = 4.5;
/// Multipoles listed in a description.
const LISTED: usize = 40;

/// Statistics of the convergence field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Field {
    /// Lognormal: kappa + shift is the exponential of a Gaussian field. Skewed as real convergence is, and never below
    /// -shift.
    Lognormal,
    /// Gaussian.
    Gaussian,
}

/// Settings of simulated convergence maps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MassMapSettings {
    /// Statistics of the convergence field.
    pub field: Field,
    /// Side of a map, 2 to 16384.
    #[schemars(extend("unit" = "pixels"))]
    pub side: usize,
    /// Side of a pixel, more than 0. Set at most one of this and `side_deg`. The grid (`side` times `oversize`) may
    /// span at most 60 degrees.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("unit" = "arcmin", "unset" = "3.5 degrees / 512"))]
    pub pixel_arcmin: Option<f64>,
    /// Side of a map, more than 0, instead of `pixel_arcmin`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("unit" = "degrees", "unset" = "`side` times `pixel_arcmin`"))]
    pub side_deg: Option<f64>,
    /// Side of the periodic grid that a map is cut from, in sides of the map: 1 or more, for a grid of at most 16384
    /// pixels. 1 makes periodic maps.
    pub oversize: usize,
    /// Flat LCDM cosmology between observer and sources. Has no effect where `table` is set.
    pub cosmology: Cosmology,
    /// Redshift of all sources, more than 0; above 4 only with `shift` for lognormal maps.
    pub source_redshift: f64,
    /// Lowest convergence of lognormal maps, with the opposite sign; more than 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("unset" = "the emptiest line of sight to `source_redshift` (Hilbert et al. 2011, eq. 38)"))]
    pub shift: Option<f64>,
    /// Text file with a table of multipole l and angular power C_l of the convergence, used instead of the power
    /// spectrum of `cosmology`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("unset" = "the power spectrum of `cosmology`"))]
    pub table: Option<PathBuf>,
}

impl Default for MassMapSettings {
    fn default() -> Self {
        Self {
            field: Field::Lognormal,
            side: 64,
            pixel_arcmin: None,
            side_deg: None,
            oversize: 2,
            cosmology: Cosmology::default(),
            source_redshift: 1.0,
            shift: None,
            table: None,
        }
    }
}

impl MassMapSettings {
    fn grid(&self) -> Result<Grid, SimulateError> {
        if !(2..=LARGEST_GRID).contains(&self.side) {
            return Err(SimulateError::setting("side", &self.side, format!("2 to {LARGEST_GRID}")));
        }
        let largest = LARGEST_GRID / self.side;
        if !(1..=largest).contains(&self.oversize) {
            let wanted = format!("1 to {largest}: a grid of at most {LARGEST_GRID} px");
            return Err(SimulateError::setting("oversize", &self.oversize, wanted));
        }
        let (name, value, pixel_arcmin) = match (self.pixel_arcmin, self.side_deg) {
            (Some(_), Some(side)) => {
                return Err(SimulateError::setting("side_deg", &side, "nothing beside `pixel_arcmin`"));
            }
            (Some(pixel), None) => ("pixel_arcmin", pixel, pixel),
            (None, Some(side)) => ("side_deg", side, side * 60.0 / self.side as f64),
            (None, None) => ("pixel_arcmin", DEFAULT_PIXEL_ARCMIN, DEFAULT_PIXEL_ARCMIN),
        };
        let n = self.side * self.oversize;
        let grid_deg = pixel_arcmin * n as f64 / 60.0;
        // Beyond, the sky is not flat.
        if !(value > 0.0 && grid_deg <= 60.0) {
            return Err(SimulateError::setting(name, &value, "more than 0, and a grid of at most 60 degrees"));
        }
        Ok(Grid { n, pixel_rad: (pixel_arcmin / 60.0).to_radians() })
    }

    fn spectrum(&self, grid: &Grid) -> Result<ConvergencePower, SimulateError> {
        let needed = (grid.fundamental(), grid.multipole(grid.n / 2, grid.n / 2));
        let Some(path) = &self.table else {
            let spectrum = ConvergencePower::limber(&self.cosmology, self.source_redshift)?;
            if needed.1 > spectrum.range().1 {
                let wanted = format!("pixels of at least 0.0153 arcmin: l up to {:.0}", spectrum.range().1);
                let pixel_arcmin = grid.pixel_rad.to_degrees() * 60.0;
                return Err(SimulateError::setting("pixel_arcmin", &pixel_arcmin, wanted));
            }
            return Ok(spectrum);
        };
        let spectrum = ConvergencePower::from_table(path)?;
        let (first, last) = spectrum.range();
        if first > needed.0 || last < needed.1 {
            let problem = format!("covers l {first} to {last}, expected {:.1} to {:.1}", needed.0, needed.1);
            return Err(SimulateError::WholeTable { path: path.clone(), problem });
        }
        Ok(spectrum)
    }

    fn shift(&self) -> Result<f64, SimulateError> {
        match self.shift {
            Some(shift) if shift > 0.0 && shift.is_finite() => Ok(shift),
            Some(shift) => Err(SimulateError::setting("shift", &shift, "more than 0")),
            None => default_shift(self.source_redshift).ok_or_else(|| {
                let wanted = "more than 0 and at most 4, or `shift` beside it";
                SimulateError::setting("source_redshift", &self.source_redshift, wanted)
            }),
        }
    }
}

/// The lognormal shift for sources at a redshift of at most 4: the fit of Hilbert, Hartlap & Schneider 2011 (eq. 38)
/// to the emptiest lines of sight through the Millennium simulation.
pub fn default_shift(source_redshift: f64) -> Option<f64> {
    let z = source_redshift;
    (z > 0.0 && z <= 4.0).then(|| z * (0.008 + z * (0.029 + z * (-0.0079 + z * 0.00065))))
}

/// A maker of maps.
pub struct MassMaps {
    settings: MassMapSettings,
    grid: Grid,
    spectrum: ConvergencePower,
    /// Standard deviation of the real and of the imaginary part of a mode of the Gaussian field, over n^2, with the
    /// columns of the real transform as rows: `[n/2 + 1, n]`.
    amplitudes: Vec<f64>,
    /// Shift of lognormal maps.
    shift: Option<f64>,
    /// Variance of a pixel of the Gaussian field.
    gaussian_variance: f64,
    /// C_l that the maps get, per mode of the grid.
    made: Vec<f64>,
    clipped_power: f64,
    columns: Arc<dyn Fft<f64>>,
    rows: Arc<dyn ComplexToReal<f64>>,
}

/// What a thread needs to make maps.
pub struct Workspace {
    modes: Vec<Complex<f64>>,
    half_row: Vec<Complex<f64>>,
    row: Vec<f64>,
    scratch: Vec<Complex<f64>>,
}

impl MassMaps {
    /// Works out the power of every mode once.
    ///
    /// Errors: a setting out of its bounds; a table that cannot be used.
    pub fn new(settings: &MassMapSettings) -> Result<Self, SimulateError> {
        let grid = settings.grid()?;
        let spectrum = settings.spectrum(&grid)?;
        let wanted = grid.power(&spectrum);
        let (shift, gaussian, made, clipped_power) = match settings.field {
            Field::Gaussian => (None, wanted.clone(), wanted, 0.0),
            Field::Lognormal => {
                let shift = settings.shift()?;
                let under = grid.under_lognormal(&wanted, shift).ok_or_else(|| {
                    let deviation = grid.variance(&wanted).sqrt();
                    SimulateError::setting(
                        "shift",
                        &shift,
                        format!("more, beside a pixel deviation of {deviation:.3e}"),
                    )
                })?;
                (Some(shift), under.gaussian, under.lognormal, under.clipped_power)
            }
        };
        let n = grid.n;
        let mut amplitudes = Vec::with_capacity((n / 2 + 1) * n);
        for column in 0..=n / 2 {
            // A column that is its own mirror image is drawn without symmetry, and the real part of what it gives is
            // kept: half of its power.
            let halves = if column == 0 || 2 * column == n { 1.0 } else { 2.0 };
            amplitudes.extend((0..n).map(|row| (gaussian[row * n + column] / grid.area() / halves).sqrt()));
        }
        Ok(Self {
            settings: settings.clone(),
            grid,
            spectrum,
            amplitudes,
            shift,
            gaussian_variance: grid.variance(&gaussian),
            made,
            clipped_power,
            columns: skyforge_fft::inverse_f64(n),
            rows: skyforge_fft::real_inverse_f64(n),
        })
    }

    /// Pixels on a side of a map.
    pub fn side(&self) -> usize {
        self.settings.side
    }

    /// The spectrum that was asked for.
    pub fn spectrum(&self) -> &ConvergencePower {
        &self.spectrum
    }

    /// The grid that maps are cut from.
    pub fn grid(&self) -> Grid {
        self.grid
    }

    /// C_l that the field on the grid has, per mode `[n, n]`: the spectrum, changed where modes were clipped.
    pub fn power_per_mode(&self) -> &[f64] {
        &self.made
    }

    /// Variance of a pixel.
    pub fn variance(&self) -> f64 {
        self.grid.variance(&self.made)
    }

    /// Skewness of a pixel: (e^v + 2) sqrt(e^v - 1) for lognormal maps over a Gaussian field of variance v, else 0.
    pub fn skewness(&self) -> f64 {
        let v = self.gaussian_variance;
        if self.shift.is_some() { (v.exp() + 2.0) * v.exp_m1().sqrt() } else { 0.0 }
    }

    /// Shift of lognormal maps, which end at -shift.
    pub fn shift(&self) -> Option<f64> {
        self.shift
    }

    /// Power of clipped modes in units of the power of the others; 0 for Gaussian maps.
    pub fn clipped_power(&self) -> f64 {
        self.clipped_power
    }

    /// A workspace for `map`, one a thread.
    pub fn workspace(&self) -> Workspace {
        let n = self.grid.n;
        let scratch = self.columns.get_inplace_scratch_len().max(self.rows.get_scratch_len());
        let zero = Complex::new(0.0, 0.0);
        Workspace {
            modes: vec![zero; (n / 2 + 1) * n],
            half_row: vec![zero; n / 2 + 1],
            row: vec![0.0; n],
            scratch: vec![zero; scratch],
        }
    }

    /// Writes map `index` of `seed` to `out`, `[side, side]` row by row, dimensionless. The same whoever asks.
    pub fn map(&self, seed: u64, index: u64, workspace: &mut Workspace, out: &mut [f32]) {
        let (n, side) = (self.grid.n, self.settings.side);
        assert_eq!(out.len(), side * side, "out is [side, side]");
        let Workspace { modes, half_row, row, scratch } = workspace;
        let mut chance = Draw::new(seed).at(Stream::Simulation, index, 0);
        for (mode, &amplitude) in modes.iter_mut().zip(&self.amplitudes) {
            *mode = Complex::new(amplitude * chance.normal(), amplitude * chance.normal());
        }
        let column_scratch = self.columns.get_inplace_scratch_len();
        self.columns.process_with_scratch(modes, &mut scratch[..column_scratch]); // [n/2 + 1, n], rows now in real space
        for (y, map_row) in out.chunks_exact_mut(side).enumerate() {
            for (value, column) in half_row.iter_mut().zip(modes.chunks_exact(n)) {
                *value = column[y];
            }
            half_row[0].im = 0.0;
            if n.is_multiple_of(2) {
                half_row[n / 2].im = 0.0;
            }
            self.rows
                .process_with_scratch(half_row, row, &mut scratch[..self.rows.get_scratch_len()])
                .expect("a half row is [n/2 + 1] with real ends");
            for (pixel, &value) in map_row.iter_mut().zip(row.iter()) {
                *pixel = self.convergence(value) as f32;
            }
        }
    }

    /// Convergence where the Gaussian field is `g`.
    fn convergence(&self, g: f64) -> f64 {
        match self.shift {
            Some(shift) => shift * (g - self.gaussian_variance / 2.0).exp_m1(),
            None => g,
        }
    }

    /// Takes 4.5 standard deviations of the Gaussian field to -1 and 1, and its mean to 0.
    pub fn default_transform(&self) -> Transform {
        // A field without any power is 0 everywhere: any scale will do.
        let deviation = if self.gaussian_variance > 0.0 { self.gaussian_variance.sqrt() } else { 1.0 };
        let scale = 1.0 / (SPREAD * deviation);
        match self.shift {
            Some(shift) => {
                let mean = shift.ln() - self.gaussian_variance / 2.0;
                // Maps are rounded to single precision, and so may lie a little below -shift.
                Transform::Log { shift: shift * (1.0 + 1e-5), scale, offset: -scale * mean }
            }
            None => Transform::Linear { scale, offset: 0.0 },
        }
    }

    /// What the maps are, for a manifest: all settings, what follows from them, the formulae, and the spectrum at
    /// `multipoles`, equally spaced in ln l over the grid: `c_l` wanted.
    pub fn describe(&self) -> toml::Table {
        let mut about = toml::Table::try_from(&self.settings).expect("settings are a table");
        let pixel_arcmin = self.grid.pixel_rad.to_degrees() * 60.0;
        let mut put = |key: &str, value: toml::Value| about.insert(key.to_owned(), value);
        put("pixel_arcmin", pixel_arcmin.into());
        put("side_deg", (pixel_arcmin * self.settings.side as f64 / 60.0).into());
        if let Some(shift) = self.shift {
            put("shift", shift.into());
            put("clipped_power", self.clipped_power.into());
        }
        put("pixel_variance", self.variance().into());
        put("pixel_skewness", self.skewness().into());
        let formula = if self.settings.table.is_some() {
            "table"
        } else {
            "Limber integral; Eisenstein & Hu 1998 with baryons; halofit of Takahashi et al. 2012"
        };
        put("spectrum", formula.into());
        let (slowest, fastest) = (self.grid.fundamental(), self.grid.multipole(self.grid.n / 2, self.grid.n / 2));
        let multipoles: Vec<f64> =
            (0..LISTED).map(|i| slowest * (fastest / slowest).powf(i as f64 / (LISTED - 1) as f64)).collect();
        put("c_l", multipoles.iter().map(|&l| self.spectrum.at(l)).collect::<Vec<_>>().into());
        put("multipoles", multipoles.into());
        about
    }
}
