//! How good what the networks make is while they learn: its mean power spectrum and the variance of its pixels, held against
//! the validation split of the dataset, which is not trained on.
//!
//! Ranks share the batches out; what is added over maps is added in batch order on every rank, so that the numbers are
//! the same bits whatever the ranks.

use super::step::Stepper;
use crate::checkpoint::{Criterion, Direction};
use crate::comm::Communicator;
use crate::data::normalise::Transform;
use crate::data::split::VALIDATION;
use crate::data::{DataError, Dataset, Split};
use crate::objective::{MADE_AT_ONCE, Objective};
use crate::statistics::comparison::spectrum_departure;
use crate::statistics::power_spectrum::{self, power_spectra};
use crate::statistics::{Maps, StatisticsError};

/// Maps that differ among each other so much less than the data do are all the same one.
const COLLAPSED: f64 = 0.1;

/// A score, and which values of it are better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Score {
    /// Its name in metrics, in checkpoints and in `validation.best`.
    pub name: &'static str,
    /// Which values are better.
    pub direction: Direction,
}

impl Score {
    /// As a checkpoint says by which score the best is chosen.
    pub fn criterion(self) -> Criterion {
        Criterion { score: self.name.to_owned(), direction: self.direction }
    }
}

/// What was measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scores {
    /// Maps that were made.
    pub maps: u64,
    /// max |ratio - 1| of the mean power spectra over the judged k; no number where maps cannot be judged.
    pub spectrum_error: f64,
    /// |ratio - 1| of the variances.
    pub variance_error: f64,
    /// Mean variance of a pixel over maps, over that of the data: 1 where maps differ as the data do.
    pub variance_ratio: f64,
}

impl Scores {
    /// The value of each of [`Validator::SCORES`], by name.
    pub fn named(&self) -> [(&'static str, f64); 2] {
        let [spectrum, variance] = Validator::SCORES.map(|score| score.name);
        [(spectrum, self.spectrum_error), (variance, self.variance_error)]
    }

    /// Whether what is made is nearly always the same.
    pub fn has_collapsed(&self) -> bool {
        self.variance_ratio < COLLAPSED
    }
}

/// The split of `dataset` that is measured on.
///
/// # Errors
/// Where it has none: how to get one.
pub fn split(dataset: &Dataset) -> Result<&Split, DataError> {
    dataset.manifest().splits.get(VALIDATION).ok_or_else(|| {
        let folder = dataset.folder().display();
        DataError::Usage(format!(
            "{folder} has no split `{VALIDATION}`, expected one since `validation.every` is not 0: \
             simulate or ingest the dataset with --validation SHARE"
        ))
    })
}

/// What the data of the validation split do, to measure by.
#[derive(Debug)]
pub struct Validator {
    side: usize,
    maps: u64,
    transform: Transform,
    data: Sums,
}

/// Sums over maps: of the power in each bin `[s/2]`, of each pixel and of its square `[s, s]`.
#[derive(Debug)]
struct Sums {
    maps: f64,
    power: Vec<f64>,
    pixel: Vec<f64>,
    square: Vec<f64>,
}

impl Validator {
    /// What is measured.
    pub const SCORES: [Score; 2] = [
        Score { name: "spectrum_error", direction: Direction::Min },
        Score { name: "variance_error", direction: Direction::Min },
    ];

    /// By the first `maps` records of the validation split, or all where there are fewer; as many are to be made, in
    /// whole batches.
    pub fn new(dataset: &Dataset, maps: u64, transform: Transform) -> Result<Self, DataError> {
        let (mut left, mut values) = (maps, Vec::new());
        for range in split(dataset)?.ranges() {
            let taken = left.min(range.end - range.start);
            values.extend(dataset.read(0, range.start..range.start + taken)?);
            left -= taken;
        }
        let side = dataset.manifest().modality().shape[2];
        let data =
            Sums::of(&values, side).map_err(|error| DataError::Usage(format!("split `{VALIDATION}`: {error}")))?;
        Ok(Self { side, maps: maps.next_multiple_of(MADE_AT_ONCE), transform, data })
    }

