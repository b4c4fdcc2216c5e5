//! The usual errors of the spectra that are to be retrieved.
//!
//! Shapes: w = points of a spectrum.

use std::ops::Range;

use xxhash_rust::xxh3::xxh3_64;

use crate::data::{Dataset, Records};
use crate::exit::{Ends, Exit};
use crate::family::spectra_gan::fit::Spectrum;
use crate::family::spectra_gan::observation::Observer;
use crate::infer::MapError;

/// Objects whose errors stand for those of all.
pub const ERRORS_OF: u64 = 256;

/// Medians of the errors of spectra.
#[derive(Clone, Debug)]
pub struct Errors {
    /// `[w]`, one standard deviation downwards.
    pub below: Vec<f32>,
    /// `[w]`, one standard deviation upwards.
    pub above: Vec<f32>,
    /// `[w]`, 1 where the point is observed in most spectra, else 0.
    pub observed: Vec<f32>,
}

impl Errors {
    /// Medians over those of `records` of which anything is known.
    pub fn of(dataset: &Dataset, observer: &Observer, records: Range<u64>) -> Result<Self, MapError> {
        let mut reader = Records::of(dataset);
        let mut all: Vec<Spectrum> = Vec::new();
        let mut fault = None;
        for record in records {
            let observed = reader.read(record).map_err(MapError::from).and_then(|record| observer.observe(&record));
            match observed {
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

    /// Checksum of all of them.
    pub fn checksum(&self) -> String {
        let numbers = self.below.iter().chain(&self.above).chain(&self.observed);
        let bytes: Vec<u8> = numbers.flat_map(|value| value.to_le_bytes()).collect();
        format!("{:016x}", xxh3_64(&bytes))
    }
}
