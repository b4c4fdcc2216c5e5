//! `skyforge ingest maps`: square patches of other people's maps.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
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
use crate::ingest::{Augment, Choice, Cut, Gatherer, IngestError, Input, MapScan, Moments, Order, Sky, Survey, scan};
use crate::one_line;

/// Square patches of maps: FITS images, HDF5 and NPY stacks [n, h, w].
///
/// Values stay in physical units. The same inputs, in the same order, give the same bytes on disk on any number of ranks.
/// Shares of the sky are held back as the splits `validation` and `test`: whole maps (inputs are taken to be different pieces of the
/// sky) or, where neither share is one map, the last rows of each. Records are mixed, since neighbours in the sky are alike.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  mpirun -n 2 skyforge ingest maps kappa_*.fits --out data/kappa --stride 32 --augment dihedral --redshift 1 \\
      --cosmology omega_m=0.26,sigma_8=0.8")]
pub struct MapArguments {
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
    #[arg(long, value_enum, default_value_t)]
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
    #[arg(long, default_value = "skip", value_name = "skip|fill=VALUE", value_parser = bad, allow_hyphen_values = true)]
    bad: Bad,
    /// Default transform for training: asinh or linear, fitted to what trains, identity, or a table such as
    /// '{ kind = "log", shift = 0.04, scale = 0.6, offset = 2.1 }'
    #[arg(long, default_value = "asinh", value_parser = wanted)]
    transform: Wanted,
}

/// What to do about bad pixels.
#[derive(Clone, Copy, Debug)]
enum Bad {
    Skip,
    Fill(f32),
}

/// A transform, or how to find one.
#[derive(Clone, Copy, Debug)]
enum Wanted {
    Asinh,
    Linear,
    This(Transform),
}

/// What one rank found in one map.
type Found = (u64, MapScan);

/// Ingests this rank's shards of a dataset of patches.
pub fn maps(session: &Session, arguments: &MapArguments) -> Result<Exit, CommandError> {
    let begun = Instant::now();
    let out = OutputDataset::lock(session, &arguments.out)?; // looking at all maps may take long
    let inputs = open(session, arguments)?;
    let stride = arguments.stride.unwrap_or(arguments.side);
    let MapArguments { validation, test, .. } = *arguments;
    let cut = Cut { side: arguments.side, stride, validation, test, augment: arguments.augment };
    let shapes: Vec<[usize; 3]> = inputs.iter().map(Input::shape).collect();
    let survey = session.agree(Survey::new(cut, &shapes).map_err(|(input, fault)| match input {
        None => IngestError::Usage(fault),
        Some(input) => IngestError::Wrong { path: inputs[input].path.clone(), fault },
    }))?;
    let sky = session.agree(sky(arguments, &inputs))?;
    let (scans, checksums) = look(session, &inputs, &survey)?;
    session.agree(no_file_twice(&inputs, &checksums))?;

    let fill = match arguments.bad {
        Bad::Skip => None,
        Bad::Fill(value) => Some(value),
    };
    let order = Order::new(&survey, &scans, fill.is_none());
    let about =
        About { arguments, inputs: &inputs, survey: &survey, scans: &scans, order: &order, checksums: &checksums };
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
        arguments.out.display(),
        dataset.checksum()
    );
    Ok(Exit::Done)
}

/// All inputs: each rank looks into some and tells the others, since opening thousands of files is work on a shared disk.
fn open(session: &Session, arguments: &MapArguments) -> Result<Vec<Input>, CommandError> {
    let choice = Choice { hdu: arguments.hdu.clone(), dataset: arguments.dataset.clone() };
    let mine = arguments.inputs.iter().enumerate().skip(session.rank()).step_by(session.ranks());
    let paths: Vec<&Path> = mine.clone().map(|(_, path)| path.as_path()).collect();
    session.agree(stacks::survive(&paths, &stacks::Read::Maps(arguments.dataset.clone())))?;
    let opened =
        mine.map(|(number, path)| Ok((number, Input::open(path, &choice)?))).collect::<Result<Vec<_>, IngestError>>();
    let opened = session.agree(opened)?;
    Ok(in_order(session, &opened))
}

