//! Arguments of `skyforge ingest`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::one_of::one_of;
use crate::app::ingest::maps::{self, BadPixels, TransformChoice};
use crate::app::ingest::spectra;
use crate::app::run_on_ranks;
use crate::exit::Exit;
use crate::ingest::spectra::{
    ColumnRole, DepthUnit, MassUnit, Quantity, RadiusUnit, Recipe, StarRadius, TaurexSpectrum, WavelengthUnit,
};
use crate::ingest::{Augment, Named};

/// Import existing maps or spectra as a dataset.
#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  mpirun -n 2 skyforge ingest maps kappa_*.fits --out data/kappa
  skyforge ingest spectra planet.dat --out data/planet --grid exogan \\
      --wavelength-unit um --depth-unit fraction")]
pub enum Arguments {
    Maps(Maps),
    Spectra(Spectra),
}

/// Import square patches of maps from FITS, HDF5, NPY or NPZ files.
///
/// Pixel values stay in physical units. The same inputs in the same order give identical files on any number of ranks.
/// Parts of the sky are reserved for the splits `validation` and `test`: whole maps (inputs are assumed to be different
/// parts of the sky) or, if neither share amounts to a whole map, the last rows of each map. Patches are stored in
/// random order, because neighbouring patches are similar.
///
/// Files may be compressed by gzip or bzip2, FITS images also by fpack. All images of a FITS file are maps, if they are
/// of the same type, unit and shape. NaN, infinite and blank pixels, missing values of netCDF files and the value of
/// unobserved pixels in HEALPix maps (-1.6375e30) are bad.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  mpirun -n 2 skyforge ingest maps kappa_*.fits --out data/kappa --stride 32 \\
      --augment dihedral --redshift 1 --cosmology omega_m=0.26,sigma_8=0.8")]
pub struct Maps {
    /// Input files: FITS (images with 2 or 3 axes), HDF5, NPY or NPZ (shape [h, w], [n, h, w], [n, 1, h, w] or
    /// [n, h, w, 1])
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// Output dataset folder; must not already contain a dataset
    #[arg(long)]
    out: PathBuf,
    /// Side of a patch, in pixels
    #[arg(long, default_value_t = 64, allow_negative_numbers = true)]
    side: usize,
    /// Distance from one patch to the next, in pixels; patches overlap if it is less than SIDE [default: SIDE]
    #[arg(long, allow_negative_numbers = true)]
    stride: Option<usize>,
    /// Share of the sky in the split `validation`, which is used to compare checkpoints
    #[arg(long, value_name = "SHARE", default_value_t = 0.05, allow_negative_numbers = true)]
    validation: f64,
    /// Share of the sky in the split `test`, for final results; the rest is the split `train`
    #[arg(long, value_name = "SHARE", default_value_t = 0.1, allow_negative_numbers = true)]
    test: f64,
    /// Augmentation of the split `train` by mirrored and rotated versions of each patch
    #[arg(long, default_value = Augment::default().name(), value_parser = one_of(augment_help))]
    augment: Augment,
    /// FITS: HDUs to read, numbers (0 is the primary HDU) or EXTNAMEs separated by commas, or all [default: all
    /// images, if they are of the same type and unit]
    #[arg(long, value_name = "N|NAME|all")]
    hdu: Option<String>,
    /// HDF5: path of the dataset in the file; NPZ: name of the array; required if the file (HDF5: its root group)
    /// contains several with maps [default: the only one]
    #[arg(long, value_name = "PATH|NAME")]
    dataset: Option<String>,
    /// Side of a pixel, in arcmin; takes precedence over the input files [default: from the files]
    #[arg(long, conflicts_with = "side_deg", allow_negative_numbers = true)]
    pixel_arcmin: Option<f64>,
    /// Width of a whole input map, in degrees, as an alternative to --pixel-arcmin
    #[arg(long, conflicts_with = "size", allow_negative_numbers = true)]
    side_deg: Option<f64>,
    /// Unit of the pixels; takes precedence over the input files [default: BUNIT of FITS files, else dimensionless]
    #[arg(long)]
    unit: Option<String>,
    /// Redshift of the sources; takes precedence over the input files [default: from the files, if all agree]
    #[arg(long, allow_negative_numbers = true)]
    redshift: Option<f64>,
    /// Cosmological parameters, e.g. omega_m=0.26,sigma_8=0.8; may be repeated; take precedence over the input files
    /// [default: from the files, if all agree]
    #[arg(long, value_name = "KEY=VALUE", value_delimiter = ',', value_parser = parameter)]
    cosmology: Vec<(String, f64)>,
    /// Crop or pad each map to SIZE x SIZE pixels around its centre; pixels beyond the map are bad
    #[arg(long, allow_negative_numbers = true)]
    size: Option<usize>,
    /// Treatment of patches with bad pixels (blank, NaN, infinite): skip them, or replace the pixels by VALUE
    #[arg(long, default_value = "skip", value_name = "skip|fill=VALUE", allow_hyphen_values = true)]
    bad: BadPixels,
    /// Pixel value that stands for a missing value, e.g. -99; may be repeated
    #[arg(long, value_name = "VALUE", allow_negative_numbers = true)]
    bad_value: Vec<f32>,
    /// Default transform of pixel values in training: asinh or linear (fitted to the pixels of the split `train`),
    /// identity, or a TOML table, e.g. '{ kind = "log", shift = 0.04, scale = 0.6, offset = 2.1 }'
    #[arg(long, default_value = "asinh")]
    transform: TransformChoice,
}

