//! Maps against a reference in two halves.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::{Arguments, CommandError, records_of};
use crate::app::output::say;
use crate::data::{DataError, Dataset, DatasetWriter, Header, Kind, Splits};
use crate::files::{self, FileLock};
use crate::statistics::{Comparison, ComparisonSettings, Maps, compare};

/// Which sets were compared: beside the numbers in `statistics.json`.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
pub struct Sets {
    /// Checksum of the dataset that was compared.
    pub generated: String,
    /// Step, checkpoint and weights it was sampled from, where a run made it.
    #[serde(default)]
    pub step: Option<i64>,
    #[serde(default)]
    pub checkpoint: Option<String>,
    #[serde(default)]
    pub weights: Option<String>,
    /// Checksum of the dataset it was compared with, and the split.
    pub reference: String,
    pub split: String,
}

impl Sets {
    fn of(generated: &Dataset, reference: &Dataset, split: String) -> Self {
        let source = &generated.manifest().source;
        let word = |key: &str| source.get(key).and_then(toml::Value::as_str).map(str::to_owned);
        Self {
            generated: generated.checksum().to_owned(),
            step: source.get("step").and_then(toml::Value::as_integer),
            checkpoint: word("checkpoint"),
            weights: word("weights"),
            reference: reference.checksum().to_owned(),
            split,
        }
    }
}

/// How many maps of each kind a run keeps for its report.
const EXAMPLES: u64 = 16;

/// Compares them.
pub(super) fn evaluate(arguments: &Arguments) -> Result<(), CommandError> {
    let is_run = arguments.records.join("checkpoints").is_dir();
    let folder = if is_run { arguments.records.join("samples") } else { arguments.records.clone() };
    if is_run && !folder.is_dir() {
        let fault = format!("has no samples, expected `skyforge sample {}` first", arguments.records.display());
        return Err(CommandError::Wrong { path: arguments.records.clone(), fault });
    }
    let generated = Dataset::open(&folder)?;
    let reference = Dataset::open(&arguments.against)?;
    for (dataset, folder) in [(&generated, &folder), (&reference, &arguments.against)] {
        let only = dataset.manifest().only(Kind::Map);
        only.map_err(|reason| DataError::Manifest { path: folder.clone(), reason })?;
    }
    let [ours, theirs] = [&generated, &reference].map(|dataset| dataset.manifest().modality());
    let (shape, wanted) = (&ours.shape, &theirs.shape);
    if shape != wanted || ours.unit != theirs.unit {
        let reason = format!(
            "records are {shape:?} in unit {}, expected {wanted:?} in unit {} as in {}",
            ours.unit,
            theirs.unit,
            arguments.against.display()
        );
        return Err(DataError::Manifest { path: folder, reason }.into());
    }
    let side = match shape[..] {
        [1, side, width] if side == width => side,
        _ => {
            let reason = format!("records are {shape:?}, expected square maps of one channel: [1, n, n]");
            return Err(DataError::Manifest { path: folder, reason }.into());
        }
    };
    let generated_maps = generated.read(0, 0..generated.manifest().count)?;
    let mut reference_maps = Vec::new();
    let (split, records) = records_of(&reference, arguments.split.as_deref(), "test")?;
    for records in records {
        reference_maps.extend(reference.read(0, records)?);
    }
    let settings =
        ComparisonSettings { side_deg: theirs.field().map(|field| field.side_deg), ..ComparisonSettings::default() };
    let (first, second) = Maps::new(&reference_maps, side)?.halves()?;
    let comparison = compare(Maps::new(&generated_maps, side)?, first, second, &settings)?;
    let mut statistics = serde_json::to_value(&comparison).expect("statistics are JSON");
    statistics["sets"] = serde_json::to_value(Sets::of(&generated, &reference, split)).expect("names are JSON");
    let text = statistics.to_string();

    if let Some(out) = &arguments.out {
        files::write_whole(out, text.as_bytes()).map_err(CommandError::io(out))?;
    }
    if is_run {
        let run = &arguments.records;
        let path = run.join("statistics.json");
        files::write_whole(&path, text.as_bytes()).map_err(CommandError::io(path))?;
        let length = side * side * shape[0];
        let examples = run.join("examples");
        files::create_folder(&examples).map_err(CommandError::io(&examples))?;
        let lock = FileLock::take(&examples.join("lock")).map_err(CommandError::io(&examples))?;
        let lock = lock.ok_or_else(|| DataError::InUse { folder: examples.clone() })?;
        keep_examples(&run.join("examples/generated"), &generated, &generated_maps, length)?;
        keep_examples(&run.join("examples/reference"), &reference, &reference_maps, length)?;
        lock.remove().map_err(CommandError::io(&examples))?;
    }
    if arguments.json { say(&text) } else { say(&summary(&comparison)) }
}

/// A small dataset of the first maps, so that a report needs nothing outside its run.
fn keep_examples(folder: &Path, of: &Dataset, maps: &[f32], length: usize) -> Result<(), CommandError> {
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(CommandError::io(folder))?; // those of an earlier evaluation
    }
    let count = EXAMPLES.min((maps.len() / length) as u64);
    let header = Header { count, splits: Splits::new(), ..of.manifest().header() };
    let writer = DatasetWriter::create(folder, header)?;
    let entries = (0..writer.shards()).map(|shard| {
        writer.write_shard(shard, |record, map| {
            map.copy_from_slice(&maps[record as usize * length..(record as usize + 1) * length]);
        })
    });
    let entries = entries.collect::<Result<Vec<_>, DataError>>()?;
    writer.finish(entries)?;
    Ok(())
}

/// What a person wants to know first.
fn summary(comparison: &Comparison) -> String {
    let (ours, floor) = (&comparison.generated_distance, &comparison.floor_distance);
    let mut text = format!(
        "{} maps against {} of the reference, {} px; beside it the floor: {} other reference maps\n{:<34} {:>10} {:>10}\n",
        comparison.generated.maps,
        comparison.reference.maps,
        comparison.side,
        comparison.floor.maps,
        "distance",
        "maps",
        "floor"
    );
    let rows: [(&str, f64, f64); 5] = [
        ("spectrum, largest |ratio - 1|", ours.spectrum_worst, floor.spectrum_worst),
        ("pixel histogram, total variation", ours.histogram_total_variation, floor.histogram_total_variation),
        ("correlation, largest difference", ours.correlation_worst, floor.correlation_worst),
        ("mean map, rms", ours.mean_map_rms, floor.mean_map_rms),
        ("variance map, rms", ours.variance_map_rms, floor.variance_map_rms),
    ];
    for (name, ours, floor) in rows {
        let _ = writeln!(text, "{name:<34} {ours:>10.4} {floor:>10.4}");
    }
    let judged = &comparison.judged_wavenumbers;
    let _ = write!(text, "the spectrum is judged over {} <= k < {}", judged.start, judged.end);
    text
}
