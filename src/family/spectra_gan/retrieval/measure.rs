//! The generator's own faults, measured on simulated spectra that it has not learned from, with the errors of those that are
//! to be retrieved.
//!
//! Shapes: w = points of a spectrum.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::errors::Errors;
use super::reader::without_offsets;
use super::{
    Adjustment, Calibration, Lesson, Member, Posterior, Trial, UNMEASURED, effective_points, model_variance, shift,
    widen,
};
use crate::atmosphere::QUANTITIES;
use crate::comm::{Communicator, Disagreement, agree};
use crate::data::{Dataset, Record};
use crate::family::spectra_gan::aspa::Aspa;
use crate::family::spectra_gan::fit::Spectrum;
use crate::family::spectra_gan::mask::SpectrumMask;
use crate::family::spectra_gan::observation::{Observation, Observer};
use crate::infer::latent_fit::offsets::add_drawn;
use crate::infer::latent_fit::{FitSettings, Fitted, Known, LatentFit, OffsetGroup};
use crate::infer::map_records::{map_and_gather, run_of_rank};
use crate::infer::{MapError, Networks, RecordMap};
use crate::rng::{Draw, Stream};

/// Restarts of the fits from which the generator's variance is learned.
const FIRST_RESTARTS: usize = 4;

/// Share of spectra that are beyond what is usual.
const UNUSUAL: f64 = 0.01;

/// What a calibration is measured with.
pub struct Measure<'a> {
    /// The ranks.
    pub comm: &'a dyn Communicator,
    /// The networks.
    pub networks: &'a Networks,
    /// Their codec.
    pub aspa: &'a Aspa,
    /// Settings of the retrieval's fits.
    pub settings: &'a FitSettings,
    /// What is known of a spectrum.
    pub mask: &'a SpectrumMask,
    /// The errors of those that are to be retrieved.
    pub errors: &'a Errors,
    /// Groups of points whose offsets are not known: each trial has a draw of each from its prior.
    pub offsets: &'a [OffsetGroup],
    /// Whether medians are to be moved.
    pub adjust: bool,
    /// Spectra of which all restarts are made where one stands for all, which tell all but how far off medians are.
    pub intervals: u64,
    /// All random numbers follow from it.
    pub draw: Draw,
    /// Makes what counts so many spectra of this rank, one at a call.
    pub counter: &'a dyn Fn(u64) -> Box<dyn FnMut()>,
}

