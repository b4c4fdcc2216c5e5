//! Arguments of `skyforge simulate`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::app::simulate::{Request, Sky};

/// Simulate a dataset.
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:
  mpirun -n 2 skyforge simulate maps --out data/maps --count 8192")]
pub enum Arguments {
    Maps(Maps),
    Spectra(Spectra),
    CarbonMonoxide(CarbonMonoxide),
}

/// Weak-lensing convergence maps: lognormal or Gaussian fields of a chosen angular power spectrum.
///
/// The same seed gives the same map number i, and the same bytes on disk, on any number of ranks.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  mpirun -n 2 skyforge simulate maps --out data/maps --count 8192 --seed 1

Keys of --set: field (lognormal, gaussian), side, pixel_arcmin, side_deg, oversize, source_redshift, shift, table,
cosmology.omega_m, cosmology.omega_b, cosmology.sigma_8, cosmology.n_s, cosmology.h")]
pub struct Maps {
    /// The dataset folder, which must not hold one yet
    #[arg(long)]
    out: PathBuf,
    /// How many maps
    #[arg(long, allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(1..))]
    count: u64,
    /// All chance follows from it
    #[arg(long, default_value_t = 0, allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: u64,
    /// Share of the maps in the split `validation`, by which checkpoints are compared
    #[arg(long, value_name = "SHARE", default_value_t = 0.05, allow_negative_numbers = true)]
    validation: f64,
    /// Share of the maps in the split `test`, for the final figures; the rest is the split `train`
    #[arg(long, value_name = "SHARE", default_value_t = 0.2, allow_negative_numbers = true)]
    test: f64,
    /// Sets a value, as in side=64, field=gaussian, source_redshift=1; may be given again
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
}

/// Transmission spectra of exoplanets with their seven parameters.
///
/// Isothermal atmospheres of hydrogen and helium with H2O, CO2, CO and CH4. The parameters are the points of ExoGAN's grid (ten levels of
/// each of seven, ten million in all, in an order that depends on the seed) or anywhere between. The same seed gives the same
/// record number i, and the same bytes on disk, on any number of ranks; shards that an earlier, cut off attempt has finished are kept.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  scripts/get_opacities data/opacities
  mpirun -n 2 skyforge simulate spectra --out data/spectra --count 100000 --set opacities=data/opacities

Keys of --set: grid (exogan, exogan-362, or a text file of um), sampling (native, binned), opacities (built-in, or a folder of tables),
order (grid, continuous, table), parameter_table, first, log10_h2o, log10_co2, log10_co, log10_ch4, planet_mass, planet_radius, temperature (ranges, as in
temperature=[1000,2000]), star_radius, helium_to_hydrogen, layers, bottom_pa, top_pa, rayleigh, cloud_top_pa, noise_ppm,
noise_table")]
pub struct Spectra {
    /// The dataset folder, which must not hold one yet
    #[arg(long)]
    out: PathBuf,
    /// How many spectra; the whole grid has 10000000
    #[arg(long, allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(1..))]
    count: u64,
    /// All chance follows from it
    #[arg(long, default_value_t = 0, allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: u64,
    /// Share of the spectra in the split `validation`, by which checkpoints are compared
    #[arg(long, value_name = "SHARE", default_value_t = 0.05, allow_negative_numbers = true)]
    validation: f64,
    /// Share of the spectra in the split `test`, for the final figures; the rest is the split `train`
    #[arg(long, value_name = "SHARE", default_value_t = 0.05, allow_negative_numbers = true)]
    test: f64,
    /// Sets a value, as in order=continuous, noise_ppm=20, opacities=data/opacities; may be given again
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
}

/// The table of cross sections of carbon monoxide, computed from molecular constants, for `spectra`.
///
/// Written in TauREx's format, on the temperatures, pressures and wavenumbers of the finest table that is there already.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  skyforge simulate carbon-monoxide --like data/opacities --out data/opacities/CO.h5")]
pub struct CarbonMonoxide {
    /// A folder of tables
    #[arg(long, value_name = "FOLDER")]
    like: String,
    /// The new file, HDF5
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
