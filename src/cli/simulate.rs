//! Arguments of `skyforge simulate`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::app::simulate::{Request, Sky};

/// Simulate a dataset of maps or spectra.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  mpirun -n 2 skyforge simulate maps --out data/maps --count 8192
  mpirun -n 2 skyforge simulate spectra --out data/spectra --count 100000")]
pub enum Arguments {
    Maps(Maps),
    Spectra(Spectra),
    CarbonMonoxide(CarbonMonoxide),
}

/// Simulate weak-lensing convergence maps of a chosen angular power spectrum.
///
/// The maps are lognormal or Gaussian random fields. For a given seed map i is the same, and files are identical to the
/// bit, on any number of ranks.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mpirun -n 2 skyforge simulate maps --out data/maps --count 8192 --seed 1
  skyforge simulate maps --out data/gaussian --count 1024 --set field=gaussian

Keys of --set (docs/configuration.md):
  field (lognormal, gaussian), side, pixel_arcmin, side_deg, oversize,
  source_redshift, shift, table, cosmology.omega_m, cosmology.omega_b,
  cosmology.sigma_8, cosmology.n_s, cosmology.h")]
pub struct Maps {
    /// Output dataset folder; must not already contain a dataset
    #[arg(long)]
    out: PathBuf,
    /// Number of maps
    #[arg(long, allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(1..))]
    count: u64,
    /// Seed of all random numbers
    #[arg(long, default_value_t = 0, allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: u64,
    /// Share of the maps in the split `validation`, which is used to compare checkpoints
    #[arg(long, value_name = "SHARE", default_value_t = 0.05, allow_negative_numbers = true)]
    validation: f64,
    /// Share of the maps in the split `test`, for final results; the rest is the split `train`
    #[arg(long, value_name = "SHARE", default_value_t = 0.2, allow_negative_numbers = true)]
    test: f64,
    /// Set a value of the simulation, e.g. side=64, field=gaussian or source_redshift=1; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
}

/// Simulate transmission spectra of exoplanets, with their seven parameters.
///
/// The atmospheres are isothermal and consist of hydrogen and helium with H2O, CO2, CO and CH4. The parameters are
/// points of ExoGAN's grid (ten levels of each of the seven parameters, ten million points in all, in an order that
/// depends on the seed), drawn uniformly, or read from a table. For a given seed record i is the same, and files are
/// identical to the bit, on any number of ranks. Shards that an interrupted simulation has completed are kept.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  scripts/get_opacities data/opacities
  mpirun -n 2 skyforge simulate spectra --out data/spectra --count 100000 \\
      --set opacities=data/opacities

Keys of --set (docs/configuration.md):
  grid (exogan, exogan-362, or a text file of wavelengths in um),
  sampling (native, binned), opacities (built-in, or a folder of tables),
  order (grid, continuous, table), parameter_table, first,
  log10_h2o, log10_co2, log10_co, log10_ch4, planet_mass, planet_radius,
  temperature (ranges, e.g. temperature=[1000,2000]), star_radius,
  helium_to_hydrogen, layers, bottom_pa, top_pa, rayleigh, cloud_top_pa,
  noise_ppm, noise_table")]
pub struct Spectra {
    /// Output dataset folder; must not already contain a dataset
    #[arg(long)]
    out: PathBuf,
    /// Number of spectra; the whole grid has 10000000
    #[arg(long, allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(1..))]
    count: u64,
    /// Seed of all random numbers
    #[arg(long, default_value_t = 0, allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: u64,
    /// Share of the spectra in the split `validation`, which is used to compare checkpoints
    #[arg(long, value_name = "SHARE", default_value_t = 0.05, allow_negative_numbers = true)]
    validation: f64,
    /// Share of the spectra in the split `test`, for final results; the rest is the split `train`
    #[arg(long, value_name = "SHARE", default_value_t = 0.05, allow_negative_numbers = true)]
    test: f64,
    /// Set a value of the simulation, e.g. order=continuous, noise_ppm=20 or opacities=data/opacities; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
}

/// Compute a table of carbon monoxide cross sections for `simulate spectra`.
///
/// The cross sections are computed from molecular constants, at the temperatures, pressures and wavenumbers of an
/// existing table, and written in the HDF5 format of TauREx.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  skyforge simulate carbon-monoxide --like data/opacities \\
      --out data/opacities/CO.h5")]
pub struct CarbonMonoxide {
    /// Folder of opacity tables; the table with the most wavenumbers sets the temperatures, pressures and wavenumbers
    #[arg(long, value_name = "FOLDER")]
    like: String,
    /// Output file, HDF5; must not exist
    #[arg(long)]
    out: PathBuf,
}

impl Arguments {
    pub fn sky(self) -> Sky {
        match self {
            Self::Maps(Maps { out, count, seed, validation, test, sets }) => {
                Sky::Maps(Request { out, count, seed, validation, test, sets })
            }
            Self::Spectra(Spectra { out, count, seed, validation, test, sets }) => {
                Sky::Spectra(Request { out, count, seed, validation, test, sets })
            }
            Self::CarbonMonoxide(CarbonMonoxide { like, out }) => Sky::CarbonMonoxide { like, out },
        }
    }
}