    /// Measures what the maker of records makes now; nothing where the game makes none.
    pub fn measure<O: Objective>(&self, comm: &dyn Communicator, stepper: &mut Stepper<O>) -> Option<Scores> {
        let batches = self.maps / MADE_AT_ONCE;
        let mine = (comm.rank() as u64..batches).step_by(comm.ranks());
        let mine: Vec<_> = mine.map(|batch| batch * MADE_AT_ONCE..(batch + 1) * MADE_AT_ONCE).collect();
        let made = stepper.make(&mine)?;
        let sums = made.into_iter().map(|mut values| {
            let physical = self.transform.inverse(&mut values).is_ok();
            physical.then(|| Sums::of(&values, self.side).ok()).flatten()
        });
        // One after the other: batch after batch of each rank, all of the same length; nothing where maps are not finite.
        let length = self.data.power.len() + 2 * self.data.pixel.len();
        let packed: Vec<u8> = sums.flat_map(|sums| Sums::bytes(sums, length)).collect();
        let all = comm.gather(&packed);
        let mut total: Option<Sums> = Some(Sums::empty(self.side));
        for batch in 0..batches as usize {
            let (rank, place) = (batch % comm.ranks(), batch / comm.ranks() * length * size_of::<f64>());
            let numbers = &all[rank][place..place + length * size_of::<f64>()];
            total = total.and_then(|total| total.add(numbers));
        }
        let (spectrum_error, variance_ratio) = total.map_or((f64::NAN, f64::NAN), |made| {
            let error = spectrum_departure(&made.mean_power(), &self.data.mean_power(), self.side);
            (error, made.variance() / self.data.variance())
        });
        let variance_error = (variance_ratio - 1.0).abs();
        Some(Scores { maps: self.maps, spectrum_error, variance_error, variance_ratio })
    }
}

impl Sums {
    fn empty(side: usize) -> Self {
        let zeros = |count| vec![0.0; count];
        let bins = power_spectrum::bins(side);
        Self { maps: 0.0, power: zeros(bins), pixel: zeros(side * side), square: zeros(side * side) }
    }

    /// Over `values`, `[n, side, side]`.
    fn of(values: &[f32], side: usize) -> Result<Self, StatisticsError> {
        let maps = Maps::new(values, side)?;
        let spectra = power_spectra(maps);
        let mut sums = Self::empty(side);
        sums.maps = maps.count() as f64;
        for map in 0..maps.count() {
            for (sum, power) in sums.power.iter_mut().zip(spectra.of_map(map)) {
                *sum += f64::from(*power);
            }
        }
        for map in values.chunks_exact(side * side) {
            for ((sum, square), value) in sums.pixel.iter_mut().zip(&mut sums.square).zip(map) {
                *sum += f64::from(*value);
                *square += f64::from(*value) * f64::from(*value);
            }
        }
        Ok(sums)
    }

    /// A batch on the way to the other ranks: `length` numbers, none of them finite where there are no sums.
    fn bytes(sums: Option<Self>, length: usize) -> Vec<u8> {
        let numbers =
            sums.map_or_else(|| vec![f64::NAN; length], |sums| [sums.power, sums.pixel, sums.square].concat());
        numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
    }

    /// Adds a batch that came as `bytes`; nothing where it is not finite.
    fn add(mut self, bytes: &[u8]) -> Option<Self> {
        self.maps += MADE_AT_ONCE as f64;
        let sums = self.power.iter_mut().chain(&mut self.pixel).chain(&mut self.square);
        for (sum, bytes) in sums.zip(bytes.chunks_exact(size_of::<f64>())) {
            *sum += f64::from_le_bytes(bytes.try_into().expect("eight bytes"));
            if !sum.is_finite() {
                return None;
            }
        }
        Some(self)
    }

    fn mean_power(&self) -> Vec<f64> {
        self.power.iter().map(|sum| sum / self.maps).collect()
    }

    /// Variance of a pixel over maps, mean over pixels.
    fn variance(&self) -> f64 {
        let moments = self.pixel.iter().zip(&self.square);
        let variances = moments.map(|(sum, square)| (square / self.maps - (sum / self.maps).powi(2)).max(0.0));
        variances.sum::<f64>() / self.pixel.len() as f64
    }
}
