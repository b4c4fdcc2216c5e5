//! A dataset: every block checked, values of some or all.

use std::path::Path;

use rayon::prelude::*;
use serde_json::{Map, Value, json};

use super::range::Range;
use super::{DRAWN, Found};
use crate::app::CommandError;
use crate::atmosphere;
use crate::data::{Axis, Block, DataError, Dataset, Kind, Label, Manifest, Modality, SpectralAxis};
use crate::family::spectra_gan::{Aspa, AspaSettings};
use crate::report::ExampleMaps;

/// Blocks, about 1 MiB each, whose values are looked at where not all are asked for.
const SAMPLE: u64 = 64;

/// What the blocks of a dataset or shard hold.
#[derive(Default)]
pub(super) struct Seen {
    pub damaged: Vec<String>,
    pub ranges: Ranges,
    /// Blocks whose values were looked at.
    pub sampled: u64,
}

/// Ranges of the values of each modality, over the records that have it, and of each label; and numbers of records.
#[derive(Clone, Default)]
pub(super) struct Ranges {
    pub modalities: Vec<Range>,
    /// Records that have each modality.
    pub present: Vec<u64>,
    pub labels: Vec<Range>,
    /// Records of each class, for class labels.
    pub classes: Vec<Vec<u64>>,
    pub records: u64,
}

impl Ranges {
    fn new(modalities: usize, classes: &[usize]) -> Self {
        Self {
            modalities: vec![Range::default(); modalities],
            present: vec![0; modalities],
            labels: vec![Range::default(); classes.len()],
            classes: classes.iter().map(|count| vec![0; *count]).collect(),
            records: 0,
        }
    }

    fn add(&mut self, other: &Self) {
        let add = |(all, more): (&mut u64, &u64)| *all += more;
        self.modalities.iter_mut().zip(&other.modalities).for_each(|(all, range)| all.add(range));
        self.present.iter_mut().zip(&other.present).for_each(add);
        self.labels.iter_mut().zip(&other.labels).for_each(|(all, range)| all.add(range));
        self.classes.iter_mut().flatten().zip(other.classes.iter().flatten()).for_each(add);
        self.records += other.records;
    }
}

/// Reads `blocks` blocks, each checked, and takes the ranges of some of them or of all.
///
/// - `lengths`: numbers of a record's array of each modality
/// - `classes`: how many classes each label has, 0 for a real one
pub(super) fn see(
    blocks: u64,
    all: bool,
    lengths: &[usize],
    classes: &[usize],
    read: impl Fn(u64, &mut Block) -> Result<(), DataError> + Sync,
) -> Result<Seen, DataError> {
    let stride = if all { 1 } else { blocks.div_ceil(SAMPLE).max(1) };
    let look = |block: &mut Block, index: u64| {
        let fault = read(index, block).err();
        // The values of a block that is as it was written are its own, finite or not.
        let readable = matches!(fault, None | Some(DataError::NotFinite { .. } | DataError::Row { .. }));
        let ranges = (readable && index.is_multiple_of(stride)).then(|| ranges(block, lengths, classes));
        (fault, ranges)
    };
    let looks: Vec<_> = (0..blocks as usize)
        .into_par_iter()
        .map_init(Block::default, |block, index| look(block, index as u64))
        .collect();
    let mut seen = Seen { ranges: Ranges::new(lengths.len(), classes), ..Seen::default() };
    for (fault, ranges) in looks {
        match fault {
            None => {}
            Some(error @ DataError::File { .. }) => return Err(error),
            Some(error) => seen.damaged.push(error.to_string()),
        }
        if let Some(ranges) = ranges {
            seen.sampled += 1;
            seen.ranges.add(&ranges);
        }
    }
    seen.damaged.dedup(); // a shard that is another one says so for each of its blocks
    Ok(seen)
}

fn ranges(block: &Block, lengths: &[usize], classes: &[usize]) -> Ranges {
    let records = block.records();
    let mut found = Ranges::new(lengths.len(), classes);
    let mut values = Vec::new();
    found.records = records.end - records.start;
    for row in 0..(records.end - records.start) as usize {
        for (modality, (range, length)) in found.modalities.iter_mut().zip(lengths).enumerate() {
            if block.is_present(modality, row) {
                found.present[modality] += 1;
                values.resize(*length, 0.0);
                block.copy_row(modality, row, &mut values);
                range.extend(values.iter().copied());
            }
        }
        for ((range, counts), value) in found.labels.iter_mut().zip(&mut found.classes).zip(block.labels(row)) {
            range.extend([value]);
            if let Some(count) = counts.get_mut(value as usize).filter(|_| !value.is_nan()) {
                *count += 1;
            }
        }
    }
    found
}

/// The first channel of the first maps or cutouts in a block that are there, where they are square.
pub(super) fn first_maps(block: &Block, modality: usize, shape: &[usize]) -> Option<ExampleMaps> {
    let [_, side, width] = *shape else { return None };
    if side != width || side == 0 {
        return None;
    }
    let records = block.records();
    let mut map = vec![0.0; shape.iter().product()];
    let mut pixels = Vec::new();
    let there = (0..(records.end - records.start) as usize).filter(|row| block.is_present(modality, *row));
    for row in there.take(DRAWN as usize) {
        block.copy_row(modality, row, &mut map);
        pixels.extend_from_slice(&map[..side * side]);
    }
    (!pixels.is_empty()).then_some(ExampleMaps { pixels, side })
}

