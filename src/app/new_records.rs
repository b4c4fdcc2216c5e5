//! Datasets of records that networks made anew of those of another one: written by all ranks, or merged from a ledger.

use std::path::Path;

use super::apply::Application;
use super::output_dataset::OutputDataset;
use super::session::Session;
use super::{CommandError, shards};
use crate::data::{DatasetWriter, Header, Manifest, OutputLock};
use crate::infer::RecordMap;
use crate::infer::inpaint::{Deviation, NewRecord};
use crate::ledger::merge::{Finished, Merged};
use crate::ledger::{self, Ledger, Work};
use crate::one_line;

/// How a command tells how far its records are from those that they were made of.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// What was done to values.
    pub what: &'static str,
    /// Of what the mean is that stands beside.
    pub beside: &'static str,
}

/// Writes the dataset `out` of what `map` makes of all records.
pub fn write<M: RecordMap<Output = NewRecord>>(
    session: &Session,
    application: &Application,
    map: &M,
    out: &OutputDataset,
    header: &Header,
    told: Told,
) -> Result<(), CommandError> {
    let mut mine = Deviation::default();
    shards::write_evenly(session, out, header.clone(), |run, hand| {
        application.map(session, map, run, |NewRecord { record, deviation }| {
            mine.add(deviation);
            hand(record)
        })
    })?;
    let mut all = Deviation::default();
    for bytes in session.comm().gather(&postcard::to_stdvec(&mine).expect("sums are numbers")) {
        all.add(postcard::from_bytes(&bytes).expect("what a rank wrote can be read"));
    }
    if session.rank() == 0 {
        all.tell(header, told.what, told.beside);
    }
    Ok(())
}

/// The work of `command` on all records of the dataset that is to be, described by its manifest without shards.
pub fn work(command: &str, header: Header, objects_per_block: u64) -> Work {
    Work {
        command: command.into(),
        first_object: 0,
        end_object: header.count,
        objects_per_block,
        description: toml::Table::try_from(Manifest::new(header, Vec::new())).expect("a manifest is a table"),
    }
}

/// Writes the dataset of a finished ledger, without the objects in quarantine; `next` is called for each object.
pub fn merge(ledger: &Ledger, out: &Path, told: Told, next: &mut dyn FnMut()) -> Result<Merged, CommandError> {
    let wrong = |fault: String| CommandError::Wrong { path: ledger.folder().join(ledger::FILE_NAME), fault };
    let manifest: Manifest =
        ledger.work().description.clone().try_into().map_err(|error| wrong(one_line::message(&error)))?;
    let finished = Finished::of(ledger)?;
    let header = manifest.header().without(&finished.quarantined()?);
    if header.count == 0 {
        return Err(wrong("has nothing but objects in quarantine, expected some that are done".into()));
    }
    let _lock = OutputLock::take(out)?;
    let writer = DatasetWriter::create(out, header.clone())?;
    let shards: Vec<usize> = (0..writer.shards()).collect();
    let (mut merged, mut off) = (Merged::default(), Deviation::default());
    let entries = shards::write_stream(&writer, &shards, |hand| {
        merged = finished.merge(|object, outcome| {
            next();
            let Ok(payload) = outcome else { return Ok(()) }; // counted, and told of by `ledger status`
            let NewRecord { record, deviation } = postcard::from_bytes(&payload)
                .map_err(|fault| wrong(format!("object {object}: {fault}, expected what this program makes")))?;
            if record.values.len() != manifest.modality().len() || record.labels.len() != manifest.labels.len() {
                let shape = &manifest.modality().shape;
                return Err(wrong(format!("object {object} is of another shape, expected {shape:?}")));
            }
            off.add(deviation);
            hand(record)
        })?;
        Ok(())
    })?;
    writer.finish(entries)?;
    off.tell(&header, told.what, told.beside);
    Ok(merged)
}
