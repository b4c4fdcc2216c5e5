//! `skyforge retrieve`: spectra to posteriors of the parameters of their atmospheres.

pub(super) mod calibrate;
mod examples;
mod fits;
mod table;
mod worker;

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use clap::Args;

use self::calibrate::{Errors, Measure};
use self::table::{Reader, Retrieved};
pub(super) use self::worker::{COMMAND, merge};
use super::fit_settings::Preset;
use super::fit_spectra::{self, Spectra};
use super::fits::{Post, fit_all};
use super::ledger::hand::OfWorkers;
use super::output_dataset::OutputDataset;
use super::provenance::PROGRAM;
use super::session::Session;
use super::trained::{Trained, Which};
use super::{CommandError, fit_settings};
use crate::atmosphere::QUANTITIES;
use crate::catalog::Metadata;
use crate::data::Dataset;
use crate::device::Choice;
use crate::exit::Exit;
use crate::family::spectra_gan::report::examples::ExampleObject;
use crate::family::spectra_gan::retrieval::{Calibration, Posterior, Widening};
use crate::family::spectra_gan::{Aspa, SpectrumMask};
use crate::files;
use crate::infer::latent_fit::{FitSettings, LatentFit};
use crate::ledger::{Lease, Ledger};
use crate::rng::Draw;

/// Retrieve the parameters of atmospheres from spectra.
///
/// Latent numbers are fitted whose spectrum agrees with the observed one, many times an object, each time but the first to another draw from
/// its errors; what the generator makes beside the spectrum are the parameters. Each restart weighs by its likelihood, in which the
/// variance of the generator itself stands beside that of the errors: --calibrate measures it on simulated spectra that the run has
/// not learned from, and how far off medians are by what the fit leaves of a spectrum, and how wide intervals must be. TABLE gets a row
/// an object, NAME.samples.parquet beside it the samples.
///
/// With --ledger any number of workers share the objects: ranks, processes, tasks of an array. The same command joins the work or
/// goes on with it; `skyforge ledger merge LEDGER --out TABLE` writes the table.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  mpirun -n 2 skyforge retrieve runs/exogan data/planets --calibrate data/held_back
  skyforge retrieve runs/exogan data/planet --mask hst-wfc3 --calibrate data/held_back --out planet.parquet

Keys of --set: restarts, iterations, patience, tolerance, learning_rate, beta1, beta2, half_life, loss (l1, l2, chi_square),
perceptual, start (noise, embedder, both), spread, anchor, noise, precision (fp32, bf16), slots, hmc_trajectories, hmc_steps, hmc_step_size")]
pub struct Arguments {
    /// The run folder
    run: PathBuf,
    /// The dataset of spectra, as `ingest spectra` or `simulate spectra` makes it
    spectra: PathBuf,
    /// Where the table goes, Parquet; RUN/retrieval/table.parquet where it is not given
    #[arg(long)]
    out: Option<PathBuf>,
    /// Where the spectra of the best fits go, with medians as their parameters: a dataset folder, which must not hold one yet
    #[arg(long, value_name = "DATASET", conflicts_with = "ledger")]
    fits: Option<PathBuf>,
    /// What is known: parameters (the whole spectrum), wavelengths (0.6-5.3um), hst-wfc3, jwst-nirspec-prism, ariel, a
    /// text file of wavelengths, a parameter that is given (planet_radius), not:..., or several with commas between
    #[arg(long, default_value = "parameters")]
    mask: String,
    /// How fits are made
    #[arg(long, value_enum, default_value_t = Preset::Skyforge)]
    preset: Preset,
    /// Sets a value of the fit, as in restarts=64; may be given again
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    /// Measures the generator's own variance on this dataset of simulated spectra with known parameters, which the run has not
    /// learned from, and keeps it in the run; without it what the run has of these errors is taken
    #[arg(long, value_name = "DATASET")]
    calibrate: Option<PathBuf>,
    /// Of which so many are taken: the more, the nearer medians come; from 4096 on networks learn how far off they are
    #[arg(long, default_value_t = calibrate::SPECTRA, value_parser = clap::value_parser!(u64).range(16..))]
    calibration_count: u64,
    /// Of the first so many of these all restarts are made, for the generator's variance and the intervals; of the others one, for the
    /// medians
    #[arg(long, value_name = "COUNT", default_value_t = calibrate::SPECTRA, value_parser = clap::value_parser!(u64).range(16..))]
    calibration_intervals: u64,
    /// Leaves medians where the generator has them; else a calibration also measures how far off they are, by what is left of the
    /// spectrum, and moves them
    #[arg(long)]
    no_adjustment: bool,
    /// Objects of the dataset, as in 0..100; all where it is not given
    #[arg(long, value_name = "FROM..TO", value_parser = records)]
    records: Option<Range<u64>>,
    #[command(flatten)]
    workers: OfWorkers,
    /// Objects at the head of the table that the report shows
    #[arg(long, default_value_t = 4, conflicts_with = "ledger")]
    examples: u64,
    /// All chance follows from it
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: u64,
    #[command(flatten)]
    which: Which,
}

