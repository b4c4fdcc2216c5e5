//! `skyforge ingest spectra`: other people's spectra on one grid.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::super::counter::Counter;
use super::super::output_dataset::OutputDataset;
use super::super::session::Session;
use super::super::{CommandError, shards, stacks};
use super::{checksum, file_name, in_order};
use crate::atmosphere::labels;
use crate::data::spectral_axis::OBSERVED;
use crate::data::{Channel, Header, Modality, Rows, SpectralAxis, split};
use crate::exit::Exit;
use crate::ingest::IngestError;
use crate::ingest::spectra::{
    DepthUnit, Grid, Object, Points, Quantity, Reading, Role, StarRadius, TaurexSpectrum, WavelengthUnit, check_roles,
    grid,
};

/// Objects that are looked at at once.
const AT_ONCE: usize = 1 << 10;

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
pub struct SpectrumArguments {
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
    #[arg(long, value_enum)]
    wavelength_unit: Option<WavelengthUnit>,
    /// Unit of depths and errors where files do not say it
    #[arg(long, value_enum)]
    depth_unit: Option<DepthUnit>,
    /// What depths are: (Rp/Rs)^2 or Rp/Rs
    #[arg(long, value_enum, default_value = "depth")]
    quantity: Quantity,
    /// Text: what each column is; 3 are wavelength, depth, error, and 4 have error-below, error-above
    #[arg(long, value_enum, value_delimiter = ',', value_name = "ROLE,..")]
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
    #[arg(long, value_name = "R_SUN|said", value_parser = star_radius, allow_negative_numbers = true)]
    star_radius: Option<StarRadius>,
    /// TauREx: which spectrum; an instrument's where there is one, else the binned, else the native one
    #[arg(long, value_enum)]
    taurex: Option<TaurexSpectrum>,
    /// Share of the spectra, those before the ones for the test, in the split `validation`, by which checkpoints are compared
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, allow_negative_numbers = true)]
    validation: f64,
    /// Share of the spectra, the last ones, in the split `test`, for the final figures; the rest is the split `train`
    #[arg(long, value_name = "SHARE", default_value_t = 1.0, allow_negative_numbers = true)]
    test: f64,
}

/// One input: the files of the same objects.
#[derive(Clone, Debug)]
struct Input {
    paths: Vec<PathBuf>,
    truth: Option<PathBuf>,
}

/// What one rank found in an input.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Found {
    objects: u64,
    /// Observed grid points of all objects.
    observed: u64,
    files: Vec<FoundFile>,
}

/// What it found in a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct FoundFile {
    file: String,
    format: String,
    bytes: u64,
    xxh3: String,
    points: u64,
    wavelength_unit: String,
    depth_unit: String,
    star_radius: Option<f64>,
    /// Grid points that lie inside a single point: their errors are the shares of one.
    repeated: u64,
}

/// How inputs become records.
struct Way<'a> {
    inputs: &'a [Input],
    reading: Reading,
    grid: Grid,
    coverage: f64,
}

/// Ingests this rank's shards of a dataset of spectra.
pub fn spectra(session: &Session, arguments: &SpectrumArguments) -> Result<Exit, CommandError> {
    let begun = Instant::now();
    session.agree(check(arguments))?;
    let out = OutputDataset::lock(session, &arguments.out)?; // looking at all files may take long
    let inputs = session.agree(inputs(arguments))?;
    let grid = session.agree(grid(&arguments.grid))?;
    let way = Way { inputs: &inputs, reading: reading(arguments), grid, coverage: arguments.coverage };
    let found = look(session, &way)?;
    tell_of_units(session, arguments, &found);

    let ends: Vec<u64> = found
        .iter()
        .scan(0, |end, input| {
            *end += input.objects;
            Some(*end)
        })
        .collect();
    let header = way.header(session, arguments, &found);
    let dataset = shards::write(session, &out, header, ["spectrum", "spectra"], |writer, shard, counter| {
        let mut opened = None;
        writer.write_blocks(shard, |records, rows| {
            way.fill(&ends, records.clone(), rows, &mut opened)?;
            counter.add(records.end - records.start);
            Ok::<(), IngestError>(())
        })
    })?;
    let (count, points) = (dataset.manifest().count, way.grid.wavelength_um.len() as u64);
    log::info!(
        "{count} spectra of {points} points, {:.1} % of them observed, from {} files in {:.1} s: {}, checksum {}",
        100.0 * found.iter().map(|input| input.observed).sum::<u64>() as f64 / (count * points) as f64,
        found.iter().map(|input| input.files.len()).sum::<usize>(),
        begun.elapsed().as_secs_f64(),
        arguments.out.display(),
        dataset.checksum()
    );
    Ok(Exit::Done)
}

