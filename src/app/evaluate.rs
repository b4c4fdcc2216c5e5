//! `skyforge evaluate`: records, or a table of what was found of them, against a reference. A family measures them.

use std::fs;
use std::path::{Path, PathBuf};

use super::CommandError;
use super::output::say;
use super::report::kind_of;
use crate::catalog::{Table, TableError, parquet_file};
use crate::data::{DataError, Dataset, DatasetWriter, Manifest};
use crate::exit::Exit;
use crate::family::evaluation::{
    Evaluation, ExampleRecords, MeasuredTable, Records, RecordsEvaluator, Reference, TableEvaluator,
};
use crate::family::{Evaluators, FamilySettings};
use crate::files::{self, FileLock};

/// What is compared with what, and where the result goes.
#[derive(Clone, Debug)]
pub struct Request {
    /// A dataset, a table or the folder of a run.
    pub records: PathBuf,
    /// The dataset that they are held against.
    pub against: PathBuf,
    /// Which of its splits; the family's own choice where none is given.
    pub split: Option<String>,
    /// Whether it is asked how often the intervals of a table hold the truth.
    pub coverage: bool,
    /// Where the statistics go.
    pub out: Option<PathBuf>,
    /// Whether all of it goes to stdout as JSON.
    pub json: bool,
}

/// Compares the records, or the table, with the reference.
pub fn run(request: &Request) -> Result<Exit, CommandError> {
    let run = request.records.join("checkpoints").is_dir().then_some(request.records.as_path());
    let (kind, records) = match run {
        Some(run) => of_run(run).map(|(kind, records)| (Some(kind), records))?,
        None => (None, request.records.clone()),
    };
    if records.is_file() {
        table(request, kind, &records)?;
    } else {
        dataset(request, kind, &records, run)?;
    }
    Ok(Exit::Done)
}

/// The kind of a run, and the dataset or table that stands for it.
fn of_run(run: &Path) -> Result<(&'static str, PathBuf), CommandError> {
    let kind = kind_of(run)?;
    let all = FamilySettings::evaluators();
    let (kind, evaluators) = all.iter().find(|(name, _)| *name == kind).expect("the kind is one of the list");
    let Some(of_run) = evaluators.of_run else {
        let wanted = kinds_with(&all, |evaluators| evaluators.of_run.is_some());
        let fault = format!("is of kind \"{kind}\", whose results are not evaluated, expected a run of {wanted}");
        return Err(CommandError::Wrong { path: run.to_owned(), fault });
    };
    Ok((kind, of_run(run)?))
}

fn table(request: &Request, kind: Option<&str>, path: &Path) -> Result<(), CommandError> {
    let table = parquet_file::read(path)?;
    let (kind, evaluator) = table_evaluator(kind, path, &table)?;
    let dataset = Dataset::open(&request.against)?;
    let against = reference(request, &dataset);
    let evaluation = (evaluator.measure)(&MeasuredTable { path, table: &table, coverage: request.coverage }, &against)?;
    let text = tagged(kind, &evaluation);
    let out = request.out.clone().unwrap_or_else(|| path.with_extension("statistics.json"));
    files::write_whole(&out, text.as_bytes()).map_err(CommandError::io(&out))?;
    tell(request, &evaluation, &text)
}

fn dataset(request: &Request, kind: Option<&str>, folder: &Path, run: Option<&Path>) -> Result<(), CommandError> {
    if request.coverage {
        let records = request.records.display();
        return Err(CommandError::Usage(format!("--coverage: {records} is no file, expected a retrieval's table")));
    }
    let dataset = Dataset::open(folder)?;
    let (kind, evaluator) = records_evaluator(kind, folder, dataset.manifest())?;
    let other = Dataset::open(&request.against)?;
    let against = reference(request, &other);
    let evaluation = (evaluator.measure)(&Records { folder, dataset: &dataset }, &against)?;
    let text = tagged(kind, &evaluation);
    if let Some(out) = &request.out {
        files::write_whole(out, text.as_bytes()).map_err(CommandError::io(out))?;
    }
    if let Some(run) = run {
        let path = run.join("statistics.json");
        files::write_whole(&path, text.as_bytes()).map_err(CommandError::io(path))?;
        keep_examples(&run.join("examples"), &evaluation.examples)?;
    }
    tell(request, &evaluation, &text)
}

fn reference<'a>(request: &'a Request, dataset: &'a Dataset) -> Reference<'a> {
    Reference { folder: &request.against, dataset, split: request.split.as_deref() }
}

fn tell(request: &Request, evaluation: &Evaluation, text: &str) -> Result<(), CommandError> {
    say(if request.json { text } else { &evaluation.summary })
}