/// Import exoplanet spectra from text, ECSV, NPZ, HDF5 or TauREx 3 files.
///
/// All spectra are brought to one wavelength grid. An input point is the mean over a wavelength bin, and so is a point
/// of the grid: the mean of the input bins that overlap its bin, weighted by the overlap. Grid points of which less
/// than --coverage is observed are masked. Files joined by + are observations of one object by several instruments;
/// where they overlap, they are averaged with inverse-variance weights. Records keep the order of the inputs.
///
/// Columns of text files have roles. Names in the first line, or in a comment before it, are understood if they are
/// wavelength, width, half_width, depth, radius_ratio, error, error_below, error_above (each with or without a unit, as
/// in depth_ppm or "depth (ppm)"), or the names of NASA Exoplanet Archive, Eureka!, FIREFLy and exoTEDRF tables. Other
/// names, and more than three columns without names, need --columns. The log lists columns that are not read.
///
/// The true parameters of the atmosphere are read from a parameter file beside a text file (same name with .par, the
/// format of ExoGAN, TauREx 2 or TauREx 3), from the array `parameters` of an NPZ or HDF5 file, or from the output of
/// TauREx. Missing parameters are stored as unknown (NaN).
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  skyforge ingest spectra planet.dat --out data/planet --grid exogan \\
      --wavelength-unit um --depth-unit fraction
  skyforge ingest spectra wfc3.dat+irac.dat --out data/planet --grid exogan \\
      --wavelength-unit um --depth-unit ppm \\
      --columns wavelength,width,depth,error
  skyforge ingest spectra wasp39b.txt --out data/wasp39b --grid exogan \\
      --wavelength-unit um --depth-unit fraction \\
      --columns wv_wdth=half-width --write-recipe wasp39b.toml
  skyforge ingest spectra wasp107b.txt --out data/wasp107b --grid exogan \\
      --recipe wasp39b.toml
  mpirun -n 2 skyforge ingest spectra training.npz --out data/training \\
      --grid exogan-362 --depth-unit fraction --no-errors --test 0.1")]
