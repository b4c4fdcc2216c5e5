//! `skyforge ingest maps`: square patches of other people's maps.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use rayon::prelude::*;

use super::super::counter::Counter;
use super::super::output_dataset::OutputDataset;
use super::super::session::Session;
use super::super::{CommandError, shards, stacks};
use super::{checksum, file_name, in_order};
use crate::data::{Field, Header, Modality, Splits, Transform, split};
use crate::exit::Exit;
use crate::ingest::gather::Sources;
use crate::ingest::patches::{Part, Way};
use crate::ingest::{
    Augment, Choice, Cut, Gatherer, IngestError, Input, MapScan, Moments, Named, Order, Outlier, Sky, Spread, Survey,
    scan,
};
use crate::one_line;

/// Maps to cut into patches.
#[derive(Clone, Debug)]
pub struct Request {
    pub inputs: Vec<PathBuf>,
    pub out: PathBuf,
    /// Pixels on a side of a patch.
    pub side: usize,
    /// Pixels from one patch to the next; `side` where it is not given.
    pub stride: Option<usize>,
    /// Shares of the sky in these splits.
    pub validation: f64,
    pub test: f64,
    pub augment: Augment,
    /// FITS: numbers or names of HDUs.
    pub hdu: Option<String>,
    /// HDF5: path of the dataset.
    pub dataset: Option<String>,
    pub pixel_arcmin: Option<f64>,
    /// Width of a whole input.
    pub side_deg: Option<f64>,
    pub unit: Option<String>,
    pub redshift: Option<f64>,
    pub cosmology: Vec<(String, f64)>,
    pub bad: BadPixels,
    /// Values of bad pixels.
    pub bad_values: Vec<f32>,
    /// Rows and columns to which maps are cropped or padded.
    pub size: Option<usize>,
    pub transform: TransformChoice,
}

/// What to do about patches with bad pixels.
#[derive(Clone, Copy, Debug)]
pub enum BadPixels {
    /// Leave the patch out.
    Skip,
    /// Give the pixels this value.
    Fill(f32),
}

/// A transform, or the kind of one that is fitted to the split for training.
#[derive(Clone, Copy, Debug)]
pub enum TransformChoice {
    Asinh,
    Linear,
    Given(Transform),
}

/// More than any map has rows.
const LARGEST_SIZE: usize = 1 << 20;

/// What one rank found in one map.
type Found = (u64, MapScan);

/// Ingests this rank's shards of a dataset of patches.
pub fn run(session: &Session, request: &Request) -> Result<Exit, CommandError> {
    let begun = Instant::now();
    let out = OutputDataset::lock(session, &request.out)?; // looking at all maps may take long
    let inputs = open(session, request)?;
    let stride = request.stride.unwrap_or(request.side);
    let Request { validation, test, .. } = *request;
    let cut = Cut { side: request.side, stride, validation, test, augment: request.augment };
    let shapes: Vec<[usize; 3]> = inputs.iter().map(Input::shape).collect();
    let survey = session.agree(Survey::new(cut, &shapes).map_err(|(input, fault)| match input {
        None => IngestError::Usage(fault),
        Some(input) => IngestError::Wrong { path: inputs[input].path.clone(), fault },
    }))?;
    let sky = session.agree(sky(request, &inputs))?;
    let (scans, checksums, spread) = look(session, &inputs, &survey)?;
    session.agree(no_file_twice(&inputs, &checksums))?;
    warn(request, &inputs, &spread);

    let fill = match request.bad {
        BadPixels::Skip => None,
        BadPixels::Fill(value) => Some(value),
    };
    let order = Order::new(&survey, &scans, fill.is_none());
    let about =
        About { request, inputs: &inputs, survey: &survey, scans: &scans, order: &order, checksums: &checksums };
    let header = session.agree(about.header(&sky))?;
    let sources = Sources { inputs: &inputs, survey: &survey, scans: &scans, order: &order, fill };
    let dataset = shards::write(session, &out, header, ["patch", "patches"], |writer, shard, counter| {
        let mut gatherer = Gatherer::new(sources);
        writer.write_blocks(shard, |records, rows| {
            let patches = rows.values[0].chunks_exact_mut(cut.side * cut.side);
            for ((record, patch), id) in records.clone().zip(patches).zip(&mut rows.ids) {
                *id = gatherer.record(record, patch)?;
            }
            counter.add(records.end - records.start);
            Ok::<(), IngestError>(())
        })
    })?;
    log::info!(
        "{} patches of {} px from {} maps in {:.1} s ({} train, {} validation, {} test, {} left out): {}, checksum {}",
        order.count(),
        cut.side,
        survey.maps(),
        begun.elapsed().as_secs_f64(),
        order.records(Part::Train).count(),
        order.records(Part::Validation).count(),
        order.records(Part::Test).count(),
        (0..inputs.len()).map(|input| about.tally(input)).map(|tally| tally.skipped + tally.dropped).sum::<u64>(),
        request.out.display(),
        dataset.checksum()
    );
    Ok(Exit::Done)
}