/// What objects are called.
const NAMES: [&str; 2] = ["spectrum", "spectra"];

/// So many take a minute or so.
const OBJECTS_PER_BLOCK: u64 = 256;

impl Arguments {
    /// Whether each who runs it is a worker; a calibration is made together.
    pub fn is_for_workers(&self) -> bool {
        self.workers.ledger.is_some() && self.calibrate.is_none()
    }

    /// What `run` would refuse before it opens anything, found out ahead.
    pub(super) fn check_ahead(&self) -> Result<(), CommandError> {
        fit_settings::with(&self.preset.settings(true), &self.sets)?;
        SpectrumMask::parse(&self.mask)?;
        Ok(())
    }
}

fn records(text: &str) -> Result<Range<u64>, String> {
    let wanted = || "expected FROM..TO, as in 0..100".to_owned();
    let (from, to) = text.split_once("..").ok_or_else(wanted)?;
    let number = |text: &str| text.trim().parse::<u64>().map_err(|_| wanted());
    let range = number(from)?..number(to)?;
    if range.is_empty() { Err(wanted()) } else { Ok(range) }
}

/// Retrieves this rank's share; rank 0 writes.
pub fn run(session: &Session, arguments: &Arguments) -> Result<Exit, CommandError> {
    let begun = Instant::now();
    let trained = Trained::open(session, &arguments.run, &arguments.which)?;
    let Some(aspa) = &trained.facts.encoding().codec::<Aspa>() else {
        let fault = "makes maps, expected a run on spectra".into();
        return Err(CommandError::Wrong { path: arguments.run.clone(), fault });
    };
    let settings = arguments.preset.settings(trained.facts.has_embedder());
    let settings = fit_settings::with(&settings, &arguments.sets)?;
    fit_settings::check_start(&settings, &trained, &arguments.run)?;
    let mask = session.agree(SpectrumMask::parse(&arguments.mask))?;
    let dataset = Arc::new(session.agree(fit_spectra::open(&arguments.spectra, aspa))?);
    let axis = fit_spectra::axis_of(&dataset);
    let on_axis = session.agree(mask.on(axis))?;
    let fits = arguments.fits.as_deref().map(|fits| OutputDataset::lock(session, fits)).transpose()?;
    let objects = within(arguments.records.clone(), dataset.manifest().count)?;
    let out = arguments.out.clone().unwrap_or_else(|| arguments.run.join("retrieval/table.parquet"));
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty() && arguments.workers.ledger.is_none());
    session.agree(folder.map_or(Ok(()), files::create_folder).map_err(CommandError::io(&out)))?;

    Session::torch_threads(trained.facts.threads);
    let device = session.device(Choice::Auto, true)?;
    let model = session.agree(trained.model(device, settings.precision))?;
    let Some(networks) = model.latent_networks() else {
        return Err(trained.cannot(&arguments.run, "has no latent vector to fit", "a run of a GAN"));
    };
    let draw = Draw::new(arguments.seed);
    let mut spectra = Spectra::new(&dataset, &on_axis, aspa);
    let some = objects.start..objects.end.min(objects.start + calibrate::ERRORS_OF);
    let errors = session.agree(Errors::of(&mut spectra, some))?;
    let of = calibrate::conditions(&trained, &settings, &mask.to_string(), &errors, !arguments.no_adjustment);
    let calibration = match &arguments.calibrate {
        Some(path) => {
            let held_back = session.agree(fit_spectra::open(path, aspa))?;
            let measure = Measure {
                session,
                networks,
                aspa,
                settings: &settings,
                mask: &mask,
                errors: &errors,
                adjust: !arguments.no_adjustment,
                intervals: arguments.calibration_intervals,
                draw,
            };
            let made = measure.on(&held_back, arguments.calibration_count, of)?;
            let written = if session.rank() == 0 { calibrate::write(&arguments.run, &made).map(drop) } else { Ok(()) };
            session.agree(written)?;
            tell_calibration(&made);
            Some(made)
        }
        None => session.agree(calibrate::read(&arguments.run, &of))?,
    };
    if calibration.is_none() && session.rank() == 0 {
        log::warn!(
            "the generator's own variance is not known for these errors and settings: intervals may be too narrow; --calibrate DATASET measures it"
        );
    }

    let metadata = metadata(arguments, &trained, &settings, &mask.to_string(), &dataset, calibration.as_ref());
    let reader = Reader { calibration: calibration.as_ref(), draw };
    let variance = calibration.as_ref().map(|calibration| calibration.variance.clone());
    let fit = LatentFit::new(networks, settings.clone(), variance, draw);
    if let Some(ledger) = &arguments.workers.ledger {
        let work = worker::work(objects, arguments.workers.objects_per_block.unwrap_or(OBJECTS_PER_BLOCK), &metadata);
        let ledger = &session.agree(Ledger::join(ledger, work, Lease::default()))?;
        let post = Post { session, ledger, max_wall: arguments.workers.max_wall, names: NAMES };
        let source = worker::Source { dataset: Arc::clone(&dataset), mask: on_axis.clone(), aspa: Arc::clone(aspa) };
        return worker::run(&post, &fit, networks, source, &reader);
    }
    let fitting = Instant::now();
    let watched = |object: u64| object < objects.start + arguments.examples;
    let posteriors: Vec<(Posterior, examples::Paths)> = fit_all(
        session,
        &fit,
        objects.clone(),
        NAMES,
        |record| spectra.subject(record),
        watched,
        |fitted| (Posterior::of(networks, fitted, watched(fitted.number)), fitted.paths.clone()),
    )?;
    let seconds = fitting.elapsed().as_secs_f64();
    let (all, shown) = session.agree(read(&mut spectra, &posteriors, &reader))?;
    if let Some(fits) = &fits {
        let made: Vec<(&Posterior, &Retrieved)> = posteriors.iter().map(|(posterior, _)| posterior).zip(&all).collect();
        fits::write(session, fits, &dataset, &made, &metadata)?;
    }
    let write = || table::write(&out, all, metadata).and_then(|()| examples::write(&arguments.run, shown));
    session.agree(if session.rank() == 0 { write() } else { Ok(()) })?;
    log::info!(
        "{} spectra in {seconds:.1} s, {:.3} s each (all in all {:.1} s): {}",
        objects.end - objects.start,
        seconds / (objects.end - objects.start) as f64,
        begun.elapsed().as_secs_f64(),
        out.display()
    );
    Ok(Exit::Done)
}

