//! What is to be filled of maps.
//!
//! Shapes: h, w = rows and columns of a map.

use super::Holes;
use crate::data::mask::{MapMask, MaskError};
use crate::data::{DataError, Dataset, Record, Transform};
use crate::infer::latent_fit::{Known, KnownPixels};
use crate::infer::map_records::MapError;
use crate::rng::Draw;

/// A mask on the maps of a dataset.
pub struct MapHoles {
    mask: MapMask,
    shape: [usize; 2],
    transform: Transform,
    draw: Draw,
}

impl MapHoles {
    /// Those that `mask` leaves in `dataset`, whose records are maps, for networks that learned behind `transform`.
    ///
    /// # Errors
    /// Where it leaves nothing to fill, or nothing known, in a map.
    pub fn of(dataset: &Dataset, mask: MapMask, transform: Transform, draw: Draw) -> Result<Self, MaskError> {
        let manifest = dataset.manifest();
        let [.., h, w] = manifest.modality().shape[..] else { unreachable!("maps are [channels, h, w]") };
        mask.check(h, w, draw, 0..manifest.count)?;
        Ok(Self { mask, shape: [h, w], transform, draw })
    }
}

impl Holes for MapHoles {
    fn known(&self, number: u64, _: &Record) -> Result<Vec<bool>, MapError> {
        let [h, w] = self.shape;
        Ok(self.mask.pixels(h, w, self.draw, number)?)
    }

    fn target(&self, number: u64, record: &Record) -> Result<Box<dyn Known>, MapError> {
        let known = self.known(number, record)?;
        let mut pixels = record.values.clone();
        // Whatever stands in a hole need not be a value that the transform takes.
        let first = known.iter().zip(&pixels).find(|(known, _)| **known).map_or(0.0, |(_, pixel)| *pixel);
        let unknown = |pixels: &mut [f32], value| {
            pixels.iter_mut().zip(&known).filter(|(_, known)| !**known).for_each(|(pixel, _)| *pixel = value);
        };
        unknown(&mut pixels, first);
        self.transform.forward(&mut pixels).map_err(|source| DataError::Domain { record: number, source })?;
        unknown(&mut pixels, 0.0);
        let known = known.into_iter().map(|known| f32::from(u8::from(known))).collect();
        Ok(Box::new(KnownPixels { pixels, known }))
    }

    fn labels(&self, labels: Vec<f32>, _: Vec<f32>) -> Vec<f32> {
        labels
    }
}