/// All inputs: each rank looks into some and tells the others, since opening thousands of files is work on a shared disk.
fn open(session: &Session, request: &Request) -> Result<Vec<Input>, CommandError> {
    let Request { hdu, dataset, size, bad_values, .. } = request.clone();
    if let Some(size) = size.filter(|size| !(request.side..=LARGEST_SIZE).contains(size)) {
        let wanted = format!("expected at least --side: {}, and at most {LARGEST_SIZE}", request.side);
        return session.agree(Err(IngestError::Usage(format!("--size is {size}, {wanted}"))));
    }
    let choice = Choice { hdu, dataset, size, bad_values };
    let mine = request.inputs.iter().enumerate().skip(session.rank()).step_by(session.ranks());
    let paths: Vec<&Path> = mine.clone().map(|(_, path)| path.as_path()).collect();
    session.agree(stacks::survive(&paths, &stacks::Read::Maps(request.dataset.clone())))?;
    let opened =
        mine.map(|(number, path)| Ok((number, Input::open(path, &choice)?))).collect::<Result<Vec<_>, IngestError>>();
    let opened = session.agree(opened)?;
    Ok(in_order(session, &opened))
}

/// Every map is looked through and every file's checksum taken, by one rank each.
fn look(
    session: &Session,
    inputs: &[Input],
    survey: &Survey,
) -> Result<(Vec<MapScan>, Vec<String>, Spread), CommandError> {
    let mine: Vec<u64> = (session.rank() as u64..survey.maps()).step_by(session.ranks()).collect();
    let counter = Counter::new(session, "map", "maps", mine.len() as u64);
    let spread = Mutex::new(Spread::default());
    let looked: Result<Vec<_>, IngestError> = mine
        .into_par_iter()
        .map(|map| {
            let (input, number) = survey.place_of(map);
            // With its first map, so that a small file comes from the disk once.
            let checksum = if number == 0 { Some((input, checksum(&inputs[input].path)?)) } else { None };
            let (found, spread_here) = scan(&mut inputs[input].reader()?, survey, map)?;
            spread.lock().unwrap_or_else(PoisonError::into_inner).add(&spread_here);
            counter.add(1);
            Ok((map, found, checksum))
        })
        .collect();
    drop(counter);
    let (mut scans, mut checksums): (Vec<Found>, Vec<(usize, String)>) = Default::default();
    for (map, found, checksum) in session.agree(looked)? {
        scans.push((map, found));
        checksums.extend(checksum);
    }
    let mine = spread.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut spread = Spread::default();
    for of_rank in in_order(session, &[(session.rank(), mine)]) {
        spread.add(&of_rank);
    }
    Ok((in_order(session, &scans), in_order(session, &checksums), spread))
}

