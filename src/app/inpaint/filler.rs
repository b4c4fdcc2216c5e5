//! How a record is filled: what is fitted of it, and what comes of the fit.

use super::deviation::Deviation;
use super::holes::Holes;
use crate::app::CommandError;
use crate::app::fit_spectra::Spectra;
use crate::app::records::Record;
use crate::data::{DataError, Encoding, SpectralAxis};
use crate::family::spectra_gan::Aspa;
use crate::infer::latent_fit::{Fitted, Known};

/// Fills the records of a dataset, each alone.
pub struct Filler<'a> {
    holes: &'a Holes<'a>,
    encoding: &'a Encoding,
    /// Where it has spectra.
    spectra: Option<Spectra<'a>>,
    /// Whether the dataset has values where they are filled in.
    has_truth: bool,
}

impl<'a> Filler<'a> {
    /// Of the dataset that has these holes, for networks that learned with `encoding`.
    pub fn new(holes: &'a Holes, encoding: &'a Encoding) -> Self {
        let dataset = holes.dataset();
        let spectra = encoding
            .codec::<Aspa>()
            .map(|aspa| Spectra::new(dataset, holes.axis_mask().expect("spectra have an axis"), &aspa));
        let has_truth = !dataset.manifest().modality().spectral_axis().is_some_and(SpectralAxis::is_observed);
        Self { holes, encoding, spectra, has_truth }
    }

    /// What is to be fitted of a record.
    pub fn known(&self, number: u64, record: &Record) -> Result<Box<dyn Known>, CommandError> {
        Ok(match self.encoding {
            Encoding::Transform(transform) => Box::new(self.holes.known_map(number, record, transform)?),
            Encoding::Codec(_) => {
                let spectra = self.spectra.as_ref().expect("a codec is of spectra");
                Box::new(spectra.observed(record)?.spectrum)
            }
        })
    }

    /// The record as a whole, from the best of its restarts, and how far that is from what the dataset has.
    pub fn filled(&self, record: Record, fitted: &Fitted) -> Result<(Record, Deviation), CommandError> {
        let number = fitted.number;
        let image: Vec<f32> =
            Vec::try_from(fitted.maps.get(fitted.best() as i64).flatten(0, -1)).expect("maps are numbers");
        let made = self.encoding.decode(image).map_err(|source| DataError::Domain { record: number, source })?;
        let known = self.holes.known(number, &record)?;
        let off = if self.has_truth { Deviation::of(&record.values, &made.0, &known) } else { Deviation::default() };
        Ok((self.holes.filled(record, &known, made), off))
    }
}
