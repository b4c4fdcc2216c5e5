//! Arguments of `skyforge ingest`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::one_of::one_of;
use crate::app::ingest::maps::{self, BadPixels, TransformChoice};
use crate::app::ingest::spectra;
use crate::app::run_on_ranks;
use crate::exit::Exit;
use crate::ingest::spectra::{DepthUnit, Quantity, Reading, Role, StarRadius, TaurexSpectrum, WavelengthUnit};
use crate::ingest::{Augment, Named};

/// Import existing maps or spectra as a dataset.
#[derive(Debug, Subcommand)]
#[command(after_help = "Example:
  mpirun -n 2 skyforge ingest maps kappa_*.fits --out data/kappa
  skyforge ingest spectra planet.dat --out data/planet --grid exogan --wavelength-unit um --depth-unit fraction")]
pub enum Arguments {
    Maps(Maps),
    Spectra(Spectra),
}

/// Square patches of maps: FITS images, HDF5 and NPY stacks [n, h, w].
///
/// Values stay in physical units. The same inputs, in the same order, give the same bytes on disk on any number of ranks.
/// Shares of the sky are held back as the splits `validation` and `test`: whole maps (inputs are taken to be different pieces of the
/// sky) or, where neither share is one map, the last rows of each. Records are mixed, since neighbours in the sky are alike.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  mpirun -n 2 skyforge ingest maps kappa_*.fits --out data/kappa --stride 32 --augment dihedral --redshift 1 \\
      --cosmology omega_m=0.26,sigma_8=0.8")]
pub struct Maps {
    /// Files: FITS (an image of 2 or 3 axes), HDF5 or NPY ([h, w], [n, h, w] or [n, 1, h, w])
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// The dataset folder, which must not hold one yet
    #[arg(long)]
    out: PathBuf,
    /// Pixels on a side of a patch
    #[arg(long, default_value_t = 64, allow_negative_numbers = true)]
    side: usize,
    /// Pixels from one patch to the next, --side where it is not given; less makes patches that overlap
    #[arg(long, allow_negative_numbers = true)]
    stride: Option<usize>,
    /// Share of the sky in the split `validation`, by which checkpoints are compared
    #[arg(long, value_name = "SHARE", default_value_t = 0.05, allow_negative_numbers = true)]
    validation: f64,
    /// Share of the sky in the split `test`, for the final figures; the rest is the split `train`
    #[arg(long, value_name = "SHARE", default_value_t = 0.1, allow_negative_numbers = true)]
    test: f64,
    /// Versions of patches in the split `train`: mirror images (4 in all), or quarter turns too (8 in all)
    #[arg(long, default_value = Augment::default().name(), value_parser = one_of(augment_help))]
    augment: Augment,
    /// FITS: which HDU, by number (0 is the primary) or EXTNAME; the first image where it is not given
    #[arg(long, value_name = "N|NAME")]
    hdu: Option<String>,
    /// HDF5: path of the dataset; needed where the file's root holds several of maps
    #[arg(long, value_name = "PATH")]
    dataset: Option<String>,
    /// Side of a pixel in arcmin, where files do not say it or say it wrong
    #[arg(long, conflicts_with = "side_deg", allow_negative_numbers = true)]
    pixel_arcmin: Option<f64>,
    /// Side (width) of a whole input map in degrees, instead of --pixel-arcmin
    #[arg(long, allow_negative_numbers = true)]
    side_deg: Option<f64>,
    /// Unit of the pixels; FITS says it as BUNIT, else there is none
    #[arg(long)]
    unit: Option<String>,
    /// Redshift of the sources
    #[arg(long, allow_negative_numbers = true)]
    redshift: Option<f64>,
    /// Cosmological parameters, as in omega_m=0.26,sigma_8=0.8; may be given again
    #[arg(long, value_name = "KEY=VALUE", value_delimiter = ',', value_parser = parameter)]
    cosmology: Vec<(String, f64)>,
    /// Patches with bad pixels (blank, NaN, infinite): skip them, or fill the pixels by fill=VALUE
    #[arg(long, default_value = "skip", value_name = "skip|fill=VALUE", allow_hyphen_values = true)]
    bad: BadPixels,
    /// Default transform for training: asinh or linear, fitted to what trains, identity, or a table such as
    /// '{ kind = "log", shift = 0.04, scale = 0.6, offset = 2.1 }'
    #[arg(long, default_value = "asinh")]
    transform: TransformChoice,
}

/// Spectra of exoplanets on one grid: text, ECSV, NPZ, HDF5 and the output of TauREx 3.
///
/// Each point of a table is the mean over a bin, and so is each point of the grid: what overlaps a grid bin is averaged by its share. Bins
/// that are covered by less than --coverage are masked. Files joined by + are observations of one object by several instruments: they are
/// averaged by inverse variance where they overlap. Records have the order of the inputs. A text's parameter file (the same name, ending in
/// .par, as ExoGAN has it) or an archive's array `parameters` gives what is known of the atmosphere; the rest is unknown.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  skyforge ingest spectra planet.dat --out data/planet --grid exogan --wavelength-unit um --depth-unit fraction
  skyforge ingest spectra wfc3.dat+irac.dat --out data/planet --grid exogan --wavelength-unit um --depth-unit ppm \\
      --columns wavelength,width,depth,error
  mpirun -n 2 skyforge ingest spectra training.npz --out data/training --grid exogan-362 --depth-unit fraction \\
      --no-errors --test 0.1")]