/// Every map is looked through and every file's checksum taken, by one rank each.
fn look(session: &Session, inputs: &[Input], survey: &Survey) -> Result<(Vec<MapScan>, Vec<String>), CommandError> {
    let mine: Vec<u64> = (session.rank() as u64..survey.maps()).step_by(session.ranks()).collect();
    let counter = Counter::new(session, "map", "maps", mine.len() as u64);
    let looked: Result<Vec<_>, IngestError> = mine
        .into_par_iter()
        .map(|map| {
            let (input, number) = survey.place_of(map);
            // With its first map, so that a small file comes from the disk once.
            let checksum = if number == 0 { Some((input, checksum(&inputs[input].path)?)) } else { None };
            let found = scan(&mut inputs[input].reader()?, survey, map)?;
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
    Ok((in_order(session, &scans), in_order(session, &checksums)))
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
fn sky(arguments: &MapArguments, inputs: &[Input]) -> Result<Sky, IngestError> {
    for (name, value) in [
        ("--pixel-arcmin", arguments.pixel_arcmin),
        ("--side-deg", arguments.side_deg),
        ("--redshift", arguments.redshift),
    ] {
        if let Some(value) = value.filter(|value| !(*value > 0.0 && value.is_finite())) {
            return Err(IngestError::Usage(format!("{name} is {value}, expected a positive number")));
        }
    }
    let mut pixel_arcmin = arguments.pixel_arcmin;
    for input in inputs {
        let said = match arguments.side_deg {
            Some(side) => Some(side * 60.0 / input.shape()[2] as f64),
            None if arguments.pixel_arcmin.is_some() => break,
            None => input.sky.pixel_arcmin,
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
    cosmology.extend(arguments.cosmology.iter().cloned());
    let redshift = first.redshift.filter(|_| alike(&|sky| sky.redshift == first.redshift));
    if let Some(other) = inputs.iter().find(|input| arguments.unit.is_none() && input.sky.unit != first.unit) {
        let unit = |sky: &Sky| sky.unit.clone().unwrap_or_else(|| "nothing".into());
        let fault =
            format!("BUNIT is {}, expected {} as in the files before it, or --unit", unit(&other.sky), unit(&first));
        return Err(IngestError::Wrong { path: other.path.clone(), fault });
    }
    Ok(Sky {
        unit: arguments.unit.clone().or(first.unit),
        pixel_arcmin,
        redshift: arguments.redshift.or(redshift),
        cosmology,
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
    arguments: &'a MapArguments,
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
            let bad = match self.arguments.bad {
                Bad::Skip => scan.bad_patches.iter().filter(is_used).count(),
                Bad::Fill(_) => 0,
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
        let MapArguments { validation, test, .. } = *self.arguments;
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
        let transform = match self.arguments.transform {
            Wanted::Asinh => moments.asinh(),
            Wanted::Linear => moments.linear(),
            Wanted::This(transform) => transform,
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
            match self.arguments.bad {
                Bad::Skip => "skip".into(),
                Bad::Fill(value) => format!("fill={value}").into(),
            },
        );
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

fn parameter(text: &str) -> Result<(String, f64), String> {
    let wanted = "expected KEY=VALUE, as in omega_m=0.26";
    let (key, value) = text.split_once('=').ok_or(wanted)?;
    let value = value.trim().parse::<f64>().ok().filter(|value| value.is_finite()).ok_or(wanted)?;
    Ok((key.trim().to_owned(), value))
}

fn bad(text: &str) -> Result<Bad, String> {
    let value = match text.split_once('=') {
        None if text == "skip" => return Ok(Bad::Skip),
        Some(("fill", value)) => value.parse::<f32>().ok().filter(|value| value.is_finite()),
        _ => None,
    };
    value.map(Bad::Fill).ok_or_else(|| "expected skip, or fill=VALUE as in fill=0".into())
}

fn wanted(text: &str) -> Result<Wanted, String> {
    let transform = match text {
        "asinh" => return Ok(Wanted::Asinh),
        "linear" => return Ok(Wanted::Linear),
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
    transform.validate().map(|()| Wanted::This(transform))
}
