//! Inpainting: the part of a record that is not known, from the latent vector that agrees best with what is.

mod deviation;
mod map_holes;

use super::latent_fit::{Fitted, Known, LatentFit};
use super::map_records::{MapError, RecordMap};
use crate::data::{DataError, Encoding, Record};

pub use deviation::{Deviation, NewRecord};
pub use map_holes::MapHoles;

/// What is to be filled in the records of a dataset.
pub trait Holes {
    /// Which values of a record are known, of those that come first in it: `[w]` points of a spectrum, `[h w]` pixels of a map.
    fn known(&self, number: u64, record: &Record) -> Result<Vec<bool>, MapError>;

    /// What a fit is held against.
    fn target(&self, number: u64, record: &Record) -> Result<Box<dyn Known>, MapError>;

    /// Labels of a filled record.
    ///
    /// - `labels`: of the record; `made`: those that the networks made, if they make any
    fn labels(&self, labels: Vec<f32>, made: Vec<f32>) -> Vec<f32>;

    /// Whether records have values where they are filled, to compare with.
    fn has_truth(&self) -> bool {
        true
    }
}

/// Fills the records of a dataset, each alone.
pub struct Inpaint<'a> {
    /// Fits latent vectors.
    pub fit: LatentFit<'a>,
    /// What is to be filled.
    pub holes: &'a dyn Holes,
    /// How records come to the networks, and back.
    pub encoding: &'a Encoding,
}

impl<'a> RecordMap for Inpaint<'a> {
    type Engine = LatentFit<'a>;
    type Output = NewRecord;

    fn engine(&self) -> &LatentFit<'a> {
        &self.fit
    }

    fn prepare(&self, number: u64, record: &Record) -> Result<Box<dyn Known>, MapError> {
        self.holes.target(number, record)
    }

    /// What is known of the record, and the rest from the best of its restarts.
    fn output(&self, number: u64, record: Record, fitted: Fitted) -> Result<NewRecord, MapError> {
        let image = fitted.maps.get(fitted.best() as i64).flatten(0, -1);
        let image: Vec<f32> = Vec::try_from(image).expect("images are numbers");
        let made = self.encoding.decode(image).map_err(|source| DataError::Domain { record: number, source })?;
        let (mut values, labels) = made;
        let known = self.holes.known(number, &record)?;
        let truth = self.holes.has_truth();
        let deviation = if truth { Deviation::of(&record.values, &values, &known) } else { Deviation::default() };
        for ((made, value), _) in values.iter_mut().zip(&record.values).zip(&known).filter(|(_, known)| **known) {
            *made = *value;
        }
        let labels = self.holes.labels(record.labels, labels);
        Ok(NewRecord { record: Record { id: record.id, values, labels }, deviation })
    }
}