fn within(asked: Option<Range<u64>>, count: u64) -> Result<Range<u64>, CommandError> {
    let range = asked.unwrap_or(0..count);
    if range.end <= count {
        return Ok(range);
    }
    let Range { start, end } = range;
    Err(CommandError::Usage(format!("--records is {start}..{end}, expected some of 0..{count}")))
}

fn tell_calibration(calibration: &Calibration) {
    let mut deviations: Vec<f32> = calibration.variance.iter().map(|variance| variance.sqrt() * 1e6).collect();
    deviations.sort_by(f32::total_cmp);
    log::info!(
        "calibrated on {} spectra: the generator is within {:.0} ppm (median over wavelengths; {:.0} at worst), one point in {:.1} says something new, the usual chi-square a point stays below {:.2}",
        calibration.spectra,
        deviations[deviations.len() / 2],
        deviations[deviations.len() - 1],
        calibration.points_per_independent_point,
        calibration.chi_square_per_point_p99
    );
    if let Some(adjustment) = &calibration.adjustment {
        let known = QUANTITIES.iter().zip(adjustment.by_networks()).filter(|(_, by_networks)| *by_networks);
        let known: Vec<&str> = known.map(|(quantity, _)| quantity.name).collect();
        let by_networks =
            if known.is_empty() { String::new() } else { format!(", by networks those of {}", known.join(", ")) };
        log::info!("medians are moved as {} spectra taught{by_networks}", calibration.adjustment_spectra);
    }
    for (quantity, Widening { scale, scatter, tails }) in QUANTITIES.iter().zip(&calibration.widening) {
        log::debug!(
            "{}: restarts' spread times {scale:.3}, and {scatter:.4} {} besides, tails times {tails:.2}",
            quantity.name,
            quantity.unit
        );
    }
}

