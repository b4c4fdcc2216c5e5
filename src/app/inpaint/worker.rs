//! Inpainting as the work of a ledger: any number of workers that come and go, one dataset.

use std::path::Path;
use std::sync::Arc;

use super::deviation::Deviation;
use super::filler::Filler;
use crate::app::CommandError;
use crate::app::fits::{Post, fit_ledger};
use crate::app::records::{Record, Records};
use crate::app::shards;
use crate::data::{Dataset, DatasetWriter, Header, Manifest, OutputLock};
use crate::exit::Exit;
use crate::infer::latent_fit::LatentFit;
use crate::ledger::merge::{Finished, Merged};
use crate::ledger::{self, Block, Ledger, Work};
use crate::one_line;

/// The command of its ledgers.
pub const COMMAND: &str = "inpaint";

/// The work on all records of the dataset that is to be, described by its manifest without shards.
pub fn work(header: Header, objects_per_block: u64) -> Work {
    Work {
        command: COMMAND.into(),
        first_object: 0,
        end_object: header.count,
        objects_per_block,
        description: toml::Table::try_from(Manifest::new(header, Vec::new())).expect("a manifest is a table"),
    }
}

/// Works on this rank until the ledger is done, or time or a signal ends it.
pub fn run(post: &Post, fit: &LatentFit, filler: &Filler, dataset: Arc<Dataset>) -> Result<Exit, CommandError> {
    let load = move |block: Block| {
        let mut records = Records::of(&dataset);
        block.objects().map(|object| Ok(records.read(object)?)).collect()
    };
    let known = |object, record: &Record| filler.known(object, record);
    fit_ledger(post, fit, load, known, |record, fitted| {
        let filled = filler.filled(record, fitted).map_err(|fault| fault.to_string())?;
        Ok(postcard::to_stdvec(&filled).expect("records are numbers"))
    })
}

/// Writes the dataset of a finished ledger, without the objects in quarantine; `next` is called for each object.
pub fn merge(ledger: &Ledger, out: &Path, next: &mut dyn FnMut()) -> Result<Merged, CommandError> {
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
            let (record, its): (Record, Deviation) = postcard::from_bytes(&payload)
                .map_err(|fault| wrong(format!("object {object}: {fault}, expected what this program fills in")))?;
            if record.values.len() != manifest.modality().len() || record.labels.len() != manifest.labels.len() {
                let shape = &manifest.modality().shape;
                return Err(wrong(format!("object {object} is of another shape, expected {shape:?}")));
            }
            off.add(its);
            hand(record)
        })?;
        Ok(())
    })?;
    writer.finish(entries)?;
    off.tell(&header);
    Ok(merged)
}
