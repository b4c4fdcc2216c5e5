//! Validation of generated maps: their mean power spectrum and the variance of their pixels, against the validation split.
//!
//! Shapes: n = side in pixels, k = n/2 bins of the power spectrum.

use std::ops::Range;

use crate::checkpoint::Direction;
use crate::comm::{Communicator, Disagreement, agree};
use crate::data::normalise::Transform;
use crate::data::{DataError, Dataset, split};
use crate::infer::TrainedModel;
use crate::nn::MADE_AT_ONCE;
use crate::rng::Draw;
use crate::statistics::comparison::spectrum_departure;
use crate::statistics::power_spectrum::{bins, power_spectra};
use crate::statistics::{Maps, StatisticsError};
use crate::train::validation::{Measured, Score, Validator, add_in_batch_order};

/// Ratio of variances below which generated maps count as all the same.
const COLLAPSED: f64 = 0.1;

/// What is measured.
pub const SCORES: [Score; 2] = [
    Score {
        name: "spectrum_error",
        direction: Direction::Min,
        meaning: "the largest relative error of the mean power spectrum of generated maps over the wavenumbers side/8 <= k < 3 \
                  side/8 (in units of the fundamental)",
    },
    Score {
        name: "variance_error",
        direction: Direction::Min,
        meaning: "the relative error of the variance of a pixel over generated maps, averaged over pixels",
    },
];

/// Compares generated maps with maps of the validation split.
#[derive(Debug)]
pub struct MapsValidator {
    side: usize,
    batches: u64,
    transform: Transform,
    draw: Draw,
    data: Means,
}

/// Means over maps: the power in each bin `[k]`, and the variance of a pixel over maps, averaged over pixels.
#[derive(Debug)]
struct Means {
    power: Vec<f64>,
    variance: f64,
}

impl MapsValidator {
    /// With statistics of the first `maps` records of the validation split, or of all where there are fewer. Ranks share
    /// them out in batches; as many maps are to be generated from `draw`, rounded up to whole batches.
    pub fn new(
        comm: &dyn Communicator,
        dataset: &Dataset,
        maps: u64,
        transform: Transform,
        draw: Draw,
    ) -> Result<Self, Disagreement<DataError>> {
        let side = dataset.manifest().modality().shape[2];
        let records: Vec<u64> =
            agree(comm, dataset.validation_split())?.ranges().flatten().take(maps as usize).collect();
        let batches: Vec<&[u64]> = records.chunks(MADE_AT_ONCE as usize).collect();
        let of_batch = |batch: &&[u64]| {
            sums_of(&dataset.read_records(0, batch)?, side).map(Some).map_err(|error| not_maps(&error))
        };
        let mine = batches.iter().skip(comm.rank()).step_by(comm.ranks()).map(of_batch);
        let mine = agree(comm, mine.collect::<Result<Vec<_>, DataError>>())?;
        let sums = add_in_batch_order(comm, mine, batches.len() as u64, numbers(side));
        let data = Means::of(&sums.expect("records of a dataset are finite"), records.len() as f64, side);
        Ok(Self { side, batches: maps.div_ceil(MADE_AT_ONCE), transform, draw, data })
    }
}

impl Validator for MapsValidator {
    fn batches(&self) -> u64 {
        self.batches
    }

    fn numbers(&self) -> usize {
        numbers(self.side)
    }

    fn sums(&self, model: &dyn TrainedModel, batch: u64) -> Result<Option<Vec<f64>>, DataError> {
        let generator = model.generator().expect("a GAN generates");
        let records: Range<u64> = batch * MADE_AT_ONCE..(batch + 1) * MADE_AT_ONCE;
        let maps = generator.generate(self.draw, records).flatten(0, -1);
        let mut values = Vec::<f32>::try_from(maps).expect("maps are numbers");
        let physical = self.transform.inverse(&mut values).is_ok();
        Ok(physical.then(|| sums_of(&values, self.side).ok()).flatten())
    }

    fn finish(&self, sums: Option<&[f64]>) -> Measured {
        let made = sums.map(|sums| Means::of(sums, (self.batches * MADE_AT_ONCE) as f64, self.side));
        let (spectrum_error, variance_ratio) = made.map_or((f64::NAN, f64::NAN), |made| {
            (spectrum_departure(&made.power, &self.data.power, self.side), made.variance / self.data.variance)
        });
        let warning = (variance_ratio < COLLAPSED).then(|| {
            format!(
                "generated maps hardly differ from one another: their variance is {variance_ratio:.3} of that of the data"
            )
        });
        let [spectrum, variance] = SCORES.map(|score| score.name);
        Measured {
            scores: vec![(spectrum, spectrum_error), (variance, (variance_ratio - 1.0).abs())],
            beside: vec![("variance_ratio", variance_ratio)],
            warning,
        }
    }
}

/// Sums of a batch: of the power in each bin `[k]`, of each pixel and of its square `[n, n]`.
fn numbers(side: usize) -> usize {
    bins(side) + 2 * side * side
}

/// Sums over maps `[b, n, n]`.
fn sums_of(values: &[f32], side: usize) -> Result<Vec<f64>, StatisticsError> {
    let maps = Maps::new(values, side)?;
    let spectra = power_spectra(maps);
    let mut sums = vec![0.0; numbers(side)];
    let (power, pixels) = sums.split_at_mut(bins(side));
    let (pixel, square) = pixels.split_at_mut(side * side);
    for map in 0..maps.count() {
        for (sum, power) in power.iter_mut().zip(spectra.of_map(map)) {
            *sum += f64::from(*power);
        }
    }
    for map in values.chunks_exact(side * side) {
        for ((sum, square), value) in pixel.iter_mut().zip(square.iter_mut()).zip(map) {
            *sum += f64::from(*value);
            *square += f64::from(*value) * f64::from(*value);
        }
    }
    Ok(sums)
}

fn not_maps(error: &StatisticsError) -> DataError {
    DataError::Usage(format!("split `{}`: {error}", split::VALIDATION))
}

impl Means {
    /// Out of the sums over `maps` maps.
    fn of(sums: &[f64], maps: f64, side: usize) -> Self {
        let (power, pixels) = sums.split_at(bins(side));
        let (pixel, square) = pixels.split_at(side * side);
        let variances = pixel.iter().zip(square).map(|(sum, square)| (square / maps - (sum / maps).powi(2)).max(0.0));
        Self {
            power: power.iter().map(|sum| sum / maps).collect(),
            variance: variances.sum::<f64>() / pixel.len() as f64,
        }
    }
}
