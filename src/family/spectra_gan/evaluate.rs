//! A retrieval's table against the parameters of a dataset.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::retrieval::{RetrievalRow, SampleRow, table};
use crate::atmosphere;
use crate::atmosphere::QUANTITIES;
use crate::catalog::{Metadata, TableError};
use crate::data::Kind;
use crate::family::evaluation::{ALL, MeasuredTable, Reference, TableEvaluator};
use crate::family::{AssessError, Evaluation, Evaluators};
use crate::rng::{Draw, Stream};
use crate::statistics::coverage::rank;
use crate::statistics::retrieval::{Fits, median};
use crate::statistics::retrieval_accuracy::{Retrieved, published};
use crate::statistics::{ParameterStatistics, RetrievalStatistics};

/// A retrieval's table against spectra whose parameters are known; for a run that of `retrieve`.
pub const EVALUATORS: Evaluators = Evaluators {
    of_run: Some(retrieval),
    records: None,
    table: Some(TableEvaluator { takes: |table| table::from_table(table).map(|_| ()), measure: evaluate }),
};

/// What was compared with what: beside the numbers in the statistics.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Compared {
    /// Metadata of the table, as `retrieve` wrote it.
    pub metadata: Metadata,
    /// Rows whose id no record of the split has, left out.
    pub rows_not_in_split: u64,
    /// Checksum of the dataset.
    pub reference: String,
    /// Its split.
    pub split: String,
    /// What its records are, in the plural.
    #[serde(default)]
    pub records: String,
    /// Unit of their values, "1" for none; parameters have units of their own.
    #[serde(default)]
    pub unit: String,
}

/// Where ranks are spread over their steps: any number, the same for all.
const SEED: u64 = 0;

/// Table of a retrieval in the folder of a run.
pub(super) const TABLE: &str = "retrieval/table.parquet";

/// The retrieval of a run.
fn retrieval(run: &Path) -> Result<PathBuf, AssessError> {
    let table = run.join(TABLE);
    if table.is_file() {
        return Ok(table);
    }
    Err(AssessError::wrong(
        run,
        format!("has no {TABLE}, expected `skyforge retrieve {} SPECTRA` first", run.display()),
    ))
}

/// Compares the rows of a retrieval with the parameters of a dataset.
fn evaluate(input: &MeasuredTable, against: &Reference) -> Result<Evaluation, AssessError> {
    let MeasuredTable { path, table, coverage } = *input;
    let rows = table::from_table(table).map_err(TableError::column(path))?;
    let samples = if coverage { samples_beside(path)? } else { None };
    let (split, truths) = truths(against)?;
    let matched: Vec<(&RetrievalRow, &[f64; 7])> =
        rows.iter().filter_map(|row| Some((row, truths.get(&row.id)?))).collect();
    let rows_not_in_split = rows.len() - matched.len();
    let folder = against.folder.display();
    if let Some(lost) = rows.iter().find(|row| against.split.is_none() && !truths.contains_key(&row.id)) {
        return Err(AssessError::wrong(path, format!("has id {}, expected ids of records of {folder}", lost.id)));
    }
    if matched.is_empty() {
        return Err(AssessError::wrong(path, format!("has no id of the split {split} of {folder}, expected some")));
    }
    if matched.iter().all(|(_, truth)| truth.iter().all(|value| value.is_nan())) {
        let reason = "knows no parameter of any of the table's objects, expected some that are known";
        return Err(against.wrong(reason.into()));
    }

    let found = measure(&matched, coverage, samples.as_deref());
    let modality = against.dataset.manifest().modality();
    let compared = Compared {
        metadata: table.metadata().clone(),
        rows_not_in_split: rows_not_in_split as u64,
        reference: against.dataset.checksum().to_owned(),
        split,
        records: modality.kind.plural().to_owned(),
        unit: modality.unit.clone(),
    };
    let mut statistics = serde_json::to_value(&found).expect("statistics are JSON");
    statistics["sets"] = serde_json::to_value(&compared).expect("names are JSON");
    Ok(Evaluation { statistics, summary: summary(&found, &compared), examples: Vec::new() })
}

/// The samples of a table, each object's together, where they are there.
fn samples_beside(path: &Path) -> Result<Option<Vec<SampleRow>>, AssessError> {
    let path = table::samples_path(path);
    if !path.exists() {
        return Ok(None);
    }
    let mut samples = table::read_samples(&path)?.0;
    samples.sort_by_key(|sample| sample.id);
    Ok(Some(samples))
}

/// Ids and parameters of a dataset's records.
fn truths(against: &Reference) -> Result<(String, HashMap<u64, [f64; 7]>), AssessError> {
    let manifest = against.dataset.manifest();
    manifest.only(Kind::Spectrum).map_err(|reason| against.wrong(reason))?;
    let places = atmosphere::columns(&manifest.labels).map_err(|reason| against.wrong(reason))?;
    let (split, ranges) = against.chosen(ALL)?;
    let mut truths = HashMap::new();
    for records in ranges {
        let ids = against.dataset.read_ids(records.clone())?;
        let labels = against.dataset.read_labels(records)?;
        for (row, id) in ids.into_iter().enumerate() {
            let numbers = &labels[row * manifest.labels.len()..];
            let truth = atmosphere::of_labels(&places, numbers).map(f64::from);
            if truths.insert(id, truth).is_some() {
                return Err(against.wrong(format!("has two records with id {id}, expected one")));
            }
        }
    }
    Ok((split, truths))
}

