//! A retrieval, object by object: latent vectors are fitted to a spectrum, and become rows.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::Posterior;
use super::example;
use super::reader::{Reader, Retrieved};
use crate::data::Record;
use crate::family::spectra_gan::observation::Observer;
use crate::family::spectra_gan::report::examples::ExampleObject;
use crate::infer::latent_fit::{Fitted, Known, LatentFit};
use crate::infer::{MapError, RecordMap};

/// Retrieves the parameters of each spectrum of a dataset.
pub struct Retrieve<'a> {
    fit: LatentFit<'a>,
    observer: &'a Observer,
    wavelength_um: &'a [f64],
    reader: Reader<'a>,
    extras: Extras,
}

/// What is wanted of a retrieval beside its rows.
#[derive(Clone, Debug, Default)]
pub struct Extras {
    /// Depths of the best fit of each object.
    pub best_depths: bool,
    /// Objects with all that their figures need.
    pub examples: Range<u64>,
}

/// What was retrieved of an object.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RetrievedObject {
    /// Its rows.
    pub retrieved: Retrieved,
    /// The parameters that the dataset has, NaN where unknown.
    pub truth: [f32; 7],
    /// `[w]`, the depths of the best fit; empty where they are not wanted.
    pub best_depths: Vec<f32>,
    /// What its figures need, where that is wanted.
    pub example: Option<ExampleObject>,
}

impl<'a> Retrieve<'a> {
    /// By `fit`, from spectra as `observer` sees them at these wavelengths, with rows as `reader` reads them.
    pub fn new(
        fit: LatentFit<'a>,
        observer: &'a Observer,
        wavelength_um: &'a [f64],
        reader: Reader<'a>,
        extras: Extras,
    ) -> Self {
        Self { fit: fit.watching(extras.examples.clone()), observer, wavelength_um, reader, extras }
    }
}

impl<'a> RecordMap for Retrieve<'a> {
    type Engine = LatentFit<'a>;
    type Output = RetrievedObject;

    fn engine(&self) -> &LatentFit<'a> {
        &self.fit
    }

    fn prepare(&self, _: u64, record: &Record) -> Result<Box<dyn Known>, MapError> {
        Ok(Box::new(self.observer.observe(record)?.spectrum))
    }

    fn output(&self, number: u64, record: Record, fitted: Fitted) -> Result<RetrievedObject, MapError> {
        let observation = self.observer.observe(&record)?;
        let shown = self.extras.examples.contains(&number);
        let posterior = Posterior::of(self.fit.networks(), &fitted, shown);
        let reading = self.reader.read(&observation, &posterior);
        let retrieved = self.reader.retrieved(&observation, &posterior, &reading);
        let example =
            shown.then(|| example::object(self.wavelength_um, &observation, &posterior, &reading, &fitted.paths));
        let best_depths = if self.extras.best_depths { posterior.best_depths } else { Vec::new() };
        Ok(RetrievedObject { retrieved, truth: observation.truth, best_depths, example })
    }
}

/// The same retrieval, of which only the rows are kept: what a ledger holds of an object.
pub struct RetrieveRows<'a>(pub Retrieve<'a>);

impl<'a> RecordMap for RetrieveRows<'a> {
    type Engine = LatentFit<'a>;
    type Output = Retrieved;

    fn engine(&self) -> &LatentFit<'a> {
        self.0.engine()
    }

    fn prepare(&self, number: u64, record: &Record) -> Result<Box<dyn Known>, MapError> {
        self.0.prepare(number, record)
    }

    fn output(&self, number: u64, record: Record, fitted: Fitted) -> Result<Retrieved, MapError> {
        Ok(self.0.output(number, record, fitted)?.retrieved)
    }
}
