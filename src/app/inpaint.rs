//! `skyforge inpaint`: what is not known of maps or spectra, filled in by a trained generator.

use std::path::PathBuf;
use std::time::Instant;

use super::apply::{Application, LedgerRequest};
use super::fit_settings::FitRequest;
use super::new_records::{self, Told};
use super::output_dataset::OutputDataset;
use super::session::Session;
use super::trained::{Trained, Which};
use super::versions::PROGRAM;
use super::{CommandError, fit_settings};
use crate::config::ConfigError;
use crate::data::mask::{MapMask, MaskError};
use crate::data::{Dataset, Encoding, Header, Kind};
use crate::exit::Exit;
use crate::family::spectra_gan::inpaint::SpectrumHoles;
use crate::family::spectra_gan::observation::{Observer, whole};
use crate::family::spectra_gan::retrieval::{Calibration, ERRORS_OF, Errors, UNMEASURED, calibration_file};
use crate::family::spectra_gan::{Aspa, InstrumentOffsets, SpectrumMask};
use crate::infer::inpaint::{Holes, Inpaint, MapHoles};
use crate::infer::latent_fit::{Contextual, FitSettings, LatentFit};
use crate::rng::Draw;

/// The command of its ledgers.
pub const COMMAND: &str = "inpaint";

/// How it tells of deviations.
pub const TOLD: Told = Told { what: "filled in", beside: "what is known" };

/// So many take minutes where no embedder helps: of maps, and of spectra.
const OBJECTS_PER_BLOCK: [u64; 2] = [16, 256];

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// The run folder.
    pub run: PathBuf,
    /// The dataset of maps or spectra.
    pub dataset: PathBuf,
    /// What is known, or what is to be filled, in words.
    pub mask: String,
    /// The folder of the new dataset, where no ledger is worked on.
    pub out: Option<PathBuf>,
    /// How fits are made.
    pub fit: FitRequest,
    /// The ledger, where one is worked on.
    pub workers: LedgerRequest,
    /// Seed of all random numbers.
    pub seed: u64,
    /// Which checkpoint and weights.
    pub which: Which,
}

/// Fits this rank's share of the records, and writes this rank's shards; or works on a ledger.
pub fn run(session: &Session, request: &Request) -> Result<Exit, CommandError> {
    let begun = Instant::now();
    let application = Application::open(session, &request.run, &request.which, &request.dataset)?;
    let Application { trained, dataset } = &application;
    let settings = settings(request, trained)?;
    let out = request.out.as_deref().map(|out| OutputDataset::lock(session, out)).transpose()?;
    let draw = Draw::new(request.seed);
    let hidden = session.agree(Hidden::of(request, trained, dataset, draw))?;
    let model = application.model(session, settings.precision)?;
    let Some(networks) = model.latent_networks() else {
        return Err(trained.cannot(&request.run, "has no latent vector to fit", "a run of a GAN"));
    };
    let calibration = calibration(session, request, &application, &settings, &hidden)?;
    let source = source(request, trained, &settings, dataset, hidden.word(), calibration.as_ref());
    let header = Header { source, ..dataset.manifest().header() };
    let header = if header.modality().kind == Kind::Spectrum { whole(header) } else { header };
    let variance = trained.facts.encoding().codec::<Aspa>().map(|aspa| match calibration {
        Some(calibration) => calibration.variance,
        None => vec![UNMEASURED * UNMEASURED; aspa.points()],
    });
    let fit = LatentFit::new(networks, settings, variance, draw);
    let map = Inpaint { fit, holes: hidden.holes(), encoding: trained.facts.encoding() };
    let Some(out) = &out else {
        let usual = OBJECTS_PER_BLOCK[usize::from(header.modality().kind == Kind::Spectrum)];
        let work = new_records::work(COMMAND, header, request.workers.objects_per_block.unwrap_or(usual));
        return application.map_on_ledger(session, &map, work, &request.workers);
    };
    new_records::write(session, &application, &map, out, &header, TOLD)?;
    let (count, [_, names]) = (header.count, application.names());
    log::info!("{count} {names} filled in {:.1} s: {}", begun.elapsed().as_secs_f64(), out.folder().display());
    Ok(Exit::Done)
}

/// A mask laid on the records of a dataset.
enum Hidden {
    /// Of maps, and its word.
    Maps(MapHoles, String),
    /// Of spectra.
    Spectra(Box<SpectrumHoles>, SpectrumMask),
}