/// What no file is needed for.
fn check(arguments: &SpectrumArguments) -> Result<(), IngestError> {
    let usage = |fault: String| Err(IngestError::Usage(fault));
    if !(arguments.coverage > 0.0 && arguments.coverage <= 1.0) {
        return usage(format!("--coverage is {}, expected a share of more than 0 and at most 1", arguments.coverage));
    }
    split::check_shares(arguments.validation, arguments.test, true).map_err(IngestError::Usage)?;
    if !(arguments.truth.is_empty() || arguments.truth.len() == arguments.inputs.len()) {
        let (found, wanted) = (arguments.truth.len(), arguments.inputs.len());
        return usage(format!("--truth is given {found} times, expected once for each input: {wanted}"));
    }
    if let Some(roles) = &arguments.columns {
        check_roles(roles, !arguments.no_errors).map_err(IngestError::Usage)?;
    }
    Ok(())
}

fn reading(arguments: &SpectrumArguments) -> Reading {
    Reading {
        wavelength: arguments.wavelength.clone(),
        width: arguments.width.clone(),
        depth: arguments.depth.clone(),
        error: arguments.error.clone(),
        columns: arguments.columns.clone(),
        wavelength_unit: arguments.wavelength_unit,
        depth_unit: arguments.depth_unit,
        quantity: arguments.quantity,
        errors: !arguments.no_errors,
        nan_is_masked: arguments.mask_nan,
        taurex: arguments.taurex,
        star_radius: arguments.star_radius.unwrap_or_default(),
    }
}

/// The files of each input: those joined by +, unless there is a file with that very name.
fn inputs(arguments: &SpectrumArguments) -> Result<Vec<Input>, IngestError> {
    let mut truth = arguments.truth.iter().cloned();
    let split = |path: &PathBuf| {
        let parts: Vec<PathBuf> = match path.to_str() {
            Some(text) if text.contains('+') && !path.exists() => text.split('+').map(PathBuf::from).collect(),
            _ => vec![path.clone()],
        };
        if parts.len() > 1 && arguments.no_errors {
            let fault = format!("{} joins spectra, expected errors to weight them by: no --no-errors", path.display());
            return Err(IngestError::Usage(fault));
        }
        if parts.iter().any(|part| part.as_os_str().is_empty()) {
            return Err(IngestError::Usage(format!("{}: expected a file on both sides of each +", path.display())));
        }
        Ok(Input { paths: parts, truth: truth.next() })
    };
    arguments.inputs.iter().map(split).collect()
}

/// Every input is looked through by one rank, before anything is written.
fn look(session: &Session, way: &Way) -> Result<Vec<Found>, CommandError> {
    let mine = || (session.rank()..way.inputs.len()).step_by(session.ranks());
    let paths: Vec<&Path> = mine().flat_map(|input| way.inputs[input].paths.iter().map(PathBuf::as_path)).collect();
    session.agree(stacks::survive(&paths, &stacks::Read::Spectra(Box::new(way.reading.clone()))))?;
    let counter = Counter::new(session, "input", "inputs", mine().len() as u64);
    let looked: Result<Vec<(usize, Found)>, IngestError> = mine()
        .collect::<Vec<usize>>()
        .into_par_iter()
        .map(|input| {
            let found = way.look(&way.inputs[input])?;
            counter.add(1);
            Ok((input, found))
        })
        .collect();
    drop(counter);
    let looked = session.agree(looked)?;
    Ok(in_order(session, &looked))
}

/// Where an option and a file differ in a unit, the file is right, which is said.
fn tell_of_units(session: &Session, arguments: &SpectrumArguments, found: &[Found]) {
    let said = |option: Option<&'static str>, of: &dyn Fn(&FoundFile) -> String, what: &str| {
        let Some(option) = option else { return };
        let files: Vec<&FoundFile> =
            found.iter().flat_map(|input| &input.files).filter(|file| of(file) != option).collect();
        if let Some(first) = files.first() {
            let (file, unit) = (&first.file, of(first));
            log::warn!("{} files give {what} in a unit of their own, {file} in {unit}: not in {option}", files.len());
        }
    };
    if session.rank() == 0 {
        said(arguments.wavelength_unit.map(WavelengthUnit::name), &|file| file.wavelength_unit.clone(), "wavelengths");
        said(arguments.depth_unit.map(DepthUnit::name), &|file| file.depth_unit.clone(), "depths");
    }
}

