//! A retrieval whose truth is known, from which calibration and adjustment learn.
//!
//! Shapes: w = points of the spectrum.

use serde::{Deserialize, Serialize};

use super::posterior::Posterior;
use crate::atmosphere::QUANTITIES;

/// A retrieval whose truth is known.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Trial {
    /// Where its restarts ended.
    pub posterior: Posterior,
    /// What was fitted, without the offsets that the fit found, `[w]`.
    pub depths: Vec<f32>,
    /// 1 where it was observed, `[w]`.
    pub observed: Vec<f32>,
    /// The parameters, NaN where unknown.
    pub truth: [f32; QUANTITIES.len()],
}
