//! `skyforge inpaint`: what is not known of maps or spectra, filled in by a trained generator.

mod deviation;
mod filler;
mod holes;
mod worker;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use clap::Args;

use self::deviation::Deviation;
use self::filler::Filler;
use self::holes::{Holes, Mask};
pub(super) use self::worker::{COMMAND, merge};
use super::fit_settings::Preset;
use super::fit_spectra::{self, Spectra};
use super::fits::{Post, fit_in_order};
use super::ledger::hand::OfWorkers;
use super::output_dataset::OutputDataset;
use super::provenance::PROGRAM;
use super::records::{Record, Records};
use super::retrieve::calibrate::{self, Errors};
use super::session::Session;
use super::trained::{Facts, Trained, Which};
use super::{CommandError, fit_settings, shards};
use crate::config::ConfigError;
use crate::data::{Dataset, Encoding, Header, Kind};
use crate::device::Choice;
use crate::exit::Exit;
use crate::family::spectra_gan::Aspa;
use crate::family::spectra_gan::retrieval::{Calibration, UNMEASURED};
use crate::infer::latent_fit::{Contextual, FitSettings, Fitted, LatentFit, Subject};
use crate::ledger::{Lease, Ledger};
use crate::rng::Draw;

/// Fill what is not known of maps or spectra.
///
/// Latent numbers are fitted whose map or spectrum agrees with what is known, several times a record; the fit that agrees best fills
/// the rest. OUT has the records of DATASET in their order, with their ids: what is known as it was, to the bit, and whole spectra
/// with the parameters of their atmospheres, found where the mask does not give them. How far filled values are from those that
/// DATASET has there is told, beside filling with the mean of what is known.
///
/// With --ledger any number of workers share the records: ranks, processes, tasks of an array. The same command joins the work or
/// goes on with it; `skyforge ledger merge LEDGER --out OUT` writes the dataset.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  mpirun -n 2 skyforge inpaint runs/maps data/maps --mask center --out data/filled
  skyforge inpaint runs/exogan data/planets --mask not:1.3-1.5um --out data/whole
  skyforge inpaint runs/maps data/maps --mask left --ledger ledgers/maps

Keys of --set: restarts, iterations, patience, tolerance, learning_rate, beta1, beta2, half_life, loss (l1, l2; chi_square of
spectra), perceptual, start (noise, embedder, both), spread, anchor, noise, precision (fp32, bf16), slots, hmc_trajectories, hmc_steps, hmc_step_size")]
pub struct Arguments {
    /// The run folder
    run: PathBuf,
    /// The dataset of maps or spectra
    dataset: PathBuf,
    /// Of maps, what is to be filled: center, left, random:0.2, grid:4, rows:10-20,columns:5-30, or not:... for the rest; of
    /// spectra, what is known, as `retrieve` has it
    #[arg(long)]
    mask: String,
    /// The dataset folder, which must not hold one yet
    #[arg(long, required_unless_present = "ledger")]
    out: Option<PathBuf>,
    /// How fits are made
    #[arg(long, value_enum, default_value_t = Preset::Skyforge)]
    preset: Preset,
    /// Sets a value of the fit, as in restarts=64; may be given again
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    #[command(flatten)]
    workers: OfWorkers,
    /// All chance follows from it
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: u64,
    #[command(flatten)]
    which: Which,
}

/// So many take minutes where no embedder helps.
const OBJECTS_PER_BLOCK: [u64; 2] = [16, 256];

impl Arguments {
    /// Whether each who runs it is a worker.
    pub fn is_for_workers(&self) -> bool {
        self.workers.ledger.is_some()
    }
}

