//! `skyforge ingest spectra`: other people's spectra on one grid.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Instant;

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
use crate::files;
use crate::ingest::spectra::{
    DepthUnit, Grid, Object, Points, Reading, Recipe, StarRadius, Table, WavelengthUnit, check_names, check_roles, grid,
};
use crate::ingest::{IngestError, Named};

/// Objects that are looked at at once.
const AT_ONCE: usize = 1 << 10;

/// Spectra to bring onto one grid.
#[derive(Clone, Debug)]
pub struct Request {
    /// Files, or files of one object joined by +.
    pub inputs: Vec<PathBuf>,
    pub out: PathBuf,
    /// Name of a grid, or a file with a column of micrometres.
    pub grid: String,
    /// How files are to be read, as options say it.
    pub recipe: Recipe,
    /// A file that says the rest.
    pub recipe_file: Option<PathBuf>,
    /// A new file for both.
    pub write_recipe: Option<PathBuf>,
    /// Share of a grid bin that must be observed.
    pub coverage: f64,
    /// Parameter file of each input, in their order; none where those beside the inputs are read.
    pub truth: Vec<PathBuf>,
    /// Shares of the spectra in these splits.
    pub validation: f64,
    pub test: f64,
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
    /// Files, and what of them was not understood or not used.
    notes: Vec<(String, String)>,
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
pub fn run(session: &Session, request: &Request) -> Result<Exit, CommandError> {
    let begun = Instant::now();
    let recipe = session.agree(recipe(request))?;
    let reading = session.agree(recipe.clone().reading().map_err(IngestError::Usage))?;
    session.agree(check(request, &reading))?;
    let out = OutputDataset::lock(session, &request.out)?; // looking at all files may take long
    let inputs = session.agree(inputs(request, &reading))?;
    let grid = session.agree(grid(&request.grid))?;
    let way = Way { inputs: &inputs, reading, grid, coverage: request.coverage };
    let found = look(session, &way)?;
    tell_of_units(session, &way.reading, &found);
    tell_of_notes(session, &found);

    let ends: Vec<u64> = found
        .iter()
        .scan(0, |end, input| {
            *end += input.objects;
            Some(*end)
        })
        .collect();
    let header = way.header(session, request, &found);
    let dataset = shards::write(session, &out, header, ["spectrum", "spectra"], |writer, shard, counter| {
        let mut opened = None;
        writer.write_blocks(shard, |records, rows| {
            way.fill(&ends, records.clone(), rows, &mut opened)?;
            counter.add(records.end - records.start);
            Ok::<(), IngestError>(())
        })
    })?;
    if let Some(path) = &request.write_recipe {
        let written = if session.rank() == 0 { files::write_whole(path, recipe.text().as_bytes()) } else { Ok(()) };
        session.agree(written.map_err(IngestError::file(path)))?;
    }
    let (count, points) = (dataset.manifest().count, way.grid.wavelength_um.len() as u64);
    log::info!(
        "{count} spectra of {points} points, {:.1} % of them observed, from {} files in {:.1} s: {}, checksum {}",
        100.0 * found.iter().map(|input| input.observed).sum::<u64>() as f64 / (count * points) as f64,
        found.iter().map(|input| input.files.len()).sum::<usize>(),
        begun.elapsed().as_secs_f64(),
        request.out.display(),
        dataset.checksum()
    );
    Ok(Exit::Done)
}

/// How files are to be read: what options say comes before what the recipe says.
fn recipe(request: &Request) -> Result<Recipe, IngestError> {
    let below = request.recipe_file.as_deref().map(Recipe::read).transpose()?.unwrap_or_default();
    Ok(request.recipe.clone().over(below))
}

/// What no file of spectra is needed for.
fn check(request: &Request, reading: &Reading) -> Result<(), IngestError> {
    let usage = |fault: String| Err(IngestError::Usage(fault));
    if !(request.coverage > 0.0 && request.coverage <= 1.0) {
        return usage(format!("--coverage is {}, expected a share of more than 0 and at most 1", request.coverage));
    }
    split::check_shares(request.validation, request.test, true).map_err(IngestError::Usage)?;
    if !(request.truth.is_empty() || request.truth.len() == request.inputs.len()) {
        let (found, wanted) = (request.truth.len(), request.inputs.len());
        return usage(format!("--truth is given {found} times, expected once for each input: {wanted}"));
    }
    if let Some(roles) = &reading.columns {
        check_roles(roles, reading.errors).map_err(IngestError::Usage)?;
    }
    check_names(&reading.named).map_err(IngestError::Usage)?;
    if let Some(path) = request.write_recipe.as_deref().filter(|path| path.exists()) {
        return usage(format!("--write-recipe is {}, which is there, expected a new file", path.display()));
    }
    Ok(())
}

/// The files of each input: those joined by +, unless there is a file with that very name.
fn inputs(request: &Request, reading: &Reading) -> Result<Vec<Input>, IngestError> {
    let mut truth = request.truth.iter().cloned();
    let split = |path: &PathBuf| {
        let parts: Vec<PathBuf> = match path.to_str() {
            Some(text) if text.contains('+') && !path.exists() => text.split('+').map(PathBuf::from).collect(),
            _ => vec![path.clone()],
        };
        if parts.len() > 1 && !reading.errors {
            let fault = format!("{} joins spectra, expected errors to weight them by: no --no-errors", path.display());
            return Err(IngestError::Usage(fault));
        }
        if parts.iter().any(|part| part.as_os_str().is_empty()) {
            return Err(IngestError::Usage(format!("{}: expected a file on both sides of each +", path.display())));
        }
        Ok(Input { paths: parts, truth: truth.next() })
    };
    request.inputs.iter().map(split).collect()
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
fn tell_of_units(session: &Session, reading: &Reading, found: &[Found]) {
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
        said(reading.wavelength_unit.map(WavelengthUnit::name), &|file| file.wavelength_unit.clone(), "wavelengths");
        said(reading.depth_unit.map(DepthUnit::name), &|file| file.depth_unit.clone(), "depths");
    }
}

/// What of the files was not understood or not used: a line for each note, with the files that it is about.
fn tell_of_notes(session: &Session, found: &[Found]) {
    let mut notes: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (file, note) in found.iter().flat_map(|input| &input.notes) {
        notes.entry(note).or_default().push(file);
    }
    if session.rank() == 0 {
        for (note, files) in notes {
            let others = if files.len() > 1 { format!(" and {} other files", files.len() - 1) } else { String::new() };
            log::warn!("{}{others}: {note}", files[0]);
        }
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
        let notes = |table: &Table| {
            let file = file_name(&table.path);
            table.notes.iter().map(|note| (file.clone(), note.clone())).collect::<Vec<_>>()
        };
        let notes = object.tables.iter().flat_map(notes).collect();
        Ok(Found { objects: object.count() as u64, observed, files: files.collect(), notes })
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

    fn header(&self, session: &Session, request: &Request, found: &[Found]) -> Header {
        let count: u64 = found.iter().map(|input| input.objects).sum();
        let channels = if self.reading.errors { OBSERVED.to_vec() } else { vec![Channel::Depth] };
        Header {
            count,
            modalities: vec![Modality::spectra(SpectralAxis {
                channels,
                wavelength_um: self.grid.wavelength_um.clone(),
            })],
            labels: labels(),
            splits: shards::splits(session, count, request.validation, request.test),
            source: self.source(request, found),
        }
    }

    /// How the dataset was made.
    fn source(&self, request: &Request, found: &[Found]) -> toml::Table {
        let mut source = toml::Table::new();
        let mut put = |key: &str, value: toml::Value| source.insert(key.to_owned(), value);
        put("made_by", "ingest spectra".into());
        put("grid", file_name(Path::new(&request.grid)).into());
        put("coverage", self.coverage.into());
        put("quantity", self.reading.quantity.name().into());
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
