//! `skyforge restore`: the records of a dataset as a model reconstructs them.

use std::path::PathBuf;
use std::time::Instant;

use super::apply::{Application, LedgerRequest};
use super::new_records::{self, Told};
use super::output_dataset::OutputDataset;
use super::session::Session;
use super::trained::Which;
use super::versions::PROGRAM;
use super::{CommandError, Trained};
use crate::data::{Dataset, Header};
use crate::exit::Exit;
use crate::infer::restore::{Reconstruction, Restore};
use crate::nn::Precision;

/// The command of its ledgers.
pub const COMMAND: &str = "restore";

/// How it tells of deviations.
pub const TOLD: Told = Told { what: "restored", beside: "each record" };

/// Objects of a block of a ledger: whole batches.
const OBJECTS_PER_BLOCK: u64 = 1024;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// The run folder.
    pub run: PathBuf,
    /// The dataset.
    pub dataset: PathBuf,
    /// The folder of the new dataset, where no ledger is worked on.
    pub out: Option<PathBuf>,
    /// The ledger, where one is worked on.
    pub workers: LedgerRequest,
    /// Which checkpoint and weights.
    pub which: Which,
}

/// Restores this rank's share of the records, and writes this rank's shards; or works on a ledger.
pub fn run(session: &Session, request: &Request) -> Result<Exit, CommandError> {
    let begun = Instant::now();
    let application = Application::open(session, &request.run, &request.which, &request.dataset)?;
    let out = request.out.as_deref().map(|out| OutputDataset::lock(session, out)).transpose()?;
    let model = application.model(session, Precision::Fp32)?;
    let Application { trained, dataset } = &application;
    let Some(reconstructor) = model.reconstructor() else {
        return Err(trained.cannot(
            &request.run,
            "reconstructs no records",
            "a run of a model that reconstructs records",
        ));
    };
    let reconstruction = Reconstruction {
        model: reconstructor,
        encoding: trained.facts.encoding(),
        modality: dataset.manifest().modality(),
    };
    let map = Restore::new(&reconstruction);
    let header = Header { source: source(trained, dataset), ..dataset.manifest().header() };
    let Some(out) = &out else {
        let objects_per_block = request.workers.objects_per_block.unwrap_or(OBJECTS_PER_BLOCK);
        let work = new_records::work(COMMAND, header, objects_per_block);
        return application.map_on_ledger(session, &map, work, &request.workers);
    };
    new_records::write(session, &application, &map, out, &header, TOLD)?;
    let (count, [_, names]) = (header.count, application.names());
    log::info!("{count} {names} restored in {:.1} s: {}", begun.elapsed().as_secs_f64(), out.folder().display());
    Ok(Exit::Done)
}

/// What the new dataset says of how it was made.
fn source(trained: &Trained, dataset: &Dataset) -> toml::Table {
    let known: [(&str, toml::Value); 7] = [
        ("made_by", COMMAND.into()),
        ("version", PROGRAM.into()),
        ("family", trained.facts.family.kind().into()),
        ("step", (trained.checkpoint.state.step as i64).into()),
        ("checkpoint", trained.checkpoint.checksum().into()),
        ("averaged_weights", trained.averaged.into()),
        ("dataset", dataset.checksum().into()),
    ];
    known.map(|(key, value)| (key.to_owned(), value)).into_iter().collect()
}
