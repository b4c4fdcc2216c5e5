//! A dataset: every block checked, values of some or all.

use std::path::Path;

use rayon::prelude::*;
use serde_json::{Map, Value, json};

use super::range::Range;
use super::{DRAWN, Found};
use crate::command::CommandError;
use crate::data::aspa::{Aspa, AspaSettings};
use crate::data::{Block, DataError, Dataset, Manifest, Parameter, SpectralAxis, atmosphere};
use crate::report::ExampleMaps;

/// Blocks, about 1 MiB each, whose values are looked at where not all are asked for.
const SAMPLE: u64 = 64;

/// What the blocks of a dataset or shard hold.
#[derive(Default)]
pub(super) struct Seen {
    pub damaged: Vec<String>,
    pub values: Range,
    pub parameters: Vec<Range>,
    /// Blocks whose values were looked at.
    pub sampled: u64,
}

/// Reads `blocks` blocks, each checked, and takes the ranges of some of them or of all.
pub(super) fn see(
    blocks: u64,
    all: bool,
    shape: &[usize],
    parameters: usize,
    read: impl Fn(u64, &mut Block) -> Result<(), DataError> + Sync,
) -> Result<Seen, DataError> {
    let stride = if all { 1 } else { blocks.div_ceil(SAMPLE).max(1) };
    let look = |block: &mut Block, index: u64| {
        let fault = read(index, block).err();
        // The values of a block that is as it was written are its own, finite or not.
        let readable = matches!(fault, None | Some(DataError::NotFinite { .. }));
        let ranges = (readable && index.is_multiple_of(stride)).then(|| ranges(block, shape, parameters));
        (fault, ranges)
    };
    let looks: Vec<_> = (0..blocks as usize)
        .into_par_iter()
        .map_init(Block::default, |block, index| look(block, index as u64))
        .collect();
    let mut seen = Seen { parameters: vec![Range::default(); parameters], ..Seen::default() };
    for (fault, ranges) in looks {
        match fault {
            None => {}
            Some(error @ DataError::File { .. }) => return Err(error),
            Some(error) => seen.damaged.push(error.to_string()),
        }
        if let Some((values, columns)) = ranges {
            seen.sampled += 1;
            seen.values.add(&values);
            seen.parameters.iter_mut().zip(&columns).for_each(|(all, column)| all.add(column));
        }
    }
    seen.damaged.dedup(); // a shard that is another one says so for each of its blocks
    Ok(seen)
}

fn ranges(block: &Block, shape: &[usize], parameters: usize) -> (Range, Vec<Range>) {
    let records = block.records();
    let mut map = vec![0.0; shape.iter().product()];
    let (mut values, mut columns) = (Range::default(), vec![Range::default(); parameters]);
    for row in 0..(records.end - records.start) as usize {
        block.copy_row(row, &mut map);
        values.extend(map.iter().copied());
        for (column, value) in columns.iter_mut().zip(block.parameters(row)) {
            column.extend([value]);
        }
    }
    (values, columns)
}

/// The first channel of the first maps in a block, where maps are square.
pub(super) fn first_maps(block: &Block, shape: &[usize]) -> Option<ExampleMaps> {
    let [_, side, width] = *shape else { return None };
    if side != width || side == 0 {
        return None;
    }
    let records = block.records();
    let mut map = vec![0.0; shape.iter().product()];
    let mut pixels = Vec::new();
    for row in 0..(records.end - records.start).min(DRAWN) as usize {
        block.copy_row(row, &mut map);
        pixels.extend_from_slice(&map[..side * side]);
    }
    Some(ExampleMaps { pixels, side })
}