/// Fits this rank's share of the records, and writes this rank's shards; or works on a ledger.
pub fn run(session: &Session, arguments: &Arguments) -> Result<Exit, CommandError> {
    let begun = Instant::now();
    let trained = Trained::open(session, &arguments.run, &arguments.which)?;
    let settings = settings(arguments, &trained)?;
    let dataset = Arc::new(session.agree(open(&arguments.dataset, &trained.facts))?);
    let mask = session.agree(Mask::parse(&arguments.mask, trained.facts.modality.kind))?;
    let out = arguments.out.as_deref().map(|out| OutputDataset::lock(session, out)).transpose()?;
    let word = mask.to_string();
    let draw = Draw::new(arguments.seed);
    let holes = session.agree(Holes::of(&dataset, mask, draw))?;

    Session::torch_threads(trained.facts.threads);
    let device = session.device(Choice::Auto, true)?;
    let model = session.agree(trained.model(device, settings.precision))?;
    let Some(networks) = model.latent_networks() else {
        return Err(trained.cannot(&arguments.run, "has no latent vector to fit", "a run of a GAN"));
    };
    let kind = dataset.manifest().modality().kind;
    let names = [kind.name(), kind.plural()];
    let objects_per_block = match kind {
        Kind::Map | Kind::Cutout => OBJECTS_PER_BLOCK[0],
        Kind::Spectrum => OBJECTS_PER_BLOCK[1],
    };
    let calibration = calibration(session, arguments, &trained, &settings, &holes, &word)?;
    let header = header(&dataset, source(arguments, &trained, &settings, &dataset, word, calibration.as_ref()));
    let variance = trained.facts.encoding().codec::<Aspa>().map(|aspa| match calibration {
        Some(calibration) => calibration.variance,
        None => vec![UNMEASURED * UNMEASURED; aspa.points()],
    });
    let fit = LatentFit::new(networks, settings, variance, draw);
    let filler = Filler::new(&holes, trained.facts.encoding());
    let Some(out) = &out else {
        let OfWorkers { ledger, objects_per_block: asked, max_wall } = &arguments.workers;
        let ledger = ledger.as_deref().expect("the command line has one of them");
        let work = worker::work(header, asked.unwrap_or(objects_per_block));
        let ledger = &session.agree(Ledger::join(ledger, work, Lease::default()))?;
        return worker::run(&Post { session, ledger, max_wall: *max_wall, names }, &fit, &filler, Arc::clone(&dataset));
    };
    let mut off = Deviation::default();
    shards::write_evenly(session, out, header.clone(), names, |run, hand| {
        let mut records = Records::of(&dataset);
        let open: RefCell<BTreeMap<u64, Record>> = RefCell::default();
        let subject = |number| {
            let record = records.read(number)?;
            let known = filler.known(number, &record)?;
            open.borrow_mut().insert(number, record);
            Ok(Subject { number, known })
        };
        let read = |fitted: &Fitted| {
            let record = open.borrow_mut().remove(&fitted.number).expect("it was given out");
            filler.filled(record, fitted)
        };
        fit_in_order(
            &fit,
            run,
            subject,
            |_| false,
            read,
            |filled| {
                let (record, its) = filled?;
                off.add(its);
                hand(record)
            },
        )
    })?;
    tell(session, off, &header);
    log::info!(
        "{} {} filled in {:.1} s: {}",
        header.count,
        names[1],
        begun.elapsed().as_secs_f64(),
        out.folder().display()
    );
    Ok(Exit::Done)
}

/// How fits are made: those of maps by squared differences, where nothing else is said; none to noise, since the best one is kept.
fn settings(arguments: &Arguments, trained: &Trained) -> Result<FitSettings, CommandError> {
    let is_maps = matches!(trained.facts.encoding(), Encoding::Transform(_));
    let mut settings = arguments.preset.settings(trained.facts.has_embedder());
    if arguments.preset == Preset::Skyforge {
        settings.noise = false;
        if is_maps {
            // A prior in the units of chi-square would outweigh a sum over pixels.
            (settings.loss, settings.anchor) = (Contextual::L2, 0.0);
        }
    }
    let settings = fit_settings::with(&settings, &arguments.sets)?;
    fit_settings::check_start(&settings, trained, &arguments.run)?;
    if is_maps && settings.loss == Contextual::ChiSquare {
        let wanted = "l1 or l2, since maps have no errors".into();
        return Err(ConfigError::Value { key: "loss".into(), value: "chi_square".into(), wanted }.into());
    }
    Ok(settings)
}

