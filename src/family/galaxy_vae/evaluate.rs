//! Restored maps against the originals, map by map.
//!
//! Shapes: n = side in pixels, k = n/2 bins of the power spectrum.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::data::{DataError, Dataset, Header, Kind, Modality, Record, Records as Reader, Splits, modality};
use crate::family::evaluation::{ExampleRecords, Records, RecordsEvaluator, Reference};
use crate::family::{AssessError, Evaluation, Evaluators};
use crate::statistics::Maps;
use crate::statistics::number;
use crate::statistics::power_spectrum::{bins, power_spectra};

/// Restored maps against originals; for a run those in `RUN/restored`.
pub(super) const EVALUATORS: Evaluators =
    Evaluators { of_run: Some(restored), records: Some(RecordsEvaluator { takes, measure }), table: None };

/// Maps of each kind that a run keeps for its report.
const EXAMPLES: usize = 16;

/// Maps that are measured together.
const AT_ONCE: usize = 64;

/// What was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct RestorationStatistics {
    /// Maps that were compared.
    pub maps: u64,
    /// Mean squared error of a pixel over the variance of the pixels of all originals: 1 for the mean pixel of all.
    #[serde(with = "number::one")]
    pub relative_error: f64,
    /// The same of the mean of each original in place of its pixels.
    #[serde(with = "number::one")]
    pub relative_error_of_means: f64,
    /// Root of the mean squared error of a pixel, in the unit of the maps.
    #[serde(with = "number::one")]
    pub rms_error: f64,
    /// Mean of restored minus original, in the unit of the maps.
    #[serde(with = "number::one")]
    pub bias: f64,
    /// Standard deviation of the pixels of all originals, in the unit of the maps.
    #[serde(with = "number::one")]
    pub deviation: f64,
    /// k in units of the fundamental: bin k averages k <= |k| < k+1, `[k]`.
    pub wavenumber: Vec<f64>,
    /// Power of restored minus original over that of the originals, `[k]`: 0 where all is kept, 1 where nothing is.
    #[serde(with = "number::many")]
    pub lost_power: Vec<f64>,
}

/// Which sets were compared.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Sets {
    /// Checksum of the restored dataset.
    pub restored: String,
    /// Training step and checkpoint of the model that restored it.
    pub step: Option<i64>,
    /// Checksum of the checkpoint.
    pub checkpoint: Option<String>,
    /// Checksum of the dataset with the originals, and the split.
    pub reference: String,
    /// Name of the split.
    pub split: String,
    /// Restored maps whose original is not in the split, left out.
    pub not_in_split: u64,
    /// What the records are, in the plural.
    pub records: String,
    /// Unit of a pixel, "1" for none.
    pub unit: String,
}

fn takes(modalities: &[Modality]) -> Result<(), String> {
    modality::only(modalities, Kind::Map).map(|_| ())
}

/// The restored maps of a run.
fn restored(run: &Path) -> Result<PathBuf, AssessError> {
    let folder = run.join("restored");
    if folder.is_dir() {
        return Ok(folder);
    }
    let run_name = run.display();
    let wanted = format!("`skyforge restore {run_name} DATASET --out {run_name}/restored` first");
    Err(AssessError::wrong(run, format!("has no folder `restored`, expected {wanted}")))
}

/// Compares each restored map with the map of the reference that has its id.
fn measure(records: &Records, against: &Reference) -> Result<Evaluation, AssessError> {
    let (restored, reference) = (records.dataset, against.dataset);
    let side = side_of(records, against)?;
    let (split, ranges) = against.chosen("test")?;
    let mut numbers: HashMap<u64, u64> = HashMap::new();
    for range in ranges {
        for (id, record) in reference.read_ids(range.clone())?.into_iter().zip(range) {
            if numbers.insert(id, record).is_some() {
                return Err(against.wrong(format!("has two records with id {id}, expected one")));
            }
        }
    }
    let (mut made, mut originals) = (Reader::of(restored), Reader::of(reference));
    let mut sums = Sums::new(side);
    let (mut shown, mut not_in_split) = ([Vec::new(), Vec::new()], 0);
    for record in 0..restored.manifest().count {
        let made = made.read(record)?;
        let Some(number) = numbers.get(&made.id) else {
            not_in_split += 1;
            continue;
        };
        let original = originals.read(*number)?;
        sums.add(&made.values, &original.values)?;
        if shown[0].len() < EXAMPLES {
            shown[0].push(original);
            shown[1].push(made);
        }
    }
    if shown[0].is_empty() {
        let folder = against.folder.display();
        let fault =
            format!("has no id of the split {split} of {folder}, expected some: maps that were restored from it");
        return Err(AssessError::wrong(records.folder, fault));
    }
    let found = sums.finish()?;
    let source = &restored.manifest().source;
    let of_map = restored.manifest().modality();
    let sets = Sets {
        restored: restored.checksum().to_owned(),
        step: source.get("step").and_then(toml::Value::as_integer),
        checkpoint: source.get("checkpoint").and_then(toml::Value::as_str).map(str::to_owned),
        reference: reference.checksum().to_owned(),
        split,
        not_in_split,
        records: of_map.kind.plural().to_owned(),
        unit: of_map.unit.clone(),
    };
    let summary = summary(&found, &sets);
    let mut statistics = serde_json::to_value(&found).expect("statistics are JSON");
    statistics["sets"] = serde_json::to_value(&sets).expect("names are JSON");
    let [original, made] = shown;
    let examples = vec![example("original", reference, original), example("restored", restored, made)];
    Ok(Evaluation { statistics, summary, examples })
}

