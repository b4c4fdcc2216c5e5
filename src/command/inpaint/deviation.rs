//! How far filled values are from those that the dataset has.

use super::holes::Holes;
use crate::command::CommandError;
use crate::command::records::Records;
use crate::data::{Dataset, Kind};

/// Root mean squares over all filled values.
pub struct Deviation {
    /// How many they are.
    pub values: u64,
    /// Of those that were made.
    pub made: f64,
    /// Of the mean of what is known of each record in their place.
    pub mean: f64,
    /// What both are in.
    pub unit: String,
}

impl Deviation {
    /// Of `filled` from the dataset with `holes`; none where that has only what was observed.
    pub fn of(holes: &Holes, filled: &Dataset) -> Result<Option<Self>, CommandError> {
        let manifest = holes.dataset().manifest();
        let (scale, unit) = match manifest.kind {
            Kind::Maps => (1.0, manifest.unit.clone()),
            Kind::Spectra => (1e6, "ppm".into()),
        };
        if manifest.axis.as_ref().is_some_and(crate::data::SpectralAxis::is_observed) {
            return Ok(None);
        }
        let (mut truths, mut filled) = (Records::of(holes.dataset()), Records::of(filled));
        let (mut values, mut made, mut mean) = (0, 0.0, 0.0);
        for number in 0..manifest.count {
            let truth = truths.read(number)?;
            let (known, filled) = (holes.known(number, &truth)?, filled.read(number)?.values);
            let all = || truth.values.iter().zip(&known).map(|(value, known)| (f64::from(*value), *known));
            let (sum, count) = all()
                .filter(|(_, known)| *known)
                .fold((0.0, 0.0), |(sum, count), (value, _)| (sum + value, count + 1.0));
            for ((truth, _), filled) in all().zip(filled).filter(|((_, known), _)| !known) {
                made += (f64::from(filled) - truth).powi(2);
                mean += (sum / count - truth).powi(2);
                values += 1;
            }
        }
        let root = |squares: f64| scale * (squares / values as f64).sqrt();
        Ok(Some(Self { values, made: root(made), mean: root(mean), unit }))
    }
}
