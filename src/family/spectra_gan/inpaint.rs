//! What is to be filled of spectra.

use super::mask::SpectrumMask;
use super::observation::{Observer, axis_of};
use crate::data::mask::MaskError;
use crate::data::{Dataset, Record, Records, SpectralAxis};
use crate::infer::MapError;
use crate::infer::inpaint::Holes;
use crate::infer::latent_fit::Known;

/// A mask on the spectra of a dataset.
pub struct SpectrumHoles {
    observer: Observer,
    is_observed: bool,
}

impl SpectrumHoles {
    /// Those that `mask` leaves in `dataset`, whose spectra `observer` sees behind it.
    ///
    /// # Errors
    /// Where it leaves nothing to fill in any of them.
    pub fn of(dataset: &Dataset, mask: &SpectrumMask, observer: Observer) -> Result<Self, MapError> {
        let axis = axis_of(dataset);
        let mut records = Records::of(dataset);
        let mut anything = observer.mask().points().contains(&false);
        let mut numbers = if axis.is_observed() { 0..dataset.manifest().count } else { 0..0 };
        while let Some(number) = numbers.next().filter(|_| !anything) {
            let record = records.read(number)?;
            anything = observer.mask().known(&record.values).is_ok_and(|known| known.contains(&false));
        }
        if !anything {
            let fault = "leaves nothing to fill in spectra that are observed as a whole, expected some wavelengths, or \
                         `skyforge retrieve` for their parameters";
            return Err(MaskError::Misfit { word: mask.to_string(), fault: fault.into() }.into());
        }
        Ok(Self { observer, is_observed: SpectralAxis::is_observed(axis) })
    }

    /// What sees the spectra.
    pub fn observer(&self) -> &Observer {
        &self.observer
    }
}

impl Holes for SpectrumHoles {
    fn known(&self, _: u64, record: &Record) -> Result<Vec<bool>, MapError> {
        self.observer.known(record)
    }

    fn target(&self, _: u64, record: &Record) -> Result<Box<dyn Known>, MapError> {
        Ok(Box::new(self.observer.observe(record)?.spectrum))
    }

    /// Parameters that are given, where they are known; else those that the networks made.
    fn labels(&self, labels: Vec<f32>, mut made: Vec<f32>) -> Vec<f32> {
        let known = self.observer.parameters(&labels);
        for ((made, known), given) in made.iter_mut().zip(known).zip(self.observer.mask().given()) {
            *made = if given && !known.is_nan() { known } else { *made };
        }
        made
    }

    fn has_truth(&self) -> bool {
        !self.is_observed
    }
}
