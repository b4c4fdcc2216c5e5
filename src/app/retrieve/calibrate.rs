//! The generator's own faults, measured on simulated spectra that it has not learned from, with the errors of those that are retrieved.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use xxhash_rust::xxh3::xxh3_64;

use crate::app::fit_spectra::{Observation, Spectra, axis_of};
use crate::app::fits::fit_all;
use crate::app::session::Session;
use crate::app::{CommandError, Trained};
use crate::atmosphere::QUANTITIES;
use crate::data::Dataset;
use crate::exit::{Ends, Exit};
use crate::family::spectra_gan::retrieval::{
    Adjustment, Calibration, Lesson, Member, Posterior, Trial, UNMEASURED, effective_points, model_variance, shift,
    widen,
};
use crate::family::spectra_gan::{Aspa, Spectrum, SpectrumMask};
use crate::files;
use crate::infer::Networks;
use crate::infer::latent_fit::{FitSettings, LatentFit, Subject};
use crate::rng::{Draw, Stream};

/// Restarts of the fits from which the generator's variance is learned.
const FIRST_RESTARTS: usize = 4;

/// Spectra on which it is measured where nothing else is said.
pub const SPECTRA: u64 = 1024;

/// Objects whose errors stand for those of all.
pub const ERRORS_OF: u64 = 256;

/// Share of spectra that are beyond what is usual.
const UNUSUAL: f64 = 0.01;

/// What the errors of the spectra that are to be retrieved are, in the middle: a point is observed where most of them are.
#[derive(Clone, Debug)]
pub struct Errors {
    below: Vec<f32>,
    above: Vec<f32>,
    observed: Vec<f32>,
}

impl Errors {
    /// Medians over those of `records` of which anything is known.
    pub fn of(spectra: &mut Spectra, records: Range<u64>) -> Result<Self, CommandError> {
        let mut all: Vec<Spectrum> = Vec::new();
        let mut fault = None;
        for record in records {
            match spectra.observation(record) {
                Ok(observation) => all.push(observation.spectrum),
                Err(error) if error.exit() == Exit::Data => fault = fault.or(Some(error)), // told where it is fitted
                Err(error) => return Err(error),
            }
        }
        if let Some(fault) = fault.filter(|_| all.is_empty()) {
            return Err(fault);
        }
        let points = all[0].depths.len();
        let median = |part: fn(&Spectrum) -> &Vec<f32>| -> Vec<f32> {
            let at = |point: usize| {
                let seen = all.iter().filter(|spectrum| spectrum.observed[point] == 1.0);
                let mut values: Vec<f32> = seen.map(|spectrum| part(spectrum)[point]).collect();
                values.sort_by(f32::total_cmp);
                values.get(values.len() / 2).copied().unwrap_or(0.0)
            };
            (0..points).map(at).collect()
        };
        let often = |point: usize| {
            let seen = all.iter().filter(|spectrum| spectrum.observed[point] == 1.0).count();
            f32::from(u8::from(2 * seen >= all.len()))
        };
        Ok(Self {
            below: median(|spectrum| &spectrum.error_below),
            above: median(|spectrum| &spectrum.error_above),
            observed: (0..points).map(often).collect(),
        })
    }

    fn checksum(&self) -> String {
        let numbers = self.below.iter().chain(&self.above).chain(&self.observed);
        let bytes: Vec<u8> = numbers.flat_map(|value| value.to_le_bytes()).collect();
        format!("{:016x}", xxh3_64(&bytes))
    }
}

/// The conditions under which a calibration is valid.
pub fn conditions(
    trained: &Trained,
    settings: &FitSettings,
    mask: &str,
    errors: &Errors,
    adjust: bool,
) -> BTreeMap<String, String> {
    let text = toml::to_string(settings).expect("settings are a table");
    [
        ("checkpoint", trained.checkpoint.checksum()),
        ("weights", if trained.averaged { "ema".into() } else { "live".into() }),
        ("settings", format!("{:016x}", xxh3_64(text.as_bytes()))),
        ("mask", mask.to_string()),
        ("errors", errors.checksum()),
        ("first_restart", if settings.first_as_observed() { "observed".into() } else { "drawn".into() }),
        ("adjustment", if adjust { "networks".into() } else { "none".into() }),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into()
}

/// What tables and datasets say of the calibration behind them.
pub fn in_short(calibration: &Calibration) -> serde_json::Value {
    json!({
        "spectra": calibration.spectra,
        "adjustment_spectra": calibration.adjustment_spectra,
        "points_per_independent_point": calibration.points_per_independent_point,
        "chi_square_per_point_p99": calibration.chi_square_per_point_p99,
        "adjusted": calibration.adjustment.is_some(),
    })
}

/// Where a run keeps the calibration of `of`.
pub fn path(run: &Path, of: &BTreeMap<String, String>) -> PathBuf {
    let text: Vec<String> = of.iter().map(|(key, value)| format!("{key}={value}")).collect();
    run.join("retrieval").join(format!("calibration-{:016x}.json", xxh3_64(text.join("\n").as_bytes())))
}

/// The calibration of `of` that `run` has, if it has one.
pub fn read(run: &Path, of: &BTreeMap<String, String>) -> Result<Option<Calibration>, CommandError> {
    let path = path(run, of);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(CommandError::io(path)(error)),
    };
    let wrong = |fault: String| CommandError::Wrong { path: path.clone(), fault };
    let found: Calibration = serde_json::from_str(&text)
        .map_err(|error| wrong(format!("{error}, expected what `skyforge retrieve --calibrate` writes")))?;
    if found.valid_for != *of {
        return Err(wrong("is of another run or other spectra, remove it".into()));
    }
    Ok(Some(found))
}