/// The dataset at `path`, if its records are such as the networks make.
fn open(path: &Path, facts: &Facts) -> Result<Dataset, CommandError> {
    if let Some(aspa) = facts.encoding().codec::<Aspa>() {
        return fit_spectra::open(path, &aspa);
    }
    let dataset = Dataset::open(path)?;
    let wrong = |fault: String| Err(CommandError::Wrong { path: path.to_owned(), fault });
    let (shape, unit) = match dataset.manifest().only(Kind::Map) {
        Ok(modality) => (&modality.shape, &modality.unit),
        Err(fault) => return wrong(fault),
    };
    if *shape != facts.modality.shape {
        return wrong(format!("has maps of shape {shape:?}, expected the run's {:?}", facts.modality.shape));
    }
    if *unit != facts.modality.unit {
        return wrong(format!("has maps in `{unit}`, expected the run's `{}`", facts.modality.unit));
    }
    Ok(dataset)
}

/// What `skyforge retrieve --calibrate` measured of the generator for these spectra and settings, where it is of use.
fn calibration(
    session: &Session,
    arguments: &Arguments,
    trained: &Trained,
    settings: &FitSettings,
    holes: &Holes,
    mask: &str,
) -> Result<Option<Calibration>, CommandError> {
    let aspa = trained.facts.encoding().codec::<Aspa>().filter(|_| settings.loss == Contextual::ChiSquare);
    let Some(aspa) = aspa else { return Ok(None) };
    let mut spectra = Spectra::new(holes.dataset(), holes.axis_mask().expect("spectra have an axis"), &aspa);
    let some = 0..holes.dataset().manifest().count.min(calibrate::ERRORS_OF);
    let errors = session.agree(Errors::of(&mut spectra, some))?;
    // Those of a retrieval: only that draws from the errors.
    let settings = fit_settings::with(&arguments.preset.settings(trained.facts.has_embedder()), &arguments.sets)?;
    // Medians stay where the generator has them, so whether the calibration would move them does not matter.
    let of = [true, false].map(|adjust| calibrate::conditions(trained, &settings, mask, &errors, adjust));
    let found = of.iter().find_map(|of| calibrate::read(&arguments.run, of).transpose()).transpose();
    let found = session.agree(found)?;
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

/// What the new dataset is: all that `dataset` is, but whole spectra with all parameters where it has spectra.
fn header(dataset: &Dataset, source: toml::Table) -> Header {
    let header = Header { source, ..dataset.manifest().header() };
    if header.modality().kind == Kind::Spectrum { fit_spectra::whole(header) } else { header }
}

/// What the new dataset says of how it was made.
fn source(
    arguments: &Arguments,
    trained: &Trained,
    settings: &FitSettings,
    dataset: &Dataset,
    mask: String,
    calibration: Option<&Calibration>,
) -> toml::Table {
    let network = if trained.averaged { "generator_ema" } else { "generator" };
    let calibration =
        calibration.map(|found| toml::Value::try_from(calibrate::in_short(found)).expect("it is a table"));
    let known: [(&str, toml::Value); 9] = [
        ("made_by", "inpaint".into()),
        ("version", PROGRAM.into()),
        ("step", (trained.checkpoint.state.step as i64).into()),
        ("checkpoint", trained.checkpoint.checksum().into()),
        ("weights", network.into()),
        ("seed", (arguments.seed as i64).into()),
        ("mask", mask.into()),
        ("dataset", dataset.checksum().into()),
        ("fit", toml::Value::try_from(settings).expect("settings are a table")),
    ];
    let all = known.into_iter().chain(calibration.map(|calibration| ("calibration", calibration)));
    all.map(|(key, value)| (key.to_owned(), value)).collect()
}

/// Says how far all ranks' filled values are from those of the dataset.
fn tell(session: &Session, mine: Deviation, header: &Header) {
    let bytes = postcard::to_stdvec(&mine).expect("sums are numbers");
    let mut all = Deviation::default();
    for bytes in session.comm().gather(&bytes) {
        all.add(postcard::from_bytes(&bytes).expect("what a rank wrote can be read"));
    }
    if session.rank() == 0 {
        all.tell(header);
    }
}
