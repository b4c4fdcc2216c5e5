//! What is to be filled of the records of a dataset.
//!
//! Shapes: h, w = rows and columns of a map; w = points of a spectrum.

use std::fmt;

use crate::app::CommandError;
use crate::app::fit_spectra;
use crate::app::records::{Record, Records};
use crate::atmosphere;
use crate::data::mask::{MapMask, MaskError};
use crate::data::{DataError, Dataset, Kind, Transform};
use crate::family::spectra_gan::{AxisMask, SpectrumMask};
use crate::infer::latent_fit::KnownPixels;
use crate::rng::Draw;

/// What is known of records of a kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Mask {
    /// Of spectra.
    Spectra(SpectrumMask),
    /// Of maps.
    Maps(MapMask),
}

impl Mask {
    /// What `word` says of records of `kind`.
    pub fn parse(word: &str, kind: Kind) -> Result<Self, MaskError> {
        match kind {
            Kind::Spectrum => SpectrumMask::parse(word).map(Self::Spectra),
            Kind::Map | Kind::Cutout if MapMask::is_meant_by(word) => MapMask::parse(word).map(Self::Maps),
            Kind::Map | Kind::Cutout => {
                let mask = SpectrumMask::parse(word)?;
                Err(MaskError::word(&mask, "is of spectra, expected a mask of maps"))
            }
        }
    }
}

/// The word that says the same, instruments and lists written out.
impl fmt::Display for Mask {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Spectra(mask) => mask.fmt(out),
            Self::Maps(mask) => mask.fmt(out),
        }
    }
}

/// A dataset, and a mask that fits it.
pub struct Holes<'a> {
    dataset: &'a Dataset,
    mask: Laid,
    draw: Draw,
}

/// A mask on records of one shape.
enum Laid {
    /// Which label each parameter is beside it.
    Spectra(AxisMask, [Option<usize>; 7]),
    /// Rows and columns beside it.
    Maps(MapMask, [usize; 2]),
}

impl<'a> Holes<'a> {
    /// Those that `mask` leaves in `dataset`, which has records of its kind, of which some are there to be filled.
    pub fn of(dataset: &'a Dataset, mask: Mask, draw: Draw) -> Result<Self, CommandError> {
        let manifest = dataset.manifest();
        let mask = match mask {
            Mask::Spectra(mask) => mask,
            Mask::Maps(mask) => {
                let [.., h, w] = manifest.modality().shape[..] else { unreachable!("maps are [channels, h, w]") };
                mask.check(h, w, draw, 0..manifest.count)?;
                return Ok(Self { dataset, mask: Laid::Maps(mask, [h, w]), draw });
            }
        };
        let axis = fit_spectra::axis_of(dataset);
        let on_axis = mask.on(axis)?;
        let mut records = Records::of(dataset);
        let mut anything = on_axis.points().contains(&false);
        let mut numbers = if axis.is_observed() { 0..manifest.count } else { 0..0 };
        while let Some(number) = numbers.next().filter(|_| !anything) {
            anything = on_axis.known(&records.read(number)?.values).is_ok_and(|known| known.contains(&false));
        }
        if !anything {
            let fault = "leaves nothing to fill in spectra that are observed as a whole, expected some wavelengths, or \
                         `skyforge retrieve` for their parameters";
            return Err(MaskError::Misfit { word: mask.to_string(), fault: fault.into() }.into());
        }
        let columns = atmosphere::columns(&manifest.labels)
            .map_err(|fault| CommandError::Wrong { path: dataset.folder().to_owned(), fault })?;
        Ok(Self { dataset, mask: Laid::Spectra(on_axis, columns), draw })
    }

    /// The dataset.
    pub fn dataset(&self) -> &'a Dataset {
        self.dataset
    }

    /// The mask of spectra that it is.
    pub fn axis_mask(&self) -> Option<&AxisMask> {
        match &self.mask {
            Laid::Spectra(mask, _) => Some(mask),
            Laid::Maps(..) => None,
        }
    }

    /// Which values of a record are known: `[w]` or `[h w]`.
    pub fn known(&self, number: u64, record: &Record) -> Result<Vec<bool>, CommandError> {
        match &self.mask {
            Laid::Spectra(mask, _) => mask.known(&record.values).map_err(|fault| CommandError::Wrong {
                path: self.dataset.folder().to_owned(),
                fault: format!("object {}: {fault}", record.id),
            }),
            Laid::Maps(mask, [h, w]) => Ok(mask.pixels(*h, *w, self.draw, number)?),
        }
    }

    /// What is to be fitted of a map by networks that learned behind `transform`.
    pub fn known_map(&self, number: u64, record: &Record, transform: &Transform) -> Result<KnownPixels, CommandError> {
        let known = self.known(number, record)?;
        let mut pixels = record.values.clone();
        // Whatever stands in a hole need not be a value that the transform takes.
        let first = known.iter().zip(&pixels).find(|(known, _)| **known).map_or(0.0, |(_, pixel)| *pixel);
        let unknown = |pixels: &mut [f32], value| {
            pixels.iter_mut().zip(&known).filter(|(_, known)| !**known).for_each(|(pixel, _)| *pixel = value);
        };
        unknown(&mut pixels, first);
        transform.forward(&mut pixels).map_err(|source| DataError::Domain { record: number, source })?;
        unknown(&mut pixels, 0.0);
        let known = known.into_iter().map(|known| f32::from(u8::from(known))).collect();
        Ok(KnownPixels { pixels, known })
    }

    /// A record as a whole: what is `known` of it, and the rest from the values and labels that were made.
    pub fn filled(&self, record: Record, known: &[bool], (mut values, mut labels): (Vec<f32>, Vec<f32>)) -> Record {
        // Depths come first in a spectrum.
        for ((made, value), known) in values.iter_mut().zip(&record.values).zip(known) {
            *made = if *known { *value } else { *made };
        }
        match &self.mask {
            Laid::Maps(..) => labels = record.labels,
            Laid::Spectra(mask, columns) => {
                let known = atmosphere::of_labels(columns, &record.labels);
                for ((made, known), given) in labels.iter_mut().zip(known).zip(mask.given()) {
                    *made = if given && !known.is_nan() { known } else { *made };
                }
            }
        }
        Record { id: record.id, values, labels }
    }
}