impl Hidden {
    /// What the mask of `request` hides of `dataset`.
    fn of(request: &Request, trained: &Trained, dataset: &Dataset, draw: Draw) -> Result<Self, CommandError> {
        let word = &request.mask;
        match trained.facts.encoding() {
            Encoding::Transform(transform) if MapMask::is_meant_by(word) => {
                let mask = MapMask::parse(word)?;
                let word = mask.to_string();
                Ok(Self::Maps(MapHoles::of(dataset, mask, *transform, draw)?, word))
            }
            Encoding::Transform(_) => {
                let mask = SpectrumMask::parse(word)?;
                Err(MaskError::word(&mask, "is of spectra, expected a mask of maps").into())
            }
            encoding @ Encoding::Codec(_) => {
                let aspa = encoding.codec::<Aspa>().expect("the codec is that of spectra");
                let mask = SpectrumMask::parse(word)?;
                let observer = Observer::new(dataset, &mask, &aspa)?;
                Ok(Self::Spectra(Box::new(SpectrumHoles::of(dataset, &mask, observer)?), mask))
            }
        }
    }

    fn holes(&self) -> &dyn Holes {
        match self {
            Self::Maps(holes, _) => holes,
            Self::Spectra(holes, _) => &**holes,
        }
    }

    /// The word that says the same, instruments and lists written out.
    fn word(&self) -> String {
        match self {
            Self::Maps(_, word) => word.clone(),
            Self::Spectra(_, mask) => mask.to_string(),
        }
    }
}

/// How fits are made: those of maps by squared differences, where nothing else is said; none to noise, since the best one is kept.
fn settings(request: &Request, trained: &Trained) -> Result<FitSettings, CommandError> {
    let is_maps = matches!(trained.facts.encoding(), Encoding::Transform(_));
    let mut settings = request.fit.preset.settings(trained.facts.has_embedder());
    if request.fit.preset == fit_settings::Preset::Skyforge {
        settings.noise = false;
        if is_maps {
            // A prior in the units of chi-square would outweigh a sum over pixels.
            (settings.loss, settings.anchor) = (Contextual::L2, 0.0);
        }
    }
    let settings = request.fit.settings_from(&settings, trained, &request.run)?;
    if is_maps && settings.loss == Contextual::ChiSquare {
        let wanted = "l1 or l2, since maps have no errors".into();
        return Err(ConfigError::Value { key: "loss".into(), value: "chi_square".into(), wanted }.into());
    }
    Ok(settings)
}

/// What `skyforge retrieve --calibrate` measured of the generator for these spectra and settings, where it is of use.
fn calibration(
    session: &Session,
    request: &Request,
    application: &Application,
    settings: &FitSettings,
    hidden: &Hidden,
) -> Result<Option<Calibration>, CommandError> {
    let Hidden::Spectra(holes, mask) = hidden else { return Ok(None) };
    if settings.loss != Contextual::ChiSquare {
        return Ok(None);
    }
    let Application { trained, dataset } = application;
    let some = 0..dataset.manifest().count.min(ERRORS_OF);
    let errors = session.agree(Errors::of(dataset, holes.observer(), some))?;
    // Those of a retrieval: only that draws from the errors.
    let settings = request.fit.settings(trained, &request.run)?;
    // Medians stay where the generator has them, so whether the calibration would move them does not matter.
    let found = [true, false].into_iter().find_map(|adjust| {
        let checkpoint = trained.checkpoint.checksum();
        let mask = mask.to_string();
        let none = InstrumentOffsets::default();
        let of = calibration_file::conditions(&checkpoint, trained.averaged, &settings, &mask, &errors, &none, adjust);
        calibration_file::read(&request.run, &of).transpose()
    });
    let found = session.agree(found.transpose())?;
    if session.rank() == 0 {
        match &found {
            Some(found) => log::info!("the generator's own variance is that of {} spectra", found.spectra),
            None => log::warn!(
                "the generator's own variance is not known for these errors and settings: {:.0} ppm are assumed; `skyforge retrieve` with this --mask and --calibrate DATASET measures it",
                1e6 * UNMEASURED
            ),
        }
    }
    Ok(found)
}

/// What the new dataset says of how it was made.
fn source(
    request: &Request,
    trained: &Trained,
    settings: &FitSettings,
    dataset: &Dataset,
    mask: String,
    calibration: Option<&Calibration>,
) -> toml::Table {
    let network = if trained.averaged { "generator_ema" } else { "generator" };
    let calibration =
        calibration.map(|found| toml::Value::try_from(calibration_file::in_short(found)).expect("it is a table"));
    let known: [(&str, toml::Value); 9] = [
        ("made_by", COMMAND.into()),
        ("version", PROGRAM.into()),
        ("step", (trained.checkpoint.state.step as i64).into()),
        ("checkpoint", trained.checkpoint.checksum().into()),
        ("weights", network.into()),
        ("seed", (request.seed as i64).into()),
        ("mask", mask.into()),
        ("dataset", dataset.checksum().into()),
        ("fit", toml::Value::try_from(settings).expect("settings are a table")),
    ];
    let all = known.into_iter().chain(calibration.map(|calibration| ("calibration", calibration)));
    all.map(|(key, value)| (key.to_owned(), value)).collect()
}
