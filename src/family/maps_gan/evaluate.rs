//! Maps against a reference in two halves.

use std::fmt::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::data::{DataError, Dataset, Header, Kind, Modality, Splits, modality};
use crate::family::evaluation::{ExampleRecords, Records, RecordsEvaluator, Reference};
use crate::family::{AssessError, Evaluation, Evaluators};
use crate::statistics::{Comparison, ComparisonSettings, Maps, compare};

/// Maps against maps; for a run those that `sample` made.
pub const EVALUATORS: Evaluators =
    Evaluators { of_run: Some(samples), records: Some(RecordsEvaluator { takes, measure }), table: None };

/// Which sets were compared: beside the numbers in `statistics.json`.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Sets {
    /// Checksum of the dataset that was compared.
    pub generated: String,
    /// Training step that it was sampled after, where a run made it.
    #[serde(default)]
    pub step: Option<i64>,
    /// Checksum of the checkpoint that it was sampled from.
    #[serde(default)]
    pub checkpoint: Option<String>,
    /// The network whose weights made it.
    #[serde(default)]
    pub weights: Option<String>,
    /// Checksum of the dataset that it was compared with.
    pub reference: String,
    /// The split of that one.
    pub split: String,
    /// What the records are, in the plural.
    #[serde(default)]
    pub records: String,
    /// Unit of a pixel, "1" for none; empty where an older version compared them.
    #[serde(default)]
    pub unit: String,
}

impl Sets {
    fn of(generated: &Dataset, reference: &Dataset, split: String) -> Self {
        let (source, modality) = (&generated.manifest().source, generated.manifest().modality());
        let word = |key: &str| source.get(key).and_then(toml::Value::as_str).map(str::to_owned);
        Self {
            generated: generated.checksum().to_owned(),
            step: source.get("step").and_then(toml::Value::as_integer),
            checkpoint: word("checkpoint"),
            weights: word("weights"),
            reference: reference.checksum().to_owned(),
            split,
            records: modality.kind.plural().to_owned(),
            unit: modality.unit.clone(),
        }
    }
}

/// How many maps of each kind a run keeps for its report.
const EXAMPLES: u64 = 16;

fn takes(modalities: &[Modality]) -> Result<(), String> {
    modality::only(modalities, Kind::Map).map(|_| ())
}

/// The samples of a run.
fn samples(run: &Path) -> Result<PathBuf, AssessError> {
    let folder = run.join("samples");
    if folder.is_dir() {
        return Ok(folder);
    }
    Err(AssessError::wrong(run, format!("has no samples, expected `skyforge sample {}` first", run.display())))
}

/// Compares maps with both halves of a reference.
fn measure(records: &Records, against: &Reference) -> Result<Evaluation, AssessError> {
    let (generated, reference) = (records.dataset, against.dataset);
    let wrong = |reason: String| DataError::Manifest { path: records.folder.to_owned(), reason };
    takes(&reference.manifest().modalities).map_err(|reason| against.wrong(reason))?;
    let [ours, theirs] = [generated, reference].map(|dataset| dataset.manifest().modality());
    let (shape, wanted) = (&ours.shape, &theirs.shape);
    if shape != wanted || ours.unit != theirs.unit {
        let (unit, wanted_unit) = (&ours.unit, &theirs.unit);
        let folder = against.folder.display();
        let reason =
            format!("records are {shape:?} in unit {unit}, expected {wanted:?} in unit {wanted_unit} as in {folder}");
        return Err(wrong(reason).into());
    }
    let side = match shape[..] {
        [1, side, width] if side == width => side,
        _ => {
            let reason = format!("records are {shape:?}, expected square maps of one channel: [1, n, n]");
            return Err(wrong(reason).into());
        }
    };
    let generated_maps = generated.read(0, 0..generated.manifest().count)?;
    let mut reference_maps = Vec::new();
    let (split, ranges) = against.chosen("test")?;
    for range in &ranges {
        reference_maps.extend(reference.read(0, range.clone())?);
    }
    let settings =
        ComparisonSettings { side_deg: theirs.field().map(|field| field.side_deg), ..ComparisonSettings::default() };
    let (first, second) = Maps::new(&reference_maps, side)?.halves()?;
    let comparison = compare(Maps::new(&generated_maps, side)?, first, second, &settings)?;
    let mut statistics = serde_json::to_value(&comparison).expect("statistics are JSON");
    statistics["sets"] = serde_json::to_value(Sets::of(generated, reference, split)).expect("names are JSON");
    let all = 0..generated.manifest().count;
    let examples = vec![
        examples("generated", generated, &[all], &generated_maps)?,
        examples("reference", reference, &ranges, &reference_maps)?,
    ];
    Ok(Evaluation { statistics, summary: summary(&comparison), examples })
}

/// The first maps, so that a report needs nothing outside its run.
///
/// - `ranges`: the records whose maps are in `maps`
fn examples(
    name: &'static str,
    of: &Dataset,
    ranges: &[Range<u64>],
    maps: &[f32],
) -> Result<ExampleRecords, DataError> {
    let mut ids = Vec::new();
    for range in ranges {
        let end = range.end.min(range.start + EXAMPLES - ids.len() as u64);
        ids.extend(of.read_ids(range.start..end)?);
    }
    let values = maps[..ids.len() * of.manifest().modality().len()].to_vec();
    let header = Header { count: ids.len() as u64, splits: Splits::new(), ..of.manifest().header() };
    Ok(ExampleRecords { name, header, ids, values })
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