impl Way<'_> {
    fn open(&self, input: &Input) -> Result<Object, IngestError> {
        Object::open(&input.paths, input.truth.as_deref(), &self.reading, &self.grid, self.coverage)
    }

    /// Looks through all objects of an input.
    fn look(&self, input: &Input) -> Result<Found, IngestError> {
        let object = self.open(input)?;
        let mut checksums: Vec<String> = Vec::new();
        for path in &input.paths {
            let sum = checksum(path)?;
            if let Some(twice) = checksums.iter().position(|other| *other == sum) {
                let fault =
                    format!("holds the same bytes as {}, expected another instrument's", input.paths[twice].display());
                return Err(IngestError::Wrong { path: path.clone(), fault });
            }
            checksums.push(sum);
        }
        let mut observed = 0;
        for start in (0..object.count()).step_by(AT_ONCE) {
            let objects = start..(start + AT_ONCE).min(object.count());
            for (row, (points, _)) in object.read(objects.clone())?.iter().enumerate() {
                let here = points.depth.iter().filter(|depth| !depth.is_nan()).count();
                if !self.reading.errors && here < points.depth.len() {
                    let which =
                        if object.count() > 1 { format!("object {}: ", objects.start + row) } else { String::new() };
                    let fault = format!(
                        "{which}covers {here} of {} points of the grid, expected all with --no-errors, since there is no mask",
                        points.depth.len()
                    );
                    return Err(IngestError::Wrong { path: input.paths[0].clone(), fault });
                }
                observed += here as u64;
            }
        }
        let files =
            object.tables.iter().zip(&object.overlaps).zip(checksums).map(|((table, overlaps), xxh3)| FoundFile {
                file: file_name(&table.path),
                format: table.format.name().to_owned(),
                bytes: table.bytes,
                xxh3,
                points: table.wavelength_um.len() as u64,
                wavelength_unit: table.wavelength_unit.name().to_owned(),
                depth_unit: table.depth_unit.name().to_owned(),
                star_radius: table.star_radius,
                repeated: overlaps.repeated() as u64,
            });
        Ok(Found { objects: object.count() as u64, observed, files: files.collect() })
    }

    /// Fills the rows of `records`; `opened` keeps the input that was read last.
    fn fill(
        &self,
        ends: &[u64],
        records: Range<u64>,
        rows: &mut Rows,
        opened: &mut Option<(usize, Object)>,
    ) -> Result<(), IngestError> {
        let mut next = records.start;
        let (points, width) = (self.grid.wavelength_um.len(), labels().len());
        let record_len = if self.reading.errors { OBSERVED.len() * points } else { points };
        while next < records.end {
            let input = ends.partition_point(|end| *end <= next);
            if opened.as_ref().is_none_or(|(which, _)| *which != input) {
                *opened = None; // two at once would be twice the memory
                *opened = Some((input, self.open(&self.inputs[input])?));
            }
            let (_, object) = opened.as_ref().expect("it has just been opened");
            let first = ends[input] - object.count() as u64;
            let end = ends[input].min(records.end);
            for (row, (points, seven)) in
                object.read((next - first) as usize..(end - first) as usize)?.iter().enumerate()
            {
                let row = (next - records.start) as usize + row;
                put(points, &mut rows.values[0][row * record_len..(row + 1) * record_len]);
                rows.labels[row * width..(row + 1) * width].copy_from_slice(seven);
            }
            next = end;
        }
        Ok(())
    }

    fn header(&self, session: &Session, arguments: &SpectrumArguments, found: &[Found]) -> Header {
        let count: u64 = found.iter().map(|input| input.objects).sum();
        let channels = if self.reading.errors { OBSERVED.to_vec() } else { vec![Channel::Depth] };
        Header {
            count,
            modalities: vec![Modality::spectra(SpectralAxis {
                channels,
                wavelength_um: self.grid.wavelength_um.clone(),
            })],
            labels: labels(),
            splits: shards::splits(session, count, arguments.validation, arguments.test),
            source: self.source(arguments, found),
        }
    }

    /// How the dataset was made.
    fn source(&self, arguments: &SpectrumArguments, found: &[Found]) -> toml::Table {
        let mut source = toml::Table::new();
        let mut put = |key: &str, value: toml::Value| source.insert(key.to_owned(), value);
        put("made_by", "ingest spectra".into());
        put("grid", file_name(Path::new(&arguments.grid)).into());
        put("coverage", self.coverage.into());
        let quantity = match self.reading.quantity {
            Quantity::Depth => "depth",
            Quantity::RadiusRatio => "radius-ratio",
        };
        put("quantity", quantity.into());
        match self.reading.star_radius {
            StarRadius::Kept => {}
            StarRadius::Is(radius) => drop(put("star_radius", radius.into())),
            StarRadius::Said => drop(put("star_radius", "said".into())),
        }
        put("ids", "number of the spectrum in the order of the inputs".into());
        let mut first = 0;
        let mut files = Vec::new();
        for input in found {
            for file in &input.files {
                let mut about = toml::Table::try_from(file).expect("names and numbers are TOML");
                about.insert("first_id".into(), first.into());
                about.insert("spectra".into(), (input.objects as i64).into());
                files.push(toml::Value::from(about));
            }
            first += input.objects as i64;
        }
        put("inputs", files.into());
        source
    }
}

/// A record, `[channels, points]`: depth, or depth, errors and 1 where it was observed.
fn put(points: &Points, to: &mut [f32]) {
    let n = points.depth.len();
    for (at, depth) in points.depth.iter().enumerate().filter(|(_, depth)| !depth.is_nan()) {
        to[at] = *depth as f32;
        if let Some([below, above]) = points.errors.get(at) {
            to[n + at] = *below as f32;
            to[2 * n + at] = *above as f32;
            to[3 * n + at] = 1.0;
        }
    }
}

fn star_radius(text: &str) -> Result<StarRadius, String> {
    if text == "said" {
        return Ok(StarRadius::Said);
    }
    let radius = text.parse::<f64>().ok().filter(|radius| *radius > 0.0 && radius.is_finite());
    radius.map(StarRadius::Is).ok_or_else(|| "expected a positive number of solar radii, or said".into())
}
