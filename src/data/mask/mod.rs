//! What is known of a record: which points of a spectrum, which parameters of its atmosphere, which pixels of a map.
//!
//! A mask is a word of the command line. Of a spectrum the word says what is known, and after `not:` what of that is left out; of
//! a map it says the hole that is to be filled, and `not:` turns it over.
//!
//! | word, of spectra | what is known |
//! | --- | --- |
//! | `parameters` | all wavelengths; no parameter, as with all words below |
//! | `0.6-5.3um` | what lies between, both ends included |
//! | `1.4um` | the point whose bin holds it |
//! | `hst-wfc3`, `jwst-nirspec-prism`, `ariel` | what the instrument sees (`INSTRUMENTS`) |
//! | `planet_radius`, or another of the seven | this parameter, beside the wavelengths; beside all where none are named |
//! | `list.txt` | a file with a range or a wavelength a line, in um |
//! | `1-2um,3-4um,planet_radius` | all of these together |
//! | `0.6-5.3um,not:1.3-1.5um,2-2.1um` | what comes before `not:`, or all, without what comes after |
//!
//! | word, of maps | what is missing |
//! | --- | --- |
//! | `center` | the middle half of the rows and columns |
//! | `left` | the left half |
//! | `random:0.2` | each pixel with this chance, in each map others |
//! | `grid:4` | all but each fourth pixel of each fourth row |
//! | `rows:10-20,columns:5-30` | a rectangle, from 0, both ends included; or whole rows, or whole columns |
//!
//! Those of maps but the last are the holes of ExoGAN's ancestor (dcgan-completion; Amos 2016).

mod fault;
mod instruments;
mod map;
mod spectrum;
mod words;

pub use fault::MaskError;
pub use instruments::{INSTRUMENTS, Instrument};
pub use map::{Hole, MapMask};
pub use spectrum::{AxisMask, SpectrumMask, Wavelengths};

use std::fmt;

/// What is known of a record.
#[derive(Clone, Debug, PartialEq)]
pub enum Mask {
    /// Of a spectrum.
    Spectrum(SpectrumMask),
    /// Of a map.
    Map(MapMask),
}

impl Mask {
    /// What the word says, lists that it names being read.
    pub fn parse(word: &str) -> Result<Self, MaskError> {
        words::parse(word)
    }

    /// The mask of spectra that it is.
    pub fn of_spectra(self) -> Result<SpectrumMask, MaskError> {
        match self {
            Self::Spectrum(mask) => Ok(mask),
            Self::Map(mask) => Err(MaskError::word(&mask, "is of maps, expected a mask of spectra")),
        }
    }

    /// The mask of maps that it is.
    pub fn of_maps(self) -> Result<MapMask, MaskError> {
        match self {
            Self::Map(mask) => Ok(mask),
            Self::Spectrum(mask) => Err(MaskError::word(&mask, "is of spectra, expected a mask of maps")),
        }
    }
}

/// The word that says the same, instruments and lists written out.
impl fmt::Display for Mask {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Spectrum(mask) => mask.fmt(out),
            Self::Map(mask) => mask.fmt(out),
        }
    }
}
