//! What a retrieval leaves: the table with its samples, the dataset of best fits, and objects for the report.

use std::path::{Path, PathBuf};

use super::plan::Plan;
use serde::{Deserialize, Serialize};

use crate::app::CommandError;
use crate::app::apply::Application;
use crate::app::output_dataset::OutputDataset;
use crate::app::session::Session;
use crate::app::shards;
use crate::atmosphere::QUANTITIES;
use crate::catalog::{Metadata, write_by_ranks};
use crate::data::{Header, Record, split};
use crate::family::spectra_gan::observation::whole;
use crate::family::spectra_gan::report::examples::{ExampleObject, ExampleParameter, RetrievalExamples};
use crate::family::spectra_gan::retrieval::{Retrieve, Retrieved, RetrievedObject, table};
use crate::files;
use crate::infer::map_records::run_of_rank;
use crate::ledger::merge::{Finished, Merged};
use crate::ledger::{self, Ledger};

/// Writes what `retrieve` makes of the objects of `plan`, as it comes. Called by all ranks.
///
/// - `fits`: where the best fits go, if they are wanted
pub fn write(
    session: &Session,
    plan: &Plan,
    retrieve: &Retrieve,
    fits: Option<&OutputDataset>,
    metadata: Metadata,
) -> Result<(), CommandError> {
    let header = header(plan, &metadata);
    let mut summary = Summary::default();
    let make = |hand: &mut dyn FnMut(Record) -> Result<(), CommandError>| {
        write_by_ranks(
            session.comm(),
            &plan.out,
            |fill| {
                forget_examples(&plan.out)?;
                table::write(&plan.out, &plan.offsets.names(), |put| {
                    fill(&mut |Retrieved { row, samples }| Ok(put(row, samples)?))?;
                    Ok(((), metadata))
                })
            },
            |take| {
                let run = run_of_rank(&plan.objects, session.rank(), session.ranks());
                plan.application.map(session, retrieve, run, |object| {
                    let RetrievedObject { retrieved, truth, best_depths, example } = object;
                    summary.add(&retrieved, &truth, example);
                    if fits.is_some() {
                        let labels = retrieved.row.parameters.iter().map(|interval| interval.median).collect();
                        hand(Record { id: retrieved.row.id, values: best_depths, labels })?;
                    }
                    take(retrieved)
                })
            },
        )
    };
    match fits {
        Some(fits) => shards::write_evenly(session, fits, header, |_, hand| make(hand))?,
        None => make(&mut |_| Ok(()))?,
    }
    summary.write(session, &examples_path(&plan.out))
}

/// Header of the dataset of best fits: the ids of the objects, with their medians as labels.
fn header(plan: &Plan, metadata: &Metadata) -> Header {
    let Application { dataset, .. } = &plan.application;
    let count = plan.objects.end - plan.objects.start;
    let mut source = toml::Table::try_from(metadata).expect("metadata are a table without nulls");
    source.insert("made_by".into(), super::COMMAND.into());
    let splits = split::by_shares(count, 0.0, 1.0);
    Header { count, splits, source, ..whole(dataset.manifest().header()) }
}

/// Where the objects of the table `out` lie that a report shows: `NAME.examples.json` beside `NAME.parquet`.
fn examples_path(out: &Path) -> PathBuf {
    out.with_extension("examples.json")
}

/// Removes the objects of the table that `out` was before, which are not those of the table that it will be.
fn forget_examples(out: &Path) -> Result<(), CommandError> {
    let path = examples_path(out);
    match files::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(CommandError::io(path)(error)),
        _ => Ok(()),
    }
}

/// What a retrieval tells beside its table.
#[derive(Default, Serialize, Deserialize)]
struct Summary {
    examples: Vec<ExampleObject>,
    /// Of each parameter, the sum of |median - truth| over objects whose truth is known, and their number.
    errors: [(f64, u64); QUANTITIES.len()],
}

impl Summary {
    fn add(&mut self, retrieved: &Retrieved, truth: &[f32], example: Option<ExampleObject>) {
        let intervals = &retrieved.row.parameters;
        for ((sum, count), (interval, truth)) in self.errors.iter_mut().zip(intervals.iter().zip(truth)) {
            if !truth.is_nan() {
                *sum += f64::from((interval.median - truth).abs());
                *count += 1;
            }
        }
        self.examples.extend(example);
    }

    /// Says the errors over all ranks, and writes all examples to `path`: as many as were asked for.
    fn write(self, session: &Session, path: &Path) -> Result<(), CommandError> {
        let comm = session.comm();
        if comm.rank() > 0 {
            comm.send_bytes(0, &postcard::to_stdvec(&self).expect("it is numbers"));
            return session.agree(Ok::<(), CommandError>(()));
        }
        let mut all = self;
        for rank in 1..comm.ranks() {
            let more: Self = postcard::from_bytes(&comm.receive_bytes(rank)).expect("it is what a rank wrote");
            for ((sum, count), (its, known)) in all.errors.iter_mut().zip(more.errors) {
                *sum += its;
                *count += known;
            }
            all.examples.extend(more.examples);
        }
        let known: Vec<String> = QUANTITIES
            .iter()
            .zip(all.errors)
            .filter(|(_, (_, count))| *count > 0)
            .map(|(quantity, (sum, count))| format!("{} {:.3} {}", quantity.name, sum / count as f64, quantity.unit))
            .collect();
        if !known.is_empty() {
            log::info!("mean absolute errors of medians: {}", known.join(", "));
        }
        let parameters = QUANTITIES
            .iter()
            .map(|quantity| ExampleParameter { name: quantity.name.into(), unit: quantity.unit.into() });
        let examples = RetrievalExamples { parameters: parameters.collect(), objects: all.examples };
        let text = serde_json::to_string(&examples).expect("examples are numbers");
        session.agree(files::write_whole(path, text.as_bytes()).map_err(CommandError::io(path)))
    }
}

/// Writes the table of a finished ledger, without the objects in quarantine; `next` is called for each object.
pub fn merge(ledger: &Ledger, out: &Path, next: &mut dyn FnMut()) -> Result<Merged, CommandError> {
    let description = serde_json::to_value(&ledger.work().description).expect("a table is an object");
    let serde_json::Value::Object(mut metadata) = description else { unreachable!("a table is an object") };
    let finished = Finished::of(ledger)?;
    // As `retrieve` without a ledger does: RUN/retrieval is no folder that anybody else makes.
    if let Some(folder) = out.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        files::create_folder(folder).map_err(CommandError::io(folder))?;
    }
    forget_examples(out)?;
    let offsets = metadata.get(super::plan::OFFSETS).and_then(serde_json::Value::as_object);
    let names: Vec<String> = offsets.into_iter().flat_map(serde_json::Map::keys).cloned().collect();
    table::write(out, &names, |hand| {
        let merged = finished.merge(|object, outcome| {
            next();
            let Ok(payload) = outcome else { return Ok(()) }; // counted, and told of by `ledger status`
            let Retrieved { row, samples } = postcard::from_bytes(&payload).map_err(|fault| CommandError::Wrong {
                path: ledger.folder().join(ledger::FILE_NAME),
                fault: format!("object {object}: {fault}, expected what this program retrieves"),
            })?;
            Ok::<(), CommandError>(hand(row, samples)?)
        })?;
        if merged.quarantined > 0 {
            metadata.insert("quarantined".into(), merged.quarantined.into());
        }
        Ok((merged, metadata))
    })
}
