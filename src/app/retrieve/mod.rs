//! `skyforge retrieve`: spectra to posteriors of the parameters of their atmospheres.

mod calibrate;
mod output;
mod plan;

use std::ops::Range;
use std::path::PathBuf;
use std::time::Instant;

pub use self::output::merge;
use self::plan::Plan;
use super::CommandError;
use super::apply::LedgerRequest;
use super::fit_settings::{self, FitRequest};
use super::output_dataset::OutputDataset;
use super::session::Session;
use super::trained::Which;
use crate::exit::Exit;
use crate::family::spectra_gan::SpectrumMask;
use crate::family::spectra_gan::retrieval::{Extras, Reader, Retrieve, RetrieveRows};
use crate::infer::latent_fit::LatentFit;
use crate::ledger::Work;
use crate::rng::Draw;

/// The command of its ledgers.
pub const COMMAND: &str = "retrieve";

/// Spectra on which a calibration is measured where nothing else is said.
pub const CALIBRATION_SPECTRA: u64 = 1024;

/// So many take a minute or so.
const OBJECTS_PER_BLOCK: u64 = 256;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// The run folder.
    pub run: PathBuf,
    /// The dataset of spectra.
    pub spectra: PathBuf,
    /// The table; `RUN/retrieval/table.parquet` where it is not given.
    pub out: Option<PathBuf>,
    /// The dataset of the best fits, where it is wanted.
    pub fits: Option<PathBuf>,
    /// What is known, in words.
    pub mask: String,
    /// Offsets between instruments, each as `INSTRUMENT=SIGMA`.
    pub offsets: Vec<String>,
    /// How fits are made.
    pub fit: FitRequest,
    /// A dataset of simulated spectra on which the generator is to be calibrated.
    pub calibrate: Option<PathBuf>,
    /// Spectra of it that are taken.
    pub calibration_count: u64,
    /// Spectra of it of which all restarts are made.
    pub calibration_intervals: u64,
    /// Whether medians are moved.
    pub adjust: bool,
    /// Records of the dataset; all where it is not given.
    pub records: Option<Range<u64>>,
    /// The ledger, where one is worked on.
    pub workers: LedgerRequest,
    /// Objects at the head of the table that the report shows.
    pub examples: u64,
    /// Seed of all random numbers.
    pub seed: u64,
    /// Which checkpoint and weights.
    pub which: Which,
}

impl Request {
    /// Whether each who runs it is a worker; a calibration is made together.
    pub fn is_for_workers(&self) -> bool {
        self.workers.ledger.is_some() && self.calibrate.is_none()
    }

    /// Refuses what `run` would refuse before it opens anything.
    pub fn check_ahead(&self) -> Result<(), CommandError> {
        let settings = fit_settings::with(&self.fit.preset.settings(true), &self.fit.sets)?;
        SpectrumMask::parse(&self.mask)?;
        plan::offsets(&self.offsets, &settings)?;
        Ok(())
    }
}

/// Retrieves this rank's share of the spectra; or works on a ledger.
pub fn run(session: &Session, request: &Request) -> Result<Exit, CommandError> {
    let begun = Instant::now();
    let plan = Plan::make(session, request)?;
    let fits = request.fits.as_deref().map(|fits| OutputDataset::lock(session, fits)).transpose()?;
    let model = plan.application.model(session, plan.settings.precision)?;
    let Some(networks) = model.latent_networks() else {
        let (what, wanted) = ("has no latent vector to fit", "a run of a GAN");
        return Err(plan.application.trained.cannot(&request.run, what, wanted));
    };
    let calibration = calibrate::calibration(session, request, &plan, networks)?;
    let metadata = plan.metadata(request, calibration.as_ref());
    let draw = Draw::new(request.seed);
    let variance = calibration.as_ref().map(|calibration| calibration.variance.clone());
    let fit = LatentFit::new(networks, plan.settings.clone(), variance, draw).with_offsets(&plan.offset_groups);
    let reader = Reader { calibration: calibration.as_ref(), offsets: &plan.offset_groups, draw };
    let objects = plan.objects.clone();
    let extras = match &request.workers.ledger {
        Some(_) => Extras::default(),
        None => Extras {
            best_depths: fits.is_some(),
            examples: objects.start..objects.start.saturating_add(request.examples),
        },
    };
    let retrieve = Retrieve::new(fit, &plan.observer, plan.wavelength_um(), reader, extras);
    if request.workers.ledger.is_some() {
        let work = Work {
            command: COMMAND.into(),
            first_object: objects.start,
            end_object: objects.end,
            objects_per_block: request.workers.objects_per_block.unwrap_or(OBJECTS_PER_BLOCK),
            description: toml::Table::try_from(&metadata).expect("metadata are a table without nulls"),
        };
        return plan.application.map_on_ledger(session, &RetrieveRows(retrieve), work, &request.workers);
    }
    let fitting = Instant::now();
    output::write(session, &plan, &retrieve, fits.as_ref(), metadata)?;
    let (count, seconds) = (objects.end - objects.start, fitting.elapsed().as_secs_f64());
    log::info!(
        "{count} spectra in {seconds:.1} s, {:.3} s each (all in all {:.1} s): {}",
        seconds / count as f64,
        begun.elapsed().as_secs_f64(),
        plan.out.display()
    );
    Ok(Exit::Done)
}
