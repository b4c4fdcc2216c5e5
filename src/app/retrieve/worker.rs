//! Retrieval as the work of a ledger: any number of workers that come and go.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::table::{Reader, Retrieved};
use crate::app::CommandError;
use crate::app::fit_spectra::{Observation, Spectra};
use crate::app::fits::{Post, fit_ledger};
use crate::catalog::Metadata;
use crate::data::Dataset;
use crate::exit::Exit;
use crate::family::spectra_gan::retrieval::{Posterior, table};
use crate::family::spectra_gan::{Aspa, AxisMask};
use crate::files;
use crate::infer::Networks;
use crate::infer::latent_fit::{Known, LatentFit};
use crate::ledger::merge::{Finished, Merged};
use crate::ledger::{Block, Ledger, Work};

/// The command of its ledgers.
pub const COMMAND: &str = "retrieve";

/// Where spectra come from, on any thread.
pub struct Source {
    /// The records.
    pub dataset: Arc<Dataset>,
    /// What is known of them.
    pub mask: AxisMask,
    /// The networks' codec.
    pub aspa: Arc<Aspa>,
}

/// The work on `objects`, described by the metadata of the table that it makes.
pub fn work(objects: Range<u64>, objects_per_block: u64, metadata: &Metadata) -> Work {
    Work {
        command: COMMAND.into(),
        first_object: objects.start,
        end_object: objects.end,
        objects_per_block,
        description: toml::Table::try_from(metadata).expect("metadata are a table without nulls"),
    }
}

/// Works on this rank until the ledger is done, or time or a signal ends it.
pub fn run(
    post: &Post,
    fit: &LatentFit,
    networks: &Networks,
    source: Source,
    reader: &Reader,
) -> Result<Exit, CommandError> {
    let load = move |block: Block| {
        let mut spectra = Spectra::new(&source.dataset, &source.mask, &source.aspa);
        block.objects().map(|object| spectra.observation(object)).collect()
    };
    let known = |_, observation: &Observation| Ok(Box::new(observation.spectrum.clone()) as Box<dyn Known>);
    fit_ledger(post, fit, load, known, |observation, fitted| {
        let posterior = Posterior::of(networks, fitted, false);
        let retrieved = reader.retrieved(&observation, &posterior, &reader.read(&observation, &posterior));
        Ok(postcard::to_stdvec(&retrieved).expect("rows are numbers"))
    })
}

/// Writes the table of a finished ledger, and how many objects it lacks; `next` is called for each.
pub fn merge(ledger: &Ledger, out: &Path, next: &mut dyn FnMut()) -> Result<Merged, CommandError> {
    let description = serde_json::to_value(&ledger.work().description).expect("a table is an object");
    let serde_json::Value::Object(mut metadata) = description else { unreachable!("a table is an object") };
    let finished = Finished::of(ledger)?;
    // As `retrieve` without a ledger does: RUN/retrieval is no folder that anybody else makes.
    if let Some(folder) = out.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        files::create_folder(folder).map_err(CommandError::io(folder))?;
    }
    table::write(out, |hand| {
        let merged = finished.merge(|object, outcome| {
            next();
            let Ok(payload) = outcome else { return Ok(()) }; // counted, and told of by `ledger status`
            let Retrieved { row, samples } = postcard::from_bytes(&payload).map_err(|fault| CommandError::Wrong {
                path: ledger.folder().to_owned(),
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
