//! What is known of a spectrum and its atmosphere.
//!
//! Shapes: w = points of the axis.

use std::fmt;

use crate::atmosphere::QUANTITIES;
use crate::data::mask::MaskError;
use crate::data::spectral_axis::{Channel, LEGAL_UM, OBSERVED, SpectralAxis, edges};

const PARAMETERS: usize = QUANTITIES.len();

/// A piece of the spectrum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wavelengths {
    /// Points whose centre lies between these, in micrometres, both included.
    Between(f64, f64),
    /// The point whose bin holds this, in micrometres; of two that meet there the one of longer wavelength.
    At(f64),
}

/// Which wavelengths are known, and which parameters are given. The default is what a retrieval has: the whole spectrum.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SpectrumMask {
    /// All that is known; empty for all wavelengths.
    known: Vec<Wavelengths>,
    /// What of that is left out.
    left_out: Vec<Wavelengths>,
    /// In the order of `QUANTITIES`.
    given: [bool; PARAMETERS],
}

/// A mask laid on the points of an axis.
#[derive(Clone, Debug, PartialEq)]
pub struct AxisMask {
    mask: SpectrumMask,
    points: Vec<bool>,
    is_observed: bool,
}

impl SpectrumMask {
    /// - `known`: what is known, together; empty for all wavelengths
    /// - `left_out`: what of that is not
    /// - `given`: which parameters are, in the order of `QUANTITIES`
    pub fn new(known: Vec<Wavelengths>, left_out: Vec<Wavelengths>, given: [bool; 7]) -> Result<Self, MaskError> {
        for piece in known.iter().chain(&left_out) {
            piece.check().map_err(|fault| MaskError::word(piece, fault))?;
        }
        Ok(Self { known, left_out, given })
    }

    /// Which parameters are given, in the order of `QUANTITIES`.
    pub fn given(&self) -> [bool; 7] {
        self.given
    }

    /// Which points of an axis are known, `[w]`; one at least.
    ///
    /// - `wavelength_um`: centres of the bins in micrometres, ascending or descending
    pub fn points(&self, wavelength_um: &[f64]) -> Result<Vec<bool>, MaskError> {
        let edges_um = edges(wavelength_um);
        let holds = |pieces: &[Wavelengths], point: usize| {
            let bin = (edges_um[point].min(edges_um[point + 1]), edges_um[point].max(edges_um[point + 1]));
            pieces.iter().any(|piece| piece.holds(wavelength_um[point], bin))
        };
        let is_known = |point| (self.known.is_empty() || holds(&self.known, point)) && !holds(&self.left_out, point);
        let points: Vec<bool> = (0..wavelength_um.len()).map(is_known).collect();
        if points.contains(&true) {
            return Ok(points);
        }
        let ends = (wavelength_um[0], wavelength_um[points.len() - 1]);
        let (count, from, to) = (points.len(), ends.0.min(ends.1), ends.0.max(ends.1));
        let fault = format!("leaves none of the {count} points from {from:.4} to {to:.4} um, expected at least one");
        Err(MaskError::Misfit { word: self.to_string(), fault })
    }

    /// Itself laid on the points of `axis`, for all records of a dataset.
    pub fn on(&self, axis: &SpectralAxis) -> Result<AxisMask, MaskError> {
        let points = self.points(&axis.wavelength_um)?;
        Ok(AxisMask { mask: self.clone(), points, is_observed: axis.is_observed() })
    }
}

impl AxisMask {
    /// Which points it lets be known, `[w]`.
    pub fn points(&self) -> &[bool] {
        &self.points
    }

    /// Which parameters are given, in the order of `QUANTITIES`.
    pub fn given(&self) -> [bool; 7] {
        self.mask.given
    }