pub struct Spectra {
    /// Input files: text, CSV, IPAC, ECSV, NPZ or HDF5; files of one object may be joined by +
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// Output dataset folder; must not already contain a dataset
    #[arg(long)]
    out: PathBuf,
    /// Wavelength grid of the dataset: exogan (515 points), exogan-362 (362 points), or a text file with a column of
    /// wavelengths in um
    #[arg(long, value_name = "NAME|FILE")]
    grid: String,
    /// Unit of the wavelengths, for files that do not state it; an error if the names in a text file state another one
    #[arg(long, value_parser = one_of(wavelength_unit_help))]
    wavelength_unit: Option<WavelengthUnit>,
    /// Unit of depths and errors, for files that do not state it; an error if the names in a text file state another one
    #[arg(long, value_parser = one_of(depth_unit_help))]
    depth_unit: Option<DepthUnit>,
    /// Quantity that the files contain as depth [default: depth]
    #[arg(long, value_parser = one_of(quantity_help))]
    quantity: Option<Quantity>,
    /// Roles of columns, separated by commas: of all columns of a text in their order, or NAME=ROLE for columns or
    /// arrays with a name. Roles: wavelength (or wavenumber), width (full width of a bin) and half-width (both in the
    /// unit of the wavelength), depth, error (standard deviation of the depth), error-below (positive or negative
    /// numbers), error-above, skip [default: by name; without names wavelength,depth with --no-errors, or
    /// wavelength,depth,error]
    #[arg(long, value_delimiter = ',', value_name = "ROLE,..|NAME=ROLE,..")]
    columns: Vec<ColumnRole>,
    /// Read the roles, names and units of columns from a TOML file with keys that are named like these options (columns,
    /// wavelength_unit, ..); options take precedence over it
    #[arg(long, value_name = "FILE")]
    recipe: Option<PathBuf>,
    /// Write the roles, names and units of columns that the options and --recipe state to a new TOML file, for --recipe
    #[arg(long, value_name = "FILE")]
    write_recipe: Option<PathBuf>,
    /// Files with names: column or array of the wavelengths [default: wavelength or wavelength_UNIT, e.g. wavelength_um]
    #[arg(long, value_name = "NAME")]
    wavelength: Option<String>,
    /// Files with names: column or array of the full widths of bins; without it bins end half-way between neighbours [default:
    /// width or width_UNIT, if present]
    #[arg(long, value_name = "NAME")]
    width: Option<String>,
    /// Files with names: column or array of the depths, of one or several objects [default: depth or depth_UNIT; radius_ratio or
    /// radius_ratio_UNIT with --quantity radius-ratio]
    #[arg(long, value_name = "NAME")]
    depth: Option<String>,
    /// Files with names: column or array of the errors, or those of the lower and the upper errors [default:
    /// error_below,error_above if present, else error; each with or without _UNIT]
    #[arg(long, value_name = "NAME[,NAME]", value_delimiter = ',', num_args = 1..=2)]
    error: Vec<String>,
    /// Import depths without errors, e.g. of simulated spectra; each spectrum must cover the whole grid
    #[arg(long)]
    no_errors: bool,
    /// Treat NaN as not observed, instead of rejecting the file
    #[arg(long)]
    mask_nan: bool,
    /// Smallest observed share of a grid bin, more than 0 and at most 1; bins with less are masked
    #[arg(long, default_value_t = 0.5, allow_negative_numbers = true)]
    coverage: f64,
    /// Parameter file (.par) of an input; to be repeated for each input, in their order [default: the .par file beside
    /// a text file, if present]
    #[arg(long, value_name = "FILE")]
    truth: Vec<PathBuf>,
    /// Multiply depths by the square of the stellar radius in solar radii, as in ExoGAN's training set: a number, or
    /// said for the radius given in the file or its .par file
    #[arg(long, value_name = "R_SUN|said", allow_negative_numbers = true)]
    star_radius: Option<StarRadius>,
    /// Unit of planet_mass, for arrays of parameters that do not state it
    #[arg(long, value_parser = one_of(mass_unit_help))]
    mass_unit: Option<MassUnit>,
    /// Unit of planet_radius, for arrays of parameters that do not state it; in parameter files of TauREx 3, which of
    /// Jupiter's radii is meant (rjup or rjup-equatorial) [default: rjup for TauREx 3]
    #[arg(long, value_parser = one_of(radius_unit_help))]
    radius_unit: Option<RadiusUnit>,
    /// TauREx: spectrum to import [default: instrument if present, else binned if present, else native]
    #[arg(long, value_parser = one_of(taurex_help))]
    taurex: Option<TaurexSpectrum>,
    /// Share of the spectra in the split `validation`, which is used to compare checkpoints: those before the split
    /// `test`
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, allow_negative_numbers = true)]
    validation: f64,
    /// Share of the spectra in the split `test`, for final results: the last ones; the rest is the split `train`
    #[arg(long, value_name = "SHARE", default_value_t = 1.0, allow_negative_numbers = true)]
    test: f64,
}

impl Arguments {
    pub fn run(self) -> Exit {
        match self {
            Self::Maps(arguments) => {
                let request = arguments.request();
                run_on_ranks(|session| maps::run(session, &request))
            }
            Self::Spectra(arguments) => {
                let request = arguments.request();
                run_on_ranks(|session| spectra::run(session, &request))
            }
        }
    }
}