fn measure(
    matched: &[(&RetrievalRow, &[f64; 7])],
    coverage: bool,
    samples: Option<&[SampleRow]>,
) -> RetrievalStatistics {
    let draw = Draw::new(SEED);
    let of_object = |samples: &'_ [SampleRow], id: u64| {
        let start = samples.partition_point(|sample| sample.id < id);
        let end = samples.partition_point(|sample| sample.id <= id);
        start..end
    };
    let parameters = QUANTITIES.iter().enumerate().map(|(at, quantity)| {
        let retrieved: Vec<Retrieved> = matched
            .iter()
            .map(|(row, truth)| {
                let interval = row.parameters[at];
                Retrieved {
                    truth: truth[at],
                    p2_5: interval.p2_5.into(),
                    p16: interval.p16.into(),
                    median: interval.median.into(),
                    p84: interval.p84.into(),
                    p97_5: interval.p97_5.into(),
                }
            })
            .collect();
        let ranks = samples.map(|samples| {
            let known = matched.iter().filter(|(_, truth)| !truth[at].is_nan());
            known
                .filter_map(|(row, truth)| {
                    let mine = &samples[of_object(samples, row.id)];
                    let chance = draw.at(Stream::Rank, row.id, at as u32).uniform();
                    rank(truth[at], mine.iter().map(|sample| (sample.parameters[at], sample.weight)), chance)
                })
                .collect()
        });
        ParameterStatistics::of(quantity.name, quantity.unit, &retrieved, coverage, ranks)
    });
    let parameters = parameters.collect();
    let objects = matched.len();
    let mean = |term: fn(&RetrievalRow) -> f64| matched.iter().map(|(row, _)| term(row)).sum::<f64>() / objects as f64;
    let middle = |term: fn(&RetrievalRow) -> f64| median(matched.iter().map(|(row, _)| term(row)).collect());
    RetrievalStatistics {
        objects: objects as u64,
        parameters,
        fits: Fits {
            chi_square_per_point: middle(|row| f64::from(row.chi_square) / row.points as f64),
            restart_agreement: mean(|row| row.restart_agreement.into()),
            effective_samples: middle(|row| row.effective_samples.into()),
            out_of_range: mean(|row| u8::from(row.out_of_range).into()),
            iterations: mean(|row| row.iterations as f64),
        },
    }
}

/// What a person wants to know first.
fn summary(statistics: &RetrievalStatistics, compared: &Compared) -> String {
    let mut text = format!("{} objects of the split {}", statistics.objects, compared.split);
    if compared.rows_not_in_split > 0 {
        let _ = write!(text, "; {} of the table are not in it", compared.rows_not_in_split);
    }
    let _ = writeln!(
        text,
        "\n{:<14} {:<6} {:>6} {:>9} {:>9} {:>9}  {:>20}  {:>20}  {:>20}",
        "parameter",
        "unit",
        "known",
        "|error|",
        "bias",
        "rms",
        "A error 0 1 2, %",
        "1 - A error, %",
        "published test, %"
    );
    let three = |shares: [f64; 3]| shares.map(|share| format!("{:>6.1}", 100.0 * share)).join(" ");
    for row in &statistics.parameters {
        let found = &row.accuracy;
        let public = published(&row.name).map_or([f64::NAN; 3], |row| row.test.map(|percent| percent / 100.0));
        let _ = writeln!(
            text,
            "{:<14} {:<6} {:>6} {:>9.4} {:>9.4} {:>9.4}  {}  {}  {}",
            row.name,
            row.unit,
            found.objects,
            found.mean_absolute_error,
            found.bias,
            found.rms_error,
            three(found.a_error),
            three(found.a_accuracy),
            three(public)
        );
    }
    if statistics.parameters.iter().any(|row| row.coverage.is_some()) {
        let _ = writeln!(text, "\n{:<14} {:>16} {:>16} {:>12}", "parameter", "in 68 %", "in 95 %", "ranks: KS p");
    }
    for row in &statistics.parameters {
        let Some(coverage) = &row.coverage else { continue };
        let cells = coverage.map(|one| format!("{:.1} +- {:.1} %", 100.0 * one.share, 100.0 * one.error));
        let ranks = row.ranks.as_ref().map_or("no samples".into(), |ranks| format!("{:.3}", ranks.p_value));
        let _ = writeln!(text, "{:<14} {:>16} {:>16} {:>12}", row.name, cells[0], cells[1], ranks);
    }
    let fits = &statistics.fits;
    let _ = write!(
        text,
        "\nchi-square a point {:.2}, restarts that agree {:.0} %, effective samples {:.1}, out of range {:.1} %, iterations {:.0}",
        fits.chi_square_per_point,
        100.0 * fits.restart_agreement,
        fits.effective_samples,
        100.0 * fits.out_of_range,
        fits.iterations
    );
    text
}
