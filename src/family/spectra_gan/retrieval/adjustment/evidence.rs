//! What there is of a retrieval whether or not anybody knows its truth.

use crate::atmosphere::QUANTITIES;
use crate::family::spectra_gan::retrieval::posterior::Posterior;

const PARAMETERS: usize = QUANTITIES.len();

/// What a shift may be read from. All is of the restart that stands for all.
///
/// Shapes: w = points, p = 7 parameters.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// `[w]`, what the fit leaves of the spectrum; a point that was not observed leaves nothing.
    pub residuals: Vec<f64>,
    /// `[w]`, the depths of the fit.
    pub fit: Vec<f64>,
    /// `[p]`, its parameters, in the units of `QUANTITIES`.
    pub parameters: [f64; PARAMETERS],
}

impl Evidence {
    /// Of a retrieval of `depths`, `[w]`, of which points with an `observed` of 1 are known.
    pub fn of(depths: &[f32], observed: &[f32], posterior: &Posterior) -> Self {
        let all = depths.iter().zip(observed).zip(&posterior.reference_depths);
        let left = |((depth, seen), fit): ((&f32, &f32), &f32)| {
            if *seen == 1.0 { f64::from(*depth) - f64::from(*fit) } else { 0.0 }
        };
        Self {
            residuals: all.map(left).collect(),
            fit: posterior.reference_depths.iter().map(|depth| f64::from(*depth)).collect(),
            parameters: posterior.parameters[posterior.reference].map(f64::from),
        }
    }

    /// Whether the fit ended anywhere.
    pub fn is_finite(&self) -> bool {
        let all = self.residuals.iter().chain(&self.fit).chain(&self.parameters);
        all.into_iter().all(|value| value.is_finite())
    }

    /// Parameters in units of their ranges around their middles, so that products are products of contrasts.
    pub fn contrasts(&self) -> [f64; PARAMETERS] {
        std::array::from_fn(|parameter| {
            let (low, high) = QUANTITIES[parameter].range;
            (self.parameters[parameter] - f64::midpoint(low, high)) / (high - low)
        })
    }
}
