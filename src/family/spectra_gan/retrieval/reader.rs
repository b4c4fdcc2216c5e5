//! How posteriors become rows of the tables that a retrieval leaves.

use serde::{Deserialize, Serialize};

use super::table::{Interval, OffsetValue, RetrievalRow, SampleRow};
use super::{Calibration, DRAWS, Posterior, Reading, Widening, shift};
use crate::atmosphere::QUANTITIES;
use crate::family::spectra_gan::fit::Spectrum;
use crate::family::spectra_gan::observation::Observation;
use crate::family::spectra_gan::offsets::PPM;
use crate::infer::latent_fit::{OffsetGroup, offsets};
use crate::rng::Draw;

/// What was retrieved of one object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Retrieved {
    /// Its row.
    pub row: RetrievalRow,
    /// Its samples.
    pub samples: Vec<SampleRow>,
}

/// How posteriors become rows.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    /// What is known of the generator.
    pub calibration: Option<&'a Calibration>,
    /// Groups of points whose offsets are not known, as the fit has them.
    pub offsets: &'a [OffsetGroup],
    /// All chance follows from it.
    pub draw: Draw,
}

impl Reader<'_> {
    /// Weights and percentiles of what was fitted to `observation`.
    pub fn read(&self, observation: &Observation, posterior: &Posterior) -> Reading {
        let correlated = self.calibration.map_or(1.0, |calibration| calibration.points_per_independent_point);
        let widening = self.calibration.map_or([Widening::default(); 7], |calibration| calibration.widening);
        match self.calibration.and_then(|calibration| calibration.adjustment.as_ref()) {
            None => posterior.read(correlated, &widening, self.draw),
            Some(adjustment) => {
                let Spectrum { depths, observed, .. } = &observation.spectrum;
                let mut moved = posterior.clone();
                let depths = without_offsets(self.offsets, depths, observed, posterior);
                let off = adjustment.says(&depths, observed, posterior);
                moved.shift(shift(posterior, &off, correlated));
                moved.read(correlated, &widening, self.draw)
            }
        }
    }

    /// The rows of an object.
    pub fn retrieved(&self, observation: &Observation, posterior: &Posterior, reading: &Reading) -> Retrieved {
        let samples = (0..posterior.chi_square.len() * DRAWS).map(|sample| {
            let restart = sample / DRAWS;
            SampleRow {
                id: observation.id,
                restart: restart as u64,
                weight: reading.sample_weights[sample],
                chi_square: posterior.chi_square[restart],
                parameters: std::array::from_fn(|parameter| reading.samples[parameter][sample]),
                offsets_ppm: reading.offset_samples.iter().map(|samples| in_ppm(samples[sample].into())).collect(),
            }
        });
        Retrieved { row: self.row(observation, posterior, reading), samples: samples.collect() }
    }

    fn row(&self, observation: &Observation, posterior: &Posterior, reading: &Reading) -> RetrievalRow {
        let points = observation.spectrum.observed.iter().filter(|seen| **seen == 1.0).count() as u64;
        let chi_square = posterior.chi_square[reading.best];
        let parameters =
            reading.percentiles.map(|[p2_5, p16, median, p84, p97_5]| Interval { p2_5, p16, median, p84, p97_5 });
        let outside = parameters.iter().zip(&QUANTITIES).any(|(interval, quantity)| {
            let (low, high) = quantity.range;
            !(low..=high).contains(&f64::from(interval.median))
        });
        let unusual = self
            .calibration
            .is_some_and(|calibration| f64::from(chi_square) / points as f64 > calibration.chi_square_per_point_p99);
        RetrievalRow {
            id: observation.id,
            parameters,
            offsets: reading
                .offsets
                .iter()
                .map(|(mean, error)| OffsetValue { mean_ppm: in_ppm(*mean), error_ppm: in_ppm(*error) })
                .collect(),
            chi_square,
            points,
            restarts: posterior.chi_square.len() as u64,
            restart_agreement: reading.agreement,
            effective_samples: reading.effective_samples,
            out_of_range: outside || unusual,
            iterations: posterior.iterations.iter().map(|count| u64::from(*count)).sum(),
        }
    }
}

/// `depths`, `[w]`, without the offsets that the restart of `posterior` that stands for all leaves; what an adjustment learns from and is
/// asked with.
pub fn without_offsets(groups: &[OffsetGroup], depths: &[f32], observed: &[f32], posterior: &Posterior) -> Vec<f32> {
    let of_reference = posterior.offsets.get(posterior.reference).map_or(&[][..], Vec::as_slice);
    offsets::without(groups, depths, observed, of_reference)
}

fn in_ppm(depth: f64) -> f32 {
    (depth / PPM) as f32
}