pub struct Spectra {
    /// Files, or files of one object joined by +: text, ECSV, NPZ, HDF5
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// The dataset folder, which must not hold one yet
    #[arg(long)]
    out: PathBuf,
    /// Wavelengths of the dataset: exogan (515 points), exogan-362, or a file with a column of micrometres
    #[arg(long, value_name = "NAME|FILE")]
    grid: String,
    /// Unit of wavelengths where files do not say it
    #[arg(long, value_parser = one_of(wavelength_unit_help))]
    wavelength_unit: Option<WavelengthUnit>,
    /// Unit of depths and errors where files do not say it
    #[arg(long, value_parser = one_of(depth_unit_help))]
    depth_unit: Option<DepthUnit>,
    /// What depths are: (Rp/Rs)^2 or Rp/Rs
    #[arg(long, default_value = "depth", value_parser = one_of(quantity_help))]
    quantity: Quantity,
    /// Text: what each column is; 3 are wavelength, depth, error, and 4 have error-below, error-above
    #[arg(long, value_parser = one_of(role_help), value_delimiter = ',', value_name = "ROLE,..")]
    columns: Option<Vec<Role>>,
    /// ECSV, NPZ, HDF5: name of the wavelengths [wavelength, wavelength_um, ..]
    #[arg(long, value_name = "NAME")]
    wavelength: Option<String>,
    /// ECSV, NPZ, HDF5: name of the full widths of bins [width, width_um, ..]; half-way to the neighbours where there is none
    #[arg(long, value_name = "NAME")]
    width: Option<String>,
    /// ECSV, NPZ, HDF5: name of the depths, of one or many objects [depth, depth_ppm, ..; radius_ratio]
    #[arg(long, value_name = "NAME")]
    depth: Option<String>,
    /// ECSV, NPZ, HDF5: name of the errors, or of those below and above [error; error_below and error_above]
    #[arg(long, value_name = "NAME[,NAME]", value_delimiter = ',', num_args = 1..=2)]
    error: Vec<String>,
    /// Spectra without errors, such as simulated ones: records hold the depth alone, and must cover the whole grid
    #[arg(long)]
    no_errors: bool,
    /// NaN means that a point was not observed; else it is refused
    #[arg(long)]
    mask_nan: bool,
    /// Share of a grid bin that must be observed
    #[arg(long, default_value_t = 0.5, allow_negative_numbers = true)]
    coverage: f64,
    /// Parameter file of an input, instead of the .par beside it; once for each input, in their order
    #[arg(long, value_name = "FILE")]
    truth: Vec<PathBuf>,
    /// Multiplies depths by the square of the star's radius in the Sun's, as ExoGAN does: a number, or `said` by the file or its .par
    #[arg(long, value_name = "R_SUN|said", allow_negative_numbers = true)]
    star_radius: Option<StarRadius>,
    /// TauREx: which spectrum; an instrument's where there is one, else the binned, else the native one
    #[arg(long, value_parser = one_of(taurex_help))]
    taurex: Option<TaurexSpectrum>,
    /// Share of the spectra, those before the ones for the test, in the split `validation`, by which checkpoints are compared
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, allow_negative_numbers = true)]
    validation: f64,
    /// Share of the spectra, the last ones, in the split `test`, for the final figures; the rest is the split `train`
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
        let Self { pixel_arcmin, side_deg, unit, redshift, cosmology, bad, transform, .. } = self;
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
            transform,
        }
    }
}

impl Spectra {
    fn request(self) -> spectra::Request {
        let Self { inputs, out, grid, coverage, truth, validation, test, .. } = self;
        let Self { wavelength, width, depth, error, columns, wavelength_unit, depth_unit, quantity, .. } = self;
        let Self { no_errors, mask_nan, taurex, star_radius, .. } = self;
        let reading = Reading {
            wavelength,
            width,
            depth,
            error,
            columns,
            wavelength_unit,
            depth_unit,
            quantity,
            errors: !no_errors,
            nan_is_masked: mask_nan,
            taurex,
            star_radius: star_radius.unwrap_or_default(),
        };
        spectra::Request { inputs, out, grid, reading, coverage, truth, validation, test }
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
        Augment::None => "The patch alone",
        Augment::Flips => "Itself, mirrored left to right, top to bottom, and both: 4 versions",
        Augment::Dihedral => "The same and their transposes, so quarter turns too: 8 versions",
    }
}

fn wavelength_unit_help(unit: WavelengthUnit) -> &'static str {
    match unit {
        WavelengthUnit::Um => "Micrometres",
        WavelengthUnit::Nm => "Nanometres",
        WavelengthUnit::Angstrom => "0.1 nm",
        WavelengthUnit::M => "Metres",
        WavelengthUnit::PerCm => "Wavenumbers: waves in a centimetre",
    }
}

fn depth_unit_help(unit: DepthUnit) -> &'static str {
    match unit {
        DepthUnit::Fraction => "1",
        DepthUnit::Percent => "1e-2",
        DepthUnit::Ppm => "1e-6",
    }
}

fn quantity_help(quantity: Quantity) -> &'static str {
    match quantity {
        Quantity::Depth => "(Rp/Rs)^2, the share of the star that is covered",
        Quantity::RadiusRatio => "Rp/Rs",
    }
}

fn role_help(role: Role) -> &'static str {
    match role {
        Role::Width => "Full width of a bin, in the unit of the wavelength",
        Role::Wavelength | Role::Depth | Role::Error | Role::ErrorBelow | Role::ErrorAbove | Role::Skip => "",
    }
}

fn taurex_help(spectrum: TaurexSpectrum) -> &'static str {
    match spectrum {
        TaurexSpectrum::Native => "As it was computed",
        TaurexSpectrum::Binned => "In the bins of the observation or of the input file",
        TaurexSpectrum::Instrument => "As an instrument would see it, with its noise",
        TaurexSpectrum::Observed => "The observation itself",
    }
}