/// The first spectra in a block as the images that a network sees, of ExoGAN's codec for their own range of depths; none where they have
/// other labels, or cannot be encoded.
fn first_images(block: &Block, axis: &SpectralAxis, manifest: &Manifest) -> Option<ExampleMaps> {
    if manifest.labels != atmosphere::labels() {
        return None;
    }
    let records = block.records();
    let rows = (records.end - records.start).min(DRAWN) as usize;
    let mut spectra = vec![0.0; rows * manifest.modality().len()];
    for (row, spectrum) in spectra.chunks_exact_mut(manifest.modality().len()).enumerate() {
        block.copy_row(0, row, spectrum);
    }
    let points = axis.wavelength_um.len();
    let depths = spectra.chunks_exact(manifest.modality().len()).flat_map(|spectrum| &spectrum[..points]);
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
    for (row, spectrum) in spectra.chunks_exact(manifest.modality().len()).enumerate() {
        let parameters: Vec<f32> = block.labels(row).collect();
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

/// The labels with their ranges; `unknown_share` is the share of records whose label is not known.
fn tell_labels(labels: &[Label], ranges: &[Range]) -> Value {
    let row = |(label, range): (&Label, &Range)| {
        let mut told = range.tell();
        let unknown = told["not_finite_share"].take();
        if label.classes.is_some() {
            for key in ["min", "max", "mean"] {
                told[key].take();
            }
        }
        json!({
            "name": label.name, "kind": label.kind.name(), "unit": label.unit, "classes": label.classes.as_ref().map(Vec::len),
            "min": told["min"], "max": told["max"], "mean": told["mean"], "unknown_share": unknown,
        })
    };
    labels.iter().zip(ranges).map(row).collect()
}

/// The modalities with the ranges of their values.
fn tell_modalities(modalities: &[Modality], ranges: &Ranges) -> Value {
    let row = |((modality, range), present): ((&Modality, &Range), &u64)| {
        let mut told = range.tell();
        if modality.optional {
            told["present_share"] = (*present as f64 / ranges.records.max(1) as f64).into();
        }
        for (key, value) in [
            ("name", json!(modality.name)),
            ("kind", json!(modality.kind)),
            ("shape", json!(modality.shape)),
            ("unit", json!(modality.unit)),
        ] {
            told[key] = value;
        }
        told
    };
    modalities.iter().zip(&ranges.modalities).zip(&ranges.present).map(row).collect()
}

/// What the dimensions of each modality stand for, where that is known.
fn tell_axes(modalities: &[Modality]) -> Map<String, Value> {
    let tell = |axis: &Axis| match axis {
        Axis::Sky(field) => json!(field),
        Axis::Bands(bands) => json!({ "bands": bands.names.join(" "), "pixel_arcsec": bands.pixel_arcsec }),
        Axis::Wavelength(axis) => {
            let um = &axis.wavelength_um;
            json!({ "channels": axis.channels, "points": um.len(), "first_um": um[0], "last_um": um.last() })
        }
    };
    let axes = modalities.iter().filter_map(|modality| Some((modality.name.clone(), tell(modality.axis.as_ref()?))));
    axes.collect()
}

/// The classes of each class label, in the order of their numbers, with how many records have them.
fn tell_classes(labels: &[Label], counts: &[Vec<u64>]) -> Map<String, Value> {
    let told = |(label, counts): (&Label, &Vec<u64>)| {
        let classes = label.classes.as_ref()?.iter().zip(counts);
        let rows: Vec<Value> = classes.map(|(name, count)| json!({ "name": name, "records": count })).collect();
        Some((label.name.clone(), Value::from(rows)))
    };
    labels.iter().zip(counts).filter_map(told).collect()
}

/// Looks at all of it.
pub(super) fn look(path: &Path, all: bool) -> Result<Found, CommandError> {
    let dataset = Dataset::open(path)?;
    let manifest = dataset.manifest();
    let blocks = dataset.blocks().number();
    let read = |index: u64, block: &mut Block| dataset.read_block_into(index, block);
    let lengths: Vec<usize> = manifest.modalities.iter().map(Modality::len).collect();
    let classes: Vec<usize> = manifest.labels.iter().map(|label| label.classes.as_ref().map_or(0, Vec::len)).collect();
    let seen = see(blocks, all, &lengths, &classes, read)?;
    let splits: Map<String, Value> =
        manifest.splits.iter().map(|(name, split)| (name.clone(), split.records().into())).collect();
    let mut told = json!({
        "what": "dataset", "whole": true, "count": manifest.count, "shards": manifest.shards.len(),
        "bytes": manifest.shards.iter().map(|shard| shard.bytes).sum::<u64>(), "splits": splits,
        "checksum": dataset.checksum(), "blocks": blocks, "blocks_in_range": seen.sampled,
        "modalities": tell_modalities(&manifest.modalities, &seen.ranges),
        "labels": tell_labels(&manifest.labels, &seen.ranges.labels),
        "axes": tell_axes(&manifest.modalities), "source": manifest.source,
    });
    let classes = tell_classes(&manifest.labels, &seen.ranges.classes);
    if !classes.is_empty() {
        told["classes"] = classes.into();
    }
    let mut modalities = manifest.modalities.iter();
    let images = modalities.position(|modality| modality.kind != Kind::Spectrum);
    let drawn = |block: Block| match (images, manifest.modality().spectral_axis()) {
        (Some(modality), _) => first_maps(&block, modality, &manifest.modalities[modality].shape),
        (None, Some(axis)) => first_images(&block, axis, manifest),
        (None, None) => None,
    };
    let maps = dataset.read_block(0).ok().and_then(drawn);
    Ok(Found { told, damaged: seen.damaged, maps })
}