/// The first spectra in a block as the images that a network sees, of ExoGAN's codec for their own range of depths; none where they have
/// no parameters, or cannot be encoded.
fn first_images(block: &Block, axis: &SpectralAxis, manifest: &Manifest) -> Option<ExampleMaps> {
    if manifest.parameters != atmosphere::parameters() {
        return None;
    }
    let records = block.records();
    let rows = (records.end - records.start).min(DRAWN) as usize;
    let mut spectra = vec![0.0; rows * manifest.record_len()];
    for (row, spectrum) in spectra.chunks_exact_mut(manifest.record_len()).enumerate() {
        block.copy_row(row, spectrum);
    }
    let points = axis.wavelength_um.len();
    let depths = spectra.chunks_exact(manifest.record_len()).flat_map(|spectrum| &spectrum[..points]);
    let seen = depths.filter(|depth| **depth > 0.0); // 0 where nothing was observed
    let (least, most) = seen.fold((f32::INFINITY, 0.0_f32), |(low, high), depth| (low.min(*depth), high.max(*depth)));
    let settings = AspaSettings {
        depth_min: 0.999 * f64::from(least),
        depth_max: 1.001 * f64::from(most),
        ..AspaSettings::default()
    };
    let codec = Aspa::new(settings, &axis.wavelength_um).ok()?;
    let side = codec.side();
    let mut pixels = Vec::new();
    for (row, spectrum) in spectra.chunks_exact(manifest.record_len()).enumerate() {
        let parameters: Vec<f32> = block.parameters(row).collect();
        let mut image = vec![f32::NAN; side * side]; // left blank where nothing is known
        if axis.is_observed() {
            let mut known = vec![0.0; side * side];
            codec.encode_observed(spectrum, &parameters, &mut image, &mut known).ok()?;
            for (pixel, known) in image.iter_mut().zip(known) {
                *pixel = if known > 0.0 { *pixel } else { f32::NAN };
            }
        } else {
            codec.encode(&spectrum[..points], &parameters, &mut image).ok()?;
        }
        pixels.extend(image);
    }
    Some(ExampleMaps { pixels, side })
}

/// The ranges of parameters with their names; "unknown" is the share of those that are not known.
pub(super) fn tell_parameters(names: &[Parameter], ranges: &[Range]) -> Value {
    let row = |(parameter, range): (&Parameter, &Range)| {
        let mut told = range.tell();
        let unknown = told["not_finite_share"].take();
        json!({
            "name": parameter.name, "unit": parameter.unit, "min": told["min"], "max": told["max"],
            "mean": told["mean"], "unknown_share": unknown,
        })
    };
    names.iter().zip(ranges).map(row).collect()
}

/// Looks at all of it.
pub(super) fn look(path: &Path, all: bool) -> Result<Found, CommandError> {
    let dataset = Dataset::open(path)?;
    let manifest = dataset.manifest();
    let blocks = dataset.blocks().number();
    let read = |index: u64, block: &mut Block| dataset.read_block_into(index, block);
    let seen = see(blocks, all, &manifest.shape, manifest.parameters.len(), read)?;
    let splits: Map<String, Value> =
        manifest.splits.iter().map(|(name, split)| (name.clone(), split.records().into())).collect();
    let mut told = json!({
        "what": "dataset", "whole": true, "kind": manifest.kind.name(), "count": manifest.count,
        "shape": manifest.shape, "unit": manifest.unit, "shards": manifest.shards.len(),
        "bytes": manifest.shards.iter().map(|shard| shard.bytes).sum::<u64>(), "splits": splits,
        "checksum": dataset.checksum(), "blocks": blocks, "blocks_in_range": seen.sampled,
        "range": seen.values.tell(), "parameters": tell_parameters(&manifest.parameters, &seen.parameters),
        "source": manifest.source,
    });
    if let Some(axis) = &manifest.axis {
        let um = &axis.wavelength_um;
        told["axis"] =
            json!({ "channels": axis.channels, "points": um.len(), "first_um": um[0], "last_um": um.last() });
    }
    let drawn = |block: Block| match &manifest.axis {
        Some(axis) => first_images(&block, axis, manifest),
        None => first_maps(&block, &manifest.shape),
    };
    let maps = dataset.read_block(0).ok().and_then(drawn);
    Ok(Found { told, damaged: seen.damaged, maps })
}
