//! Validation during training: scores of generated maps, their mean power spectrum and the variance of their pixels, against the
//! validation split of the dataset, which is not trained on.
//!
//! Ranks share the batches out; what is added over maps is added in batch order on every rank, so that the numbers are
//! the same bits whatever the ranks.

use super::step::Stepper;
use crate::checkpoint::{Criterion, Direction};
use crate::comm::{Communicator, Disagreement, agree};
use crate::data::normalise::Transform;
use crate::data::split::VALIDATION;
use crate::data::{DataError, Dataset, Split};
use crate::objective::{MADE_AT_ONCE, Objective};
use crate::statistics::comparison::spectrum_departure;
use crate::statistics::power_spectrum::{self, power_spectra};
use crate::statistics::{Maps, StatisticsError};

/// Ratio of variances below which generated maps count as all the same.
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
    let folder = dataset.folder().display();
    let wanted = "since `validation.every` is not 0: simulate or ingest the dataset with --validation SHARE";
    match dataset.manifest().splits.get(VALIDATION) {
        Some(split) if split.records() > 1 => Ok(split),
        Some(_) => Err(format!("{folder} has one record in its split `{VALIDATION}`, expected at least 2 {wanted}")),
        None => Err(format!("{folder} has no split `{VALIDATION}`, expected one {wanted}")),
    }
    .map_err(DataError::Usage)
}

/// Statistics of the validation split, with which generated maps are compared.
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

    /// With statistics of the first `maps` records of the validation split, or of all where there are fewer. Ranks share them out in
    /// batches; as many maps are to be generated, rounded up to whole batches.
    pub fn new(
        comm: &dyn Communicator,
        dataset: &Dataset,
        maps: u64,
        transform: Transform,
    ) -> Result<Self, Disagreement<DataError>> {
        let side = dataset.manifest().modality().shape[2];
        let records = agree(comm, split(dataset))?.ranges().flatten().take(maps as usize).collect::<Vec<u64>>();
        let batches: Vec<&[u64]> = records.chunks(MADE_AT_ONCE as usize).collect();
        let of_batch = |batch: &&[u64]| -> Result<Option<Sums>, DataError> {
            let mut values = Vec::new();
            for neighbours in batch.chunk_by(|a, b| a + 1 == *b) {
                values.extend(dataset.read(0, neighbours[0]..neighbours[0] + neighbours.len() as u64)?);
            }
            let sums = Sums::of(&values, side);
            sums.map(Some).map_err(|error| DataError::Usage(format!("split `{VALIDATION}`: {error}")))
        };
        let mine = batches.iter().skip(comm.rank()).step_by(comm.ranks()).map(of_batch);
        let mine = agree(comm, mine.collect::<Result<Vec<_>, _>>())?;
        let counts = batches.iter().map(|batch| batch.len() as u64);
        let data = Sums::of_all_ranks(comm, mine, counts, side).expect("records of a dataset are finite");
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
        let counts = (0..batches).map(|_| MADE_AT_ONCE);
        let total = Sums::of_all_ranks(comm, sums.collect(), counts, self.side);
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

    /// Adds the sums of all batches in their order, the same on every rank; nothing where one is missing or not finite.
    ///
    /// - `mine`: of the batches rank, rank + ranks, ..
    /// - `counts`: maps of each batch
    fn of_all_ranks(
        comm: &dyn Communicator,
        mine: Vec<Option<Self>>,
        counts: impl Iterator<Item = u64>,
        side: usize,
    ) -> Option<Self> {
        let mut total = Self::empty(side);
        let length = total.power.len() + 2 * total.pixel.len();
        let packed: Vec<u8> = mine.into_iter().flat_map(|sums| Self::bytes(sums, length)).collect();
        let all = comm.gather(&packed);
        for (batch, count) in counts.enumerate() {
            let (rank, place) = (batch % comm.ranks(), batch / comm.ranks() * length * size_of::<f64>());
            total = total.add(count, &all[rank][place..place + length * size_of::<f64>()])?;
        }
        Some(total)
    }

    /// A batch on the way to the other ranks: `length` numbers, none of them finite where there are no sums.
    fn bytes(sums: Option<Self>, length: usize) -> Vec<u8> {
        let numbers =
            sums.map_or_else(|| vec![f64::NAN; length], |sums| [sums.power, sums.pixel, sums.square].concat());
        numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
    }

    /// Adds a batch of `count` maps that came as `bytes`; nothing where it is not finite.
    fn add(mut self, count: u64, bytes: &[u8]) -> Option<Self> {
        self.maps += count as f64;
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
