//! What a retrieval works on, checked before any device is touched.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use super::Request;
use crate::app::CommandError;
use crate::app::apply::Application;
use crate::app::session::Session;
use crate::app::trained::Trained;
use crate::app::versions::PROGRAM;
use crate::catalog::Metadata;
use crate::family::spectra_gan::observation::{Observer, axis_of};
use crate::family::spectra_gan::retrieval::{Calibration, calibration_file};
use crate::family::spectra_gan::{Aspa, InstrumentOffsets, SpectrumMask};
use crate::files;
use crate::infer::latent_fit::{Contextual, FitSettings, OffsetGroup};

/// The key of offsets in the metadata of tables.
pub const OFFSETS: &str = "offsets";

/// A checked request.
pub struct Plan {
    /// The run and the dataset.
    pub application: Application,
    /// The codec of the run.
    pub aspa: Arc<Aspa>,
    /// How fits are made.
    pub settings: FitSettings,
    /// What is known of a spectrum.
    pub mask: SpectrumMask,
    /// Offsets between instruments.
    pub offsets: InstrumentOffsets,
    /// Their groups of points of the dataset.
    pub offset_groups: Vec<OffsetGroup>,
    /// What sees the spectra of the dataset behind it.
    pub observer: Observer,
    /// Records of the dataset.
    pub objects: Range<u64>,
    /// The table.
    pub out: PathBuf,
}

impl Plan {
    /// That of `request`. Called by all ranks; the folder of the table is made where there is none.
    pub fn make(session: &Session, request: &Request) -> Result<Self, CommandError> {
        let trained = Trained::open(session, &request.run, &request.which)?;
        let Some(aspa) = trained.facts.encoding().codec::<Aspa>() else {
            let fault = "makes maps, expected a run on spectra".into();
            return Err(CommandError::Wrong { path: request.run.clone(), fault });
        };
        let settings = request.fit.settings(&trained, &request.run)?;
        let mask = session.agree(SpectrumMask::parse(&request.mask))?;
        let offsets = session.agree(self::offsets(&request.offsets, &settings))?;
        let dataset = Arc::new(session.agree(trained.dataset(&request.spectra))?);
        let observer = session.agree(Observer::new(&dataset, &mask, &aspa))?;
        let offset_groups = session.agree(offsets.on(&axis_of(&dataset).wavelength_um, observer.mask()))?;
        let objects = within(request.records.clone(), dataset.manifest().count)?;
        let out = request.out.clone().unwrap_or_else(|| request.run.join("retrieval/table.parquet"));
        let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty() && request.workers.ledger.is_none());
        if let Some(folder) = folder {
            session.agree(files::create_folder(folder).map_err(CommandError::io(folder)))?;
        }
        let application = Application { trained, dataset };
        Ok(Self { application, aspa, settings, mask, offsets, offset_groups, observer, objects, out })
    }

    /// Centres of the bins of the spectra, in micrometres.
    pub fn wavelength_um(&self) -> &[f64] {
        &axis_of(&self.application.dataset).wavelength_um
    }

    /// Metadata of the table.
    pub fn metadata(&self, request: &Request, calibration: Option<&Calibration>) -> Metadata {
        let Application { trained, dataset } = &self.application;
        let mut metadata = Metadata::new();
        let mut put = |key: &str, value: serde_json::Value| metadata.insert(key.to_owned(), value);
        put("checkpoint", trained.checkpoint.checksum().into());
        put("step", trained.checkpoint.state.step.into());
        put("averaged_weights", trained.averaged.into());
        put("dataset", dataset.checksum().into());
        put("mask", self.mask.to_string().into());
        put("seed", request.seed.into());
        put("fit", serde_json::to_value(&self.settings).expect("settings are a table"));
        put("version", PROGRAM.into());
        if !self.offsets.is_empty() {
            put(OFFSETS, self.offsets.in_short());
        }
        if let Some(calibration) = calibration {
            put("calibration", calibration_file::in_short(calibration));
        }
        metadata
    }
}

/// The offsets that `words` say, for fits by `settings`.
pub fn offsets(words: &[String], settings: &FitSettings) -> Result<InstrumentOffsets, CommandError> {
    let offsets = InstrumentOffsets::parse(words)?;
    if !offsets.is_empty() && settings.loss != Contextual::ChiSquare {
        let loss = if settings.loss == Contextual::L1 { "l1" } else { "l2" };
        return Err(CommandError::Usage(format!(
            "--offsets: `loss` is {loss}, expected chi_square, which offsets are marginalised in"
        )));
    }
    Ok(offsets)
}

fn within(asked: Option<Range<u64>>, count: u64) -> Result<Range<u64>, CommandError> {
    let range = asked.unwrap_or(0..count);
    if range.end <= count {
        return Ok(range);
    }
    let Range { start, end } = range;
    Err(CommandError::Usage(format!("--records is {start}..{end}, expected some of 0..{count}")))
}