/// Metadata of the table.
fn metadata(
    arguments: &Arguments,
    trained: &Trained,
    settings: &FitSettings,
    mask: &str,
    dataset: &Dataset,
    calibration: Option<&Calibration>,
) -> Metadata {
    let mut metadata = Metadata::new();
    let mut put = |key: &str, value: serde_json::Value| metadata.insert(key.to_owned(), value);
    put("checkpoint", trained.checkpoint.checksum().into());
    put("step", trained.checkpoint.state.step.into());
    put("averaged_weights", trained.averaged.into());
    put("dataset", dataset.checksum().into());
    put("mask", mask.into());
    put("seed", arguments.seed.into());
    put("fit", serde_json::to_value(settings).expect("settings are a table"));
    put("version", PROGRAM.into());
    if let Some(calibration) = calibration {
        put("calibration", calibrate::in_short(calibration));
    }
    metadata
}

/// What is told of each object, and of some of them all that their figures need. How far medians are from what the dataset knows is
/// said on the way.
fn read(
    spectra: &mut Spectra,
    posteriors: &[(Posterior, examples::Paths)],
    reader: &Reader,
) -> Result<(Vec<Retrieved>, Vec<ExampleObject>), CommandError> {
    let (mut all, mut shown) = (Vec::new(), Vec::new());
    let mut errors = [(0.0, 0_u64); 7];
    for (posterior, paths) in posteriors {
        let observation = spectra.observation(posterior.number)?;
        let reading = reader.read(&observation, posterior);
        let retrieved = reader.retrieved(&observation, posterior, &reading);
        let intervals = &retrieved.row.parameters;
        for ((sum, count), (interval, truth)) in errors.iter_mut().zip(intervals.iter().zip(observation.truth)) {
            if !truth.is_nan() {
                *sum += f64::from((interval.median - truth).abs());
                *count += 1;
            }
        }
        if !paths.is_empty() && !posterior.depths.is_empty() {
            shown.push(examples::object(spectra.wavelength_um(), &observation, posterior, &reading, paths));
        }
        all.push(retrieved);
    }
    let known: Vec<String> = QUANTITIES
        .iter()
        .zip(errors)
        .filter(|(_, (_, count))| *count > 0)
        .map(|(quantity, (sum, count))| format!("{} {:.3} {}", quantity.name, sum / count as f64, quantity.unit))
        .collect();
    if !known.is_empty() {
        log::info!("mean absolute errors of medians: {}", known.join(", "));
    }
    Ok((all, shown))
}