impl Measure<'_> {
    /// Measures on the first `count` records of `dataset`, whose parameters are known. Every rank gets the same.
    pub fn on(
        &self,
        dataset: &Dataset,
        count: u64,
        of: BTreeMap<String, String>,
    ) -> Result<Calibration, Disagreement<MapError>> {
        let observer = Observer::new(dataset, &SpectrumMask::default(), self.aspa).map_err(MapError::from);
        let observer = &agree(self.comm, observer)?;
        let count = count.min(dataset.manifest().count);
        let one_is_enough = self.adjust && self.settings.first_as_observed();
        let whole = if one_is_enough { count.min(self.intervals) } else { count };
        // First what the generator can make at all, of whole spectra without noise.
        let first = FitSettings { restarts: FIRST_RESTARTS, noise: false, ..self.settings.clone() };
        let guess = vec![UNMEASURED * UNMEASURED; self.aspa.points()];
        let clean = CleanFits { fit: LatentFit::new(self.networks, first, Some(guess), self.draw), observer };
        let residuals = map_and_gather(self.comm, &clean, dataset, &(0..whole), self.told(&(0..whole)))?;
        let variance = model_variance(&residuals);
        let errors: Vec<f32> =
            self.errors.below.iter().zip(&self.errors.above).map(|(a, b)| f32::midpoint(*a, *b)).collect();
        let observed: Vec<bool> = self.errors.observed.iter().map(|seen| *seen == 1.0).collect();
        let points = observed.iter().filter(|seen| **seen).count() as f64;
        let correlated = (points / effective_points(&residuals, &errors, &observed)).max(1.0);
        drop(residuals);
        // Then what a retrieval with the errors of the spectra at hand makes of what is known.
        let mut trials: Vec<Trial> = Vec::new();
        for (records, restarts) in [(0..whole, self.settings.restarts), (whole..count, 1)] {
            let settings = FitSettings { restarts, ..self.settings.clone() };
            let fit =
                LatentFit::new(self.networks, settings, Some(variance.clone()), self.draw).with_offsets(self.offsets);
            let noisy = NoisyFits { fit, observer, measure: self };
            trials.extend(map_and_gather(self.comm, &noisy, dataset, &records, self.told(&records))?);
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

    /// What counts this rank's spectra of `records`.
    fn told(&self, records: &Range<u64>) -> Box<dyn FnMut()> {
        let run = run_of_rank(records, self.comm.rank(), self.comm.ranks());
        (self.counter)(run.end - run.start)
    }

    /// Learns how medians are to be moved, and moves each trial as if it had not been learned from. Ranks share the networks, all else is
    /// rank 0's, and all have the same bits in the end; which those are may hang on the processors where these differ.
    fn adjust(&self, trials: &mut [Trial], correlated: f64) -> Adjustment {
        let (rank, ranks) = (self.comm.rank(), self.comm.ranks());
        let lesson = Lesson::of(trials);
        let networks = (!lesson.members().is_empty()).then(|| {
            let scales = self.first_rank_makes(|| lesson.scales());
            let mine = lesson.members().skip(rank).step_by(ranks);
            let mine: Vec<(usize, Member)> =
                mine.map(|member| (member, lesson.member(&scales, member, self.draw))).collect();
            let all = self.comm.gather(&postcard::to_stdvec(&mine).expect("it is numbers"));
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
        let made = (self.comm.rank() == 0).then(make);
        let bytes = made.map_or(Vec::new(), |made| postcard::to_stdvec(&made).expect("it is numbers"));
        read_back(&self.comm.gather(&bytes)[0])
    }

    /// A simulated spectrum as if it had been observed with the errors at hand, and its parameters.
    fn noisy(&self, observer: &Observer, number: u64, record: &Record) -> Result<(Spectrum, [f32; 7]), MapError> {
        let Observation { mut spectrum, truth, .. } = observer.observe(record)?;
        let Errors { below, above, observed } = self.errors;
        spectrum.error_below.clone_from(below);
        spectrum.error_above.clone_from(above);
        let mut chance = self.draw.at(Stream::Observation, number, 0);
        let drawn = (0..observed.len()).map(|point| spectrum.drawn(point, true, &mut chance) * observed[point]);
        spectrum.depths = drawn.collect();
        add_drawn(self.offsets, &mut spectrum.depths, observed, &mut chance);
        spectrum.observed.clone_from(observed);
        let given: Vec<f32> =
            truth.iter().zip(self.mask.given()).map(|(value, given)| if given { *value } else { f32::NAN }).collect();
        spectrum.parameters = observer.pixels(&given);
        Ok((spectrum, truth))
    }
}

/// Fits of simulated spectra without their errors.
struct CleanFits<'a> {
    fit: LatentFit<'a>,
    observer: &'a Observer,
}

impl<'a> RecordMap for CleanFits<'a> {
    type Engine = LatentFit<'a>;
    /// What the best fit leaves of the spectrum, `[w]`.
    type Output = Vec<f32>;

    fn engine(&self) -> &LatentFit<'a> {
        &self.fit
    }

    fn prepare(&self, _: u64, record: &Record) -> Result<Box<dyn Known>, MapError> {
        let mut spectrum = self.observer.observe(record)?.spectrum;
        spectrum.error_below.fill(0.0);
        spectrum.error_above.fill(0.0);
        Ok(Box::new(spectrum))
    }

    fn output(&self, _: u64, record: Record, fitted: Fitted) -> Result<Vec<f32>, MapError> {
        let depths = self.observer.observe(&record)?.spectrum.depths;
        let made = Posterior::of(self.fit.networks(), &fitted, false).best_depths;
        Ok(made.iter().zip(&depths).map(|(made, depth)| made - depth).collect())
    }
}

/// Fits of simulated spectra with the errors at hand.
struct NoisyFits<'a> {
    fit: LatentFit<'a>,
    observer: &'a Observer,
    measure: &'a Measure<'a>,
}

impl<'a> RecordMap for NoisyFits<'a> {
    type Engine = LatentFit<'a>;
    type Output = Trial;

    fn engine(&self) -> &LatentFit<'a> {
        &self.fit
    }

    fn prepare(&self, number: u64, record: &Record) -> Result<Box<dyn Known>, MapError> {
        Ok(Box::new(self.measure.noisy(self.observer, number, record)?.0))
    }

    fn output(&self, number: u64, record: Record, fitted: Fitted) -> Result<Trial, MapError> {
        let posterior = Posterior::of(self.fit.networks(), &fitted, false);
        let (Spectrum { depths, observed, .. }, truth) = self.measure.noisy(self.observer, number, &record)?;
        let depths = without_offsets(self.measure.offsets, &depths, &observed, &posterior);
        Ok(Trial { posterior, depths, observed, truth })
    }
}

/// What another rank has sent.
fn read_back<T: DeserializeOwned>(bytes: &[u8]) -> T {
    postcard::from_bytes(bytes).expect("it is what a rank wrote")
}