/// The statistics as text, with the kind that measured them.
fn tagged(kind: &str, evaluation: &Evaluation) -> String {
    let mut statistics = evaluation.statistics.clone();
    statistics["family"] = kind.into();
    statistics.to_string()
}

/// What measures a table: the kind of the run, that which the table's metadata names, or the first that has its columns.
fn table_evaluator(
    kind: Option<&str>,
    path: &Path,
    table: &Table,
) -> Result<(&'static str, TableEvaluator), CommandError> {
    let named = kind.or_else(|| table.metadata().get("family")?.as_str());
    let all = FamilySettings::evaluators();
    let mut found = candidates(&all, named, |evaluators| evaluators.table);
    if found.is_empty() {
        let wanted = kinds_with(&all, |evaluators| evaluators.table.is_some());
        let fault = format!("is of family \"{}\", expected a table of {wanted}", named.unwrap_or_default());
        return Err(CommandError::Wrong { path: path.to_owned(), fault });
    }
    let fits = found.iter().position(|(_, evaluator)| (evaluator.takes)(table).is_ok());
    let (kind, evaluator) = found.swap_remove(fits.unwrap_or(0));
    (evaluator.takes)(table).map_err(|fault| TableError::Column { path: path.to_owned(), fault })?;
    Ok((kind, evaluator))
}

/// What measures a dataset: the kind of the run, that which its `source.family` names, or the first that takes such records.
fn records_evaluator(
    kind: Option<&str>,
    folder: &Path,
    manifest: &Manifest,
) -> Result<(&'static str, RecordsEvaluator), CommandError> {
    let named = kind.or_else(|| manifest.source.get("family")?.as_str());
    let all = FamilySettings::evaluators();
    let mut found = candidates(&all, named, |evaluators| evaluators.records);
    let wrong = |reason: String| DataError::Manifest { path: folder.to_owned(), reason };
    if found.is_empty() {
        let wanted = kinds_with(&all, |evaluators| evaluators.records.is_some());
        let reason = format!("`source.family` is \"{}\", expected records of {wanted}", named.unwrap_or_default());
        return Err(wrong(reason).into());
    }
    let fits = found.iter().position(|(_, evaluator)| (evaluator.takes)(&manifest.modalities).is_ok());
    let (kind, evaluator) = found.swap_remove(fits.unwrap_or(0));
    (evaluator.takes)(&manifest.modalities).map_err(wrong)?;
    Ok((kind, evaluator))
}

/// The evaluators that come into question: that of the kind that is named, or of all kinds where none of the list is.
fn candidates<E>(
    all: &[(&'static str, Evaluators)],
    named: Option<&str>,
    of: impl Fn(&Evaluators) -> Option<E>,
) -> Vec<(&'static str, E)> {
    let named = named.filter(|named| FamilySettings::KINDS.contains(named));
    let asked = all.iter().filter(|(kind, _)| named.is_none_or(|named| named == *kind));
    asked.filter_map(|(kind, evaluators)| Some((*kind, of(evaluators)?))).collect()
}

/// Names of kinds, in words.
fn kinds_with(all: &[(&'static str, Evaluators)], has: impl Fn(&Evaluators) -> bool) -> String {
    let kinds = all.iter().filter(|(_, evaluators)| has(evaluators)).map(|(kind, _)| format!("\"{kind}\""));
    kinds.collect::<Vec<_>>().join(" or ")
}

/// Small datasets in the run's folder `examples`, so that a report needs nothing outside its run.
fn keep_examples(folder: &Path, examples: &[ExampleRecords]) -> Result<(), CommandError> {
    if examples.is_empty() {
        return Ok(());
    }
    files::create_folder(folder).map_err(CommandError::io(folder))?;
    let lock = FileLock::take(&folder.join("lock")).map_err(CommandError::io(folder))?;
    let lock = lock.ok_or_else(|| DataError::InUse { folder: folder.to_owned() })?;
    for one in examples {
        write_examples(&folder.join(one.name), one)?;
    }
    lock.remove().map_err(CommandError::io(folder))
}

fn write_examples(folder: &Path, examples: &ExampleRecords) -> Result<(), CommandError> {
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(CommandError::io(folder))?; // those of an earlier evaluation
    }
    let length = examples.header.modality().len();
    let writer = DatasetWriter::create(folder, examples.header.clone())?;
    let entries = (0..writer.shards()).map(|shard| {
        writer.write_blocks(shard, |records, rows| {
            let (start, end) = (records.start as usize, records.end as usize);
            rows.values[0].copy_from_slice(&examples.values[start * length..end * length]);
            rows.ids.copy_from_slice(&examples.ids[start..end]);
            Ok::<(), DataError>(())
        })
    });
    let entries = entries.collect::<Result<Vec<_>, DataError>>()?;
    writer.finish(entries)?;
    Ok(())
}
