//! `skyforge embed` and `skyforge predict`: a table of the numbers that a model computes of each record.

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::json;

use super::CommandError;
use super::apply::{Application, LedgerRequest};
use super::session::Session;
use super::trained::Which;
use super::versions::PROGRAM;
use crate::catalog::{Column, Metadata, Table, Values, parquet_file, write_by_ranks};
use crate::exit::Exit;
use crate::files;
use crate::infer::OutputColumn;
use crate::infer::columns::{ColumnMap, OutputRow};
use crate::infer::map_records::run_of_rank;
use crate::ledger::merge::{Finished, Merged};
use crate::ledger::{self, Ledger, Work};
use crate::nn::Precision;

/// Which numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbers {
    /// Features, by `embed`.
    Features,
    /// Quantities, by `predict`.
    Predictions,
}

impl Numbers {
    /// The command that computes them, as ledgers name it.
    pub const fn command(self) -> &'static str {
        match self {
            Self::Features => "embed",
            Self::Predictions => "predict",
        }
    }
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// The run folder.
    pub run: PathBuf,
    /// The dataset.
    pub dataset: PathBuf,
    /// The table, where no ledger is worked on.
    pub out: Option<PathBuf>,
    /// The ledger, where one is worked on.
    pub workers: LedgerRequest,
    /// Which checkpoint and weights.
    pub which: Which,
}

/// Objects of a block of a ledger: whole batches.
const OBJECTS_PER_BLOCK: u64 = 1024;

/// Key of a ledger's description under which its columns stand.
const COLUMNS: &str = "columns";

/// Computes the numbers of this rank's share of the records; or works on a ledger.
pub fn run(session: &Session, request: &Request, numbers: Numbers) -> Result<Exit, CommandError> {
    let begun = Instant::now();
    let application = Application::open(session, &request.run, &request.which, &request.dataset)?;
    let model = application.model(session, Precision::Fp32)?;
    let (output, cannot, wanted) = match numbers {
        Numbers::Features => {
            (model.embedding(&application.dataset), "computes no features", "a run of a model that computes features")
        }
        Numbers::Predictions => {
            (model.prediction(&application.dataset), "predicts nothing", "a run of a model that predicts quantities")
        }
    };
    let output = output.ok_or_else(|| application.trained.cannot(&request.run, cannot, wanted))?;
    if let Some(folder) = request.out.as_deref().and_then(Path::parent).filter(|folder| !folder.as_os_str().is_empty())
    {
        session.agree(files::create_folder(folder).map_err(CommandError::io(folder)))?;
    }
    let map = ColumnMap::new(&output);
    let metadata = metadata(&application, numbers);
    let records = 0..application.dataset.manifest().count;
    let Some(out) = &request.out else {
        let work = work(numbers, records.end, &request.workers, &metadata, &output.columns);
        return application.map_on_ledger(session, &map, work, &request.workers);
    };
    let run = run_of_rank(&records, session.rank(), session.ranks());
    write_by_ranks(
        session.comm(),
        out,
        |fill| {
            write(out, &output.columns, |put| {
                fill(&mut |row| Ok(put(row)?))?;
                Ok(((), metadata))
            })
        },
        |take| application.map(session, &map, run, take),
    )?;
    let (count, [_, names]) = (records.end, application.names());
    let columns = output.columns.len();
    log::info!(
        "{columns} numbers of {count} {names} each in {:.1} s: {}",
        begun.elapsed().as_secs_f64(),
        out.display()
    );
    Ok(Exit::Done)
}

/// Metadata of the table.
fn metadata(application: &Application, numbers: Numbers) -> Metadata {
    let Application { trained, dataset } = application;
    let value = json!({
        "made_by": numbers.command(),
        "family": trained.facts.family.kind(),
        "checkpoint": trained.checkpoint.checksum(),
        "step": trained.checkpoint.state.step,
        "averaged_weights": trained.averaged,
        "dataset": dataset.checksum(),
        "version": PROGRAM,
    });
    let serde_json::Value::Object(metadata) = value else { unreachable!("it is an object") };
    metadata
}

/// The work on all records, described by the metadata and the columns of the table that it makes.
fn work(numbers: Numbers, count: u64, workers: &LedgerRequest, metadata: &Metadata, columns: &[OutputColumn]) -> Work {
    let mut description = toml::Table::try_from(metadata).expect("metadata are a table without nulls");
    let columns: Vec<toml::Value> =
        columns.iter().map(|column| toml::Value::try_from(column).expect("a column is a table")).collect();
    description.insert(COLUMNS.into(), columns.into());
    Work {
        command: numbers.command().into(),
        first_object: 0,
        end_object: count,
        objects_per_block: workers.objects_per_block.unwrap_or(OBJECTS_PER_BLOCK),
        description,
    }
}

/// Writes the table of a finished ledger, without the objects in quarantine; `next` is called for each object.
pub fn merge(ledger: &Ledger, out: &Path, next: &mut dyn FnMut()) -> Result<Merged, CommandError> {
    let wrong = |fault: String| CommandError::Wrong { path: ledger.folder().join(ledger::FILE_NAME), fault };
    let mut description = ledger.work().description.clone();
    let columns = description.remove(COLUMNS).ok_or_else(|| wrong(format!("has no `{COLUMNS}`, expected a list")))?;
    let columns: Vec<OutputColumn> = columns.try_into().map_err(|error: toml::de::Error| {
        wrong(format!("`{COLUMNS}`: {}, expected columns of a table", crate::one_line::message(&error)))
    })?;
    let description = serde_json::to_value(&description).expect("a table is an object");
    let serde_json::Value::Object(mut metadata) = description else { unreachable!("a table is an object") };
    let finished = Finished::of(ledger)?;
    if let Some(folder) = out.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        files::create_folder(folder).map_err(CommandError::io(folder))?;
    }
    write(out, &columns, |put| {
        let merged = finished.merge(|object, outcome| {
            next();
            let Ok(payload) = outcome else { return Ok(()) }; // counted, and told of by `ledger status`
            let row: OutputRow = postcard::from_bytes(&payload)
                .map_err(|fault| wrong(format!("object {object}: {fault}, expected what this program computes")))?;
            if row.values.len() != columns.len() {
                let have = row.values.len();
                return Err(wrong(format!("object {object} has {have} numbers, expected {}", columns.len())));
            }
            Ok::<(), CommandError>(put(row)?)
        })?;
        if merged.quarantined > 0 {
            metadata.insert("quarantined".into(), merged.quarantined.into());
        }
        Ok((merged, metadata))
    })
}

/// Writes a table with a row a record, whole or not at all: its id, and the numbers.
fn write<T>(
    out: &Path,
    columns: &[OutputColumn],
    fill: impl FnOnce(
        &mut dyn FnMut(OutputRow) -> Result<(), crate::catalog::TableError>,
    ) -> Result<(T, Metadata), CommandError>,
) -> Result<T, CommandError> {
    let to_table = |rows: &[OutputRow], metadata| {
        let ids = Values::U64(rows.iter().map(|row| row.id).collect());
        let mut all = vec![Column::new("id", "1", "the record's id in its dataset", ids)];
        all.extend(columns.iter().enumerate().map(|(at, OutputColumn { name, unit, description })| {
            let values = rows.iter().map(|row| row.values[at]).collect();
            Column::new(name.as_str(), unit, description.as_str(), Values::F32(values))
        }));
        Table::new(metadata, all)
    };
    parquet_file::write_rows(out, to_table, fill)
}