/// Side of the maps, which both datasets have in one shape and unit.
fn side_of(records: &Records, against: &Reference) -> Result<usize, AssessError> {
    let wrong = |reason: String| DataError::Manifest { path: records.folder.to_owned(), reason };
    takes(&against.dataset.manifest().modalities).map_err(|reason| against.wrong(reason))?;
    let [ours, theirs] = [records.dataset, against.dataset].map(|dataset| dataset.manifest().modality());
    if ours.shape != theirs.shape || ours.unit != theirs.unit {
        let folder = against.folder.display();
        return Err(wrong(format!(
            "records are {:?} in unit {}, expected {:?} in unit {} as in {folder}",
            ours.shape, ours.unit, theirs.shape, theirs.unit
        ))
        .into());
    }
    match ours.shape[..] {
        [1, side, width] if side == width => Ok(side),
        _ => {
            let reason = format!("records are {:?}, expected square maps of one channel: [1, n, n]", ours.shape);
            Err(wrong(reason).into())
        }
    }
}

/// Sums over pixels and maps, in order of the maps.
struct Sums {
    side: usize,
    maps: u64,
    /// Of restored minus original, of its square, of originals, of their squares, and of their squared differences from
    /// the mean of their map.
    pixels: [f64; 5],
    /// Power of restored minus original, and of originals, `[k]` each.
    power: [Vec<f64>; 2],
    /// Maps that wait: restored minus original, and originals.
    waiting: [Vec<f32>; 2],
}

impl Sums {
    fn new(side: usize) -> Self {
        let power = [vec![0.0; bins(side)], vec![0.0; bins(side)]];
        Self { side, maps: 0, pixels: [0.0; 5], power, waiting: Default::default() }
    }

    fn add(&mut self, made: &[f32], original: &[f32]) -> Result<(), AssessError> {
        let mean = original.iter().map(|pixel| f64::from(*pixel)).sum::<f64>() / original.len() as f64;
        for (made, original) in made.iter().zip(original) {
            let (off, original) = (f64::from(*made) - f64::from(*original), f64::from(*original));
            let terms = [off, off * off, original, original * original, (original - mean).powi(2)];
            self.pixels.iter_mut().zip(terms).for_each(|(sum, term)| *sum += term);
        }
        self.maps += 1;
        self.waiting[0].extend(made.iter().zip(original).map(|(made, original)| made - original));
        self.waiting[1].extend(original);
        if self.waiting[1].len() >= AT_ONCE * original.len() { self.measure_power() } else { Ok(()) }
    }

    fn measure_power(&mut self) -> Result<(), AssessError> {
        for (power, maps) in self.power.iter_mut().zip(&mut self.waiting) {
            if !maps.is_empty() {
                let spectra = power_spectra(Maps::new(maps, self.side)?);
                for map in 0..spectra.count() {
                    power.iter_mut().zip(spectra.of_map(map)).for_each(|(sum, here)| *sum += f64::from(*here));
                }
                maps.clear();
            }
        }
        Ok(())
    }

    fn finish(mut self) -> Result<RestorationStatistics, AssessError> {
        self.measure_power()?;
        let count = self.maps as f64 * (self.side * self.side) as f64;
        let [bias, error, mean, square, of_means] = self.pixels.map(|sum| sum / count);
        let variance = square - mean * mean;
        let [lost, whole] = &self.power;
        Ok(RestorationStatistics {
            maps: self.maps,
            relative_error: error / variance,
            relative_error_of_means: of_means / variance,
            rms_error: error.sqrt(),
            bias,
            deviation: variance.sqrt(),
            wavenumber: (1..=lost.len()).map(|k| k as f64).collect(),
            lost_power: lost.iter().zip(whole).map(|(lost, whole)| lost / whole).collect(),
        })
    }
}

/// Some records of a dataset, for the report.
fn example(name: &'static str, of: &Dataset, records: Vec<Record>) -> ExampleRecords {
    let header = Header { count: records.len() as u64, splits: Splits::new(), ..of.manifest().header() };
    let ids = records.iter().map(|record| record.id).collect();
    ExampleRecords { name, header, ids, values: records.into_iter().flat_map(|record| record.values).collect() }
}

/// What a person wants to know first.
fn summary(found: &RestorationStatistics, sets: &Sets) -> String {
    let unit = if sets.unit == "1" { String::new() } else { format!(" {}", sets.unit) };
    let left_out = match sets.not_in_split {
        0 => String::new(),
        count => format!("; {count} others are not in it"),
    };
    format!(
        "{} restored {} against their originals of the split {}{left_out}\n\
         mean squared error over variance of pixels   {:.4} (1: the mean pixel of all; {:.4}: the mean of each)\n\
         rms error                                    {:.5}{unit}, bias {:.5}{unit}, deviation of originals {:.5}{unit}",
        found.maps,
        sets.records,
        sets.split,
        found.relative_error,
        found.relative_error_of_means,
        found.rms_error,
        found.bias,
        found.deviation
    )
}