/// Says what was read that a user may not expect.
fn warn(request: &Request, inputs: &[Input], spread: &Spread) {
    let images: usize = inputs.iter().map(|input| input.images().0).sum();
    if images > inputs.len() {
        log::info!("{images} images of {} files are maps (--hdu chooses among those of a file)", inputs.len());
    }
    let padded: usize = inputs.iter().map(|input| input.images().1).sum();
    if let (Some(size), BadPixels::Skip, true) = (request.size, request.bad, padded > 0) {
        log::warn!(
            "{padded} maps are padded to {size} x {size} px with bad pixels, and patches that hold any are left out: \
             --bad fill=VALUE keeps them"
        );
    }
    for Outlier { value, count, deviations, median } in spread.outliers() {
        let pixels = if count == 1 { "pixel is" } else { "pixels are" };
        log::warn!(
            "{count} {pixels} {}, {deviations:.0} median absolute deviations from the median of all pixels, {median:.4}: if this \
             stands for no value, give --bad-value {}",
            shown(value),
            shown(value)
        );
    }
}

/// A value in few digits, so that it is read back as it is.
fn shown(value: f32) -> String {
    if value == 0.0 || (1e-4..1e7).contains(&value.abs()) { value.to_string() } else { format!("{value:e}") }
}

/// The same sky twice would be in both splits.
fn no_file_twice(inputs: &[Input], checksums: &[String]) -> Result<(), IngestError> {
    let mut seen = BTreeMap::new();
    for (input, checksum) in inputs.iter().zip(checksums) {
        if let Some(first) = seen.insert((checksum, input.bytes), input) {
            let fault = format!("holds the same bytes as {}, expected each file once", first.path.display());
            return Err(IngestError::Wrong { path: input.path.clone(), fault });
        }
    }
    Ok(())
}

/// What is known of the sky: what the user says or, where that is nothing, what all files say alike.
fn sky(request: &Request, inputs: &[Input]) -> Result<Sky, IngestError> {
    for (name, value) in
        [("--pixel-arcmin", request.pixel_arcmin), ("--side-deg", request.side_deg), ("--redshift", request.redshift)]
    {
        if let Some(value) = value.filter(|value| !(*value > 0.0 && value.is_finite())) {
            return Err(IngestError::Usage(format!("{name} is {value}, expected a positive number")));
        }
    }
    let mut pixel_arcmin = request.pixel_arcmin;
    for input in inputs {
        let said = match request.side_deg {
            Some(side) => Some(side * 60.0 / input.shape()[2] as f64),
            None if request.pixel_arcmin.is_some() => break,
            None => {
                if let Some(fault) = input.sky.pixel_fault.clone() {
                    return Err(IngestError::Wrong { path: input.path.clone(), fault });
                }
                input.sky.pixel_arcmin
            }
        };
        match (pixel_arcmin, said) {
            (Some(pixel), Some(here)) if (here / pixel - 1.0).abs() > 1e-3 => {
                let fault = format!("has pixels of {here} arcmin, expected {pixel} as the maps before it have");
                return Err(IngestError::Wrong { path: input.path.clone(), fault });
            }
            _ => pixel_arcmin = pixel_arcmin.or(said),
        }
    }
    let first = inputs.first().map(|input| input.sky.clone()).unwrap_or_default();
    let alike = |same: &dyn Fn(&Sky) -> bool| inputs.iter().all(|input| same(&input.sky));
    let mut cosmology =
        if alike(&|sky| sky.cosmology == first.cosmology) { first.cosmology.clone() } else { BTreeMap::new() };
    cosmology.extend(request.cosmology.iter().cloned());
    let redshift = first.redshift.filter(|_| alike(&|sky| sky.redshift == first.redshift));
    for input in inputs.iter().filter(|_| request.unit.is_none()) {
        if let Some(fault) = input.sky.unit_fault.clone() {
            return Err(IngestError::Wrong { path: input.path.clone(), fault });
        }
    }
    if let Some(other) = inputs.iter().find(|input| request.unit.is_none() && input.sky.unit != first.unit) {
        let unit = |sky: &Sky| sky.unit.clone().unwrap_or_else(|| "nothing".into());
        let fault =
            format!("BUNIT is {}, expected {} as in the files before it, or --unit", unit(&other.sky), unit(&first));
        return Err(IngestError::Wrong { path: other.path.clone(), fault });
    }
    Ok(Sky {
        unit: request.unit.clone().or(first.unit),
        pixel_arcmin,
        redshift: request.redshift.or(redshift),
        cosmology,
        unit_fault: None,
        pixel_fault: None,
    })
}