impl Maps {
    fn request(self) -> maps::Request {
        let Self { inputs, out, side, stride, validation, test, augment, hdu, dataset, .. } = self;
        let Self { pixel_arcmin, side_deg, unit, redshift, cosmology, size, bad, bad_value, transform, .. } = self;
        maps::Request {
            inputs,
            out,
            side,
            stride,
            validation,
            test,
            augment,
            hdu,
            dataset,
            pixel_arcmin,
            side_deg,
            unit,
            redshift,
            cosmology,
            bad,
            bad_values: bad_value,
            size,
            transform,
        }
    }
}

impl Spectra {
    fn request(self) -> spectra::Request {
        let Self { inputs, out, grid, coverage, truth, validation, test, .. } = self;
        let Self { wavelength, width, depth, error, columns, wavelength_unit, depth_unit, quantity, .. } = self;
        let Self { no_errors, mask_nan, taurex, star_radius, mass_unit, radius_unit, .. } = self;
        let recipe = Recipe {
            columns,
            wavelength,
            width,
            depth,
            error,
            wavelength_unit,
            depth_unit,
            quantity,
            no_errors,
            mask_nan,
            star_radius,
            taurex,
            mass_unit,
            radius_unit,
        };
        let (recipe_file, write_recipe) = (self.recipe, self.write_recipe);
        spectra::Request { inputs, out, grid, recipe, recipe_file, write_recipe, coverage, truth, validation, test }
    }
}

fn parameter(text: &str) -> Result<(String, f64), String> {
    let wanted = "expected KEY=VALUE, as in omega_m=0.26";
    let (key, value) = text.split_once('=').ok_or(wanted)?;
    let value = value.trim().parse::<f64>().ok().filter(|value| value.is_finite()).ok_or(wanted)?;
    Ok((key.trim().to_owned(), value))
}

fn augment_help(augment: Augment) -> &'static str {
    match augment {
        Augment::None => "No augmentation",
        Augment::Flips => "4 versions: the patch, mirrored left-right, top-bottom, and both",
        Augment::Dihedral => "8 versions: those of flips and their transposes, i.e. all mirrorings and quarter turns",
    }
}

fn wavelength_unit_help(unit: WavelengthUnit) -> &'static str {
    match unit {
        WavelengthUnit::Um => "Micrometres",
        WavelengthUnit::Nm => "Nanometres",
        WavelengthUnit::Angstrom => "Angstroms, 0.1 nm",
        WavelengthUnit::M => "Metres",
        WavelengthUnit::PerCm => "Wavenumbers, waves per centimetre",
    }
}

fn depth_unit_help(unit: DepthUnit) -> &'static str {
    match unit {
        DepthUnit::Fraction => "Dimensionless",
        DepthUnit::Percent => "Per cent, 1e-2",
        DepthUnit::Ppm => "Parts per million, 1e-6",
    }
}

fn quantity_help(quantity: Quantity) -> &'static str {
    match quantity {
        Quantity::Depth => "Transit depth (Rp/Rs)^2, the fraction of the stellar disk that is covered",
        Quantity::RadiusRatio => "Radius ratio Rp/Rs, which is squared",
    }
}

fn mass_unit_help(unit: MassUnit) -> &'static str {
    match unit {
        MassUnit::Jupiter => "Jupiter masses, 1.898e27 kg",
        MassUnit::Earth => "Earth masses, 5.972e24 kg",
        MassUnit::Kg => "Kilograms",
    }
}

fn radius_unit_help(unit: RadiusUnit) -> &'static str {
    match unit {
        RadiusUnit::Jupiter => "Volumetric mean radii of Jupiter, 6.9911e7 m",
        RadiusUnit::JupiterEquatorial => "Equatorial radii of Jupiter, 7.1492e7 m",
        RadiusUnit::Earth => "Equatorial radii of the Earth, 6.3781e6 m",
        RadiusUnit::M => "Metres",
        RadiusUnit::Km => "Kilometres",
    }
}

fn taurex_help(spectrum: TaurexSpectrum) -> &'static str {
    match spectrum {
        TaurexSpectrum::Native => "At the resolution of the forward model",
        TaurexSpectrum::Binned => "In the bins of the observation or of the TauREx input file",
        TaurexSpectrum::Instrument => "As observed by the simulated instrument, with its noise",
        TaurexSpectrum::Observed => "The observed spectrum",
    }
}