    /// Which points of a record are known, `[w]`: those that it observed and the mask lets be known; one at least.
    ///
    /// - `record`: `[1, w]` or `[4, w]`, as the axis has its channels
    pub fn known(&self, record: &[f32]) -> Result<Vec<bool>, MaskError> {
        let Some(observed) = self.observed(record) else { return Ok(self.points.clone()) };
        let known: Vec<bool> = self.points.iter().zip(observed).map(|(known, seen)| *known && *seen != 0.0).collect();
        if known.contains(&true) {
            return Ok(known);
        }
        let observed = observed.iter().filter(|seen| **seen != 0.0).count();
        Err(MaskError::NothingLeft { word: self.mask.to_string(), observed })
    }

    /// A record as if nothing else had been observed, for `Aspa::encode_observed`, and its parameters, NaN where not given.
    ///
    /// - `record`: `[1, w]` or `[4, w]`, as the axis has its channels
    /// - `parameters`: `[7]`, NaN = unknown
    /// - returns: `[4, w]`, the channels of `OBSERVED`, all 0 where a point is not known, errors 0 where there are none; and `[7]`
    pub fn hide(&self, record: &[f32], parameters: &[f32]) -> Result<(Vec<f32>, Vec<f32>), MaskError> {
        assert_eq!(parameters.len(), PARAMETERS, "parameters are [7]");
        let known = self.known(record)?;
        let mut hidden = record.to_vec();
        if self.observed(record).is_none() {
            let points = known.len();
            hidden.resize((OBSERVED.len() - 1) * points, 0.0);
            hidden.resize(OBSERVED.len() * points, 1.0);
        }
        for channel in hidden.chunks_exact_mut(known.len()) {
            channel.iter_mut().zip(&known).filter(|(_, known)| !**known).for_each(|(value, _)| *value = 0.0);
        }
        let shown = parameters.iter().zip(self.mask.given).map(|(value, given)| if given { *value } else { f32::NAN });
        Ok((hidden, shown.collect()))
    }

    /// What a record says that it observed, if it says that.
    fn observed<'a>(&self, record: &'a [f32]) -> Option<&'a [f32]> {
        let channels = if self.is_observed { &OBSERVED[..] } else { &[Channel::Depth] };
        assert_eq!(record.len(), channels.len() * self.points.len(), "a record is [channels, w]");
        let place = channels.iter().position(|channel| *channel == Channel::Observed)?;
        Some(&record[place * self.points.len()..])
    }
}

impl Wavelengths {
    /// Whether it holds a point of this centre and these ends of its bin.
    fn holds(self, centre_um: f64, bin_um: (f64, f64)) -> bool {
        match self {
            Self::Between(from, to) => (from..=to).contains(&centre_um),
            Self::At(um) => (bin_um.0..bin_um.1).contains(&um),
        }
    }

    /// Says what is wrong, if anything.
    pub(super) fn check(self) -> Result<(), String> {
        let (from, to) = match self {
            Self::Between(from, to) => (from, to),
            Self::At(um) => (um, um),
        };
        if let Some(bad) = [from, to].into_iter().find(|um| !LEGAL_UM.contains(um)) {
            return Err(format!("has {bad} um, expected wavelengths of {} to {} um", LEGAL_UM.start(), LEGAL_UM.end()));
        }
        if from > to {
            return Err(format!("ends before it begins, expected {to}-{from}um"));
        }
        Ok(())
    }
}

impl fmt::Display for Wavelengths {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Between(from, to) => write!(out, "{from}-{to}um"),
            Self::At(um) => write!(out, "{um}um"),
        }
    }
}

/// The word that says the same.
impl fmt::Display for SpectrumMask {
    fn fmt(&self, out: &mut fmt::Formatter) -> fmt::Result {
        let given = QUANTITIES.iter().zip(self.given).filter(|(_, given)| *given).map(|(quantity, _)| quantity.name);
        let mut words: Vec<String> = self.known.iter().map(ToString::to_string).collect();
        words.extend(given.map(str::to_owned));
        words.extend(self.left_out.iter().enumerate().map(|(index, piece)| match index {
            0 => format!("not:{piece}"),
            _ => piece.to_string(),
        }));
        if words.is_empty() { out.write_str("parameters") } else { out.write_str(&words.join(",")) }
    }
}