/// What a calibration is measured with.
pub struct Measure<'a> {
    /// The ranks.
    pub session: &'a Session,
    /// The networks.
    pub networks: &'a Networks,
    /// Their codec.
    pub aspa: &'a Aspa,
    /// As the retrieval fits.
    pub settings: &'a FitSettings,
    /// What is known of a spectrum.
    pub mask: &'a SpectrumMask,
    /// The errors of those that are to be retrieved.
    pub errors: &'a Errors,
    /// Whether medians are to be moved.
    pub adjust: bool,
    /// Spectra of which all restarts are made where one stands for all, which tell all but how far off medians are.
    pub intervals: u64,
    /// All chance follows from it.
    pub draw: Draw,
}

impl Measure<'_> {
    /// Measures on the first `count` records of `dataset`, whose parameters are known.
    pub fn on(&self, dataset: &Dataset, count: u64, of: BTreeMap<String, String>) -> Result<Calibration, CommandError> {
        let session = self.session;
        let axis = axis_of(dataset);
        let on_axis =
            session.agree(SpectrumMask::default().on(axis).map_err(|fault| CommandError::Usage(fault.to_string())))?;
        let mut spectra = Spectra::new(dataset, &on_axis, self.aspa);
        let count = count.min(dataset.manifest().count);
        let one_is_enough = self.adjust && self.settings.first_as_observed();
        let whole = if one_is_enough { count.min(self.intervals) } else { count };
        // First what the generator can make at all, of whole spectra without noise.
        let first = FitSettings { restarts: FIRST_RESTARTS, noise: false, ..self.settings.clone() };
        let guess = vec![UNMEASURED * UNMEASURED; self.aspa.points()];
        let fit = LatentFit::new(self.networks, first, Some(guess), self.draw);
        let best = |fitted: &_| Posterior::of(self.networks, fitted, false).best_depths;
        let names = ["spectrum", "spectra"];
        let made = fit_all(session, &fit, 0..whole, names, |record| clean(&mut spectra, record), |_| false, best)?;
        let residuals = made.iter().enumerate().map(|(record, made)| {
            let depths = spectra.observation(record as u64)?.spectrum.depths;
            Ok::<Vec<f32>, CommandError>(made.iter().zip(&depths).map(|(made, depth)| made - depth).collect())
        });
        let residuals = session.agree(residuals.collect::<Result<Vec<_>, _>>())?;
        let variance = model_variance(&residuals);
        let errors: Vec<f32> =
            self.errors.below.iter().zip(&self.errors.above).map(|(a, b)| f32::midpoint(*a, *b)).collect();
        let observed: Vec<bool> = self.errors.observed.iter().map(|seen| *seen == 1.0).collect();
        let points = observed.iter().filter(|seen| **seen).count() as f64;
        let correlated = (points / effective_points(&residuals, &errors, &observed)).max(1.0);
        // Then what a retrieval with the errors of the spectra at hand makes of what is known.
        let mut trials = Vec::new();
        for (records, restarts) in [(0..whole, self.settings.restarts), (whole..count, 1)] {
            let settings = FitSettings { restarts, ..self.settings.clone() };
            let fit = LatentFit::new(self.networks, settings, Some(variance.clone()), self.draw);
            let read = |fitted: &_| Posterior::of(self.networks, fitted, false);
            let subject = |record| {
                let (spectrum, _) = self.noisy(&mut spectra, record)?;
                Ok(Subject { number: record, known: Box::new(spectrum) })
            };
            let posteriors = fit_all(session, &fit, records, names, subject, |_| false, read)?;
            let known = posteriors.into_iter().map(|posterior| {
                let (Spectrum { depths, observed, .. }, truth) = self.noisy(&mut spectra, posterior.number)?;
                Ok::<Trial, CommandError>(Trial { posterior, depths, observed, truth })
            });
            trials.extend(session.agree(known.collect::<Result<Vec<Trial>, CommandError>>())?);
        }
        let adjustment = self.adjust.then(|| self.adjust(&mut trials, correlated));
        trials.truncate(whole as usize);
        let mut chi_squares: Vec<f64> =
            trials.iter().map(|trial| f64::from(trial.posterior.chi_square[trial.posterior.best()]) / points).collect();
        chi_squares.sort_by(f64::total_cmp);
        let usual = chi_squares[((1.0 - UNUSUAL) * (chi_squares.len() - 1) as f64).round() as usize];
        Ok(Calibration {
            valid_for: of,
            spectra: whole,
            adjustment_spectra: count,
            variance,
            points_per_independent_point: correlated,
            adjustment,
            widening: widen(&trials, correlated, self.draw),
            chi_square_per_point_p99: usual,
        })
    }

    /// Learns how medians are to be moved, and moves each trial as if it had not been learned from. Ranks share the networks, all else is
    /// rank 0's, and all have the same bits in the end; which those are may hang on the processors where these differ.
    fn adjust(&self, trials: &mut [Trial], correlated: f64) -> Adjustment {
        let (rank, ranks) = (self.session.rank(), self.session.ranks());
        let lesson = Lesson::of(trials);
        let networks = (!lesson.members().is_empty()).then(|| {
            let scales = self.first_rank_makes(|| lesson.scales());
            let mine = lesson.members().skip(rank).step_by(ranks);
            let mine: Vec<(usize, Member)> =
                mine.map(|member| (member, lesson.member(&scales, member, self.draw))).collect();
            let all = self.session.comm().gather(&postcard::to_stdvec(&mine).expect("it is numbers"));
            let mut members: Vec<(usize, Member)> =
                all.iter().flat_map(|bytes| read_back::<Vec<(usize, Member)>>(bytes)).collect();
            members.sort_by_key(|(member, _)| *member);
            (scales, members.into_iter().map(|(_, member)| member).collect())
        });
        let (adjustment, off): (Adjustment, Vec<[f64; QUANTITIES.len()]>) =
            self.first_rank_makes(|| lesson.learn(networks));
        for (Trial { posterior, .. }, off) in trials.iter_mut().zip(&off) {
            posterior.shift(shift(posterior, off, correlated));
        }
        adjustment
    }

    /// What rank 0 makes, on all ranks.
    fn first_rank_makes<T: Serialize + DeserializeOwned>(&self, make: impl FnOnce() -> T) -> T {
        let made = (self.session.rank() == 0).then(make);
        let bytes = made.map_or(Vec::new(), |made| postcard::to_stdvec(&made).expect("it is numbers"));
        read_back(&self.session.comm().gather(&bytes)[0])
    }

    /// A simulated spectrum as if it had been observed with the errors at hand, and its parameters.
    fn noisy(&self, spectra: &mut Spectra, record: u64) -> Result<(Spectrum, [f32; 7]), CommandError> {
        let Observation { mut spectrum, truth, .. } = spectra.observation(record)?;
        let Errors { below, above, observed } = self.errors;
        spectrum.error_below.clone_from(below);
        spectrum.error_above.clone_from(above);
        let mut chance = self.draw.at(Stream::Observation, record, 0);
        let drawn = (0..observed.len()).map(|point| spectrum.drawn(point, true, &mut chance) * observed[point]);
        spectrum.depths = drawn.collect();
        spectrum.observed.clone_from(observed);
        let given: Vec<f32> =
            truth.iter().zip(self.mask.given()).map(|(value, given)| if given { *value } else { f32::NAN }).collect();
        spectrum.parameters = spectra.pixels(&given);
        Ok((spectrum, truth))
    }
}

/// What another rank has sent.
fn read_back<T: DeserializeOwned>(bytes: &[u8]) -> T {
    postcard::from_bytes(bytes).expect("it is what a rank wrote")
}

/// A simulated spectrum without its errors.
fn clean(spectra: &mut Spectra, record: u64) -> Result<Subject, CommandError> {
    let mut spectrum = spectra.observation(record)?.spectrum;
    spectrum.error_below.fill(0.0);
    spectrum.error_above.fill(0.0);
    Ok(Subject { number: record, known: Box::new(spectrum) })
}

/// Writes a calibration into its run.
pub fn write(run: &Path, calibration: &Calibration) -> Result<PathBuf, CommandError> {
    let path = path(run, &calibration.valid_for);
    let folder = path.parent().expect("it lies in a folder");
    files::create_folder(folder).map_err(CommandError::io(folder))?;
    let text = serde_json::to_string(calibration).expect("a calibration is numbers");
    files::write_whole(&path, text.as_bytes()).map_err(CommandError::io(&path))?;
    Ok(path)
}