/// How many patches an input gave.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    /// In one of the splits.
    patches: u64,
    /// Not, for their bad pixels.
    skipped: u64,
    /// Not, for lying across the border between the splits.
    dropped: u64,
    /// In all its maps.
    bad_pixels: u64,
}

/// All that a manifest tells of.
struct About<'a> {
    request: &'a Request,
    inputs: &'a [Input],
    survey: &'a Survey,
    scans: &'a [MapScan],
    order: &'a Order,
    checksums: &'a [String],
}

impl About<'_> {
    fn tally(&self, input: usize) -> Tally {
        let grid = &self.survey.grids[input];
        let mut tally = Tally::default();
        for map in grid.first_map..grid.first_map + grid.maps as u64 {
            let scan = &self.scans[map as usize];
            let in_splits: Vec<_> = Part::ALL.map(|part| self.survey.rows_for(part, map)).into();
            let all: usize = in_splits.iter().map(|rows| rows.len() * grid.columns).sum();
            let is_used = |patch: &&u32| in_splits.iter().any(|rows| rows.contains(&(**patch as usize / grid.columns)));
            let bad = match self.request.bad {
                BadPixels::Skip => scan.bad_patches.iter().filter(is_used).count(),
                BadPixels::Fill(_) => 0,
            };
            tally.patches += (all - bad) as u64;
            tally.skipped += bad as u64;
            tally.dropped += (grid.rows * grid.columns - all) as u64;
            tally.bad_pixels += scan.bad_pixels;
        }
        tally
    }

    fn header(&self, sky: &Sky) -> Result<Header, IngestError> {
        let side = self.survey.cut.side;
        let splits: Splits = Part::ALL
            .into_iter()
            .map(|part| (part.name().to_owned(), self.order.records(part)))
            .filter(|(_, records)| !records.is_empty())
            .map(|(name, records)| (name, records.into()))
            .collect();
        let Request { validation, test, .. } = *self.request;
        for (name, share) in [(split::VALIDATION, validation), (split::TEST, test)] {
            if share > 0.0 && !splits.contains_key(name) {
                let fault = format!(
                    "leaves no patch for the split `{name}`, all of which have bad pixels: expected --bad fill=VALUE, other maps, or \
                     --{name} 0"
                );
                return Err(IngestError::Wrong { path: self.inputs[0].path.clone(), fault });
            }
        }
        // In the order of the maps, whichever ranks looked at them.
        let moments = self.scans.iter().filter_map(|scan| scan.moments).reduce(|all, map| all.and(&map));
        let Some(moments) = moments.filter(|_| splits.contains_key(split::TRAIN)) else {
            let bad = self.scans.iter().map(|scan| scan.bad_pixels).sum::<u64>();
            let fault = format!(
                "leaves no patch to train on, with {bad} bad pixels in all inputs: expected --bad fill=VALUE or other maps"
            );
            return Err(IngestError::Wrong { path: self.inputs[0].path.clone(), fault });
        };
        let transform = match self.request.transform {
            TransformChoice::Asinh => moments.asinh(),
            TransformChoice::Linear => moments.linear(),
            TransformChoice::Given(transform) => transform,
        };
        let field = sky.pixel_arcmin.map(|pixel| Field { side_deg: pixel * side as f64 / 60.0, pixel_arcmin: pixel });
        let unit = sky.unit.as_deref().unwrap_or("1");
        Ok(Header {
            count: self.order.count(),
            modalities: vec![Modality::maps([1, side, side], unit, transform, field)],
            labels: Vec::new(),
            splits,
            source: self.source(sky, &moments),
        })
    }

    /// How the dataset was made.
    fn source(&self, sky: &Sky, moments: &Moments) -> toml::Table {
        let Cut { side, stride, validation, test, augment } = self.survey.cut;
        let mut source = toml::Table::new();
        let mut put = |key: &str, value: toml::Value| source.insert(key.to_owned(), value);
        put("made_by", "ingest maps".into());
        put("side", (side as i64).into());
        put("stride", (stride as i64).into());
        put("validation", validation.into());
        put("test", test.into());
        let split_by = match self.survey.way {
            Way::Undivided => "nothing",
            Way::Maps(_) => "whole maps",
            Way::Strips => "rows of each map",
        };
        put("split_by", split_by.into());
        put("augment", augment.name().into());
        put(
            "ids",
            "first_id + ((map * rows + row) * columns + column) * versions + version; the patch begins at pixel (row * stride, \
             column * stride); version: bit 0 mirrors columns, bit 1 rows, then bit 2 transposes"
                .into(),
        );
        put("versions", (augment.versions() as i64).into());
        put(
            "bad",
            match self.request.bad {
                BadPixels::Skip => "skip".into(),
                BadPixels::Fill(value) => format!("fill={value}").into(),
            },
        );
        if !self.request.bad_values.is_empty() {
            let values = self.request.bad_values.iter().map(|value| f64::from(*value));
            put("bad_values", values.collect::<Vec<_>>().into());
        }
        if let Some(size) = self.request.size {
            put("size", (size as i64).into());
        }
        put("train_mean", moments.mean.into());
        put("train_deviation", moments.deviation().into());
        put("train_least", f64::from(moments.least).into());
        put("train_greatest", f64::from(moments.greatest).into());
        if let Some(redshift) = sky.redshift {
            put("source_redshift", redshift.into());
        }
        if !sky.cosmology.is_empty() {
            put("cosmology", table(&sky.cosmology).into());
        }
        put("inputs", (0..self.inputs.len()).map(|input| self.about_input(input, sky)).collect::<Vec<_>>().into());
        source
    }

    fn about_input(&self, number: usize, sky: &Sky) -> toml::Value {
        let (input, grid, tally) = (&self.inputs[number], &self.survey.grids[number], self.tally(number));
        let mut about = toml::Table::new();
        let mut put = |key: &str, value: toml::Value| about.insert(key.to_owned(), value);
        put("file", file_name(&input.path).into());
        put("bytes", (input.bytes as i64).into());
        put("xxh3", self.checksums[number].clone().into());
        put("shape", input.shape().map(|length| length as i64).to_vec().into());
        for (key, count) in [
            ("first_id", grid.first_id),
            ("rows", grid.rows as u64),
            ("columns", grid.columns as u64),
            ("patches", tally.patches),
            ("skipped", tally.skipped),
            ("across_the_border", tally.dropped),
            ("bad_pixels", tally.bad_pixels),
        ] {
            put(key, (count as i64).into());
        }
        // What holds for all files stands above.
        if let Some(redshift) = input.sky.redshift.filter(|redshift| sky.redshift != Some(*redshift)) {
            put("source_redshift", redshift.into());
        }
        let own: BTreeMap<_, _> =
            input.sky.cosmology.iter().filter(|(name, value)| sky.cosmology.get(*name) != Some(value)).collect();
        if !own.is_empty() {
            put("cosmology", table(own).into());
        }
        about.into()
    }
}

fn table<'a>(values: impl IntoIterator<Item = (&'a String, &'a f64)>) -> toml::Table {
    values.into_iter().map(|(name, value)| (name.clone(), (*value).into())).collect()
}

impl FromStr for BadPixels {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let value = match text.split_once('=') {
            None if text == "skip" => return Ok(Self::Skip),
            Some(("fill", value)) => value.parse::<f32>().ok().filter(|value| value.is_finite()),
            _ => None,
        };
        value.map(Self::Fill).ok_or_else(|| "expected skip, or fill=VALUE as in fill=0".into())
    }
}

impl FromStr for TransformChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let transform = match text {
            "asinh" => return Ok(Self::Asinh),
            "linear" => return Ok(Self::Linear),
            "identity" => Transform::Identity {},
            _ => {
                let table = format!("transform = {text}")
                    .parse::<toml::Table>()
                    .ok()
                    .and_then(|mut table| table.remove("transform"));
                let table = table
                    .filter(toml::Value::is_table)
                    .ok_or("expected asinh, linear, identity, or a table with `kind`")?;
                table.try_into().map_err(|error| one_line::message(&error))?
            }
        };
        transform.validate().map(|()| Self::Given(transform))
    }
}
