//! What a fit brings down, for many restarts at once.
//!
//! Shapes: b = restarts, n = side of a map, v = measured values.

use tch::{Kind, Tensor};

use super::settings::Contextual;
use super::subject::Aim;
use crate::infer::networks::Measurement;

/// How far maps are from what is known, for each row.
///
/// - `maps`: `[b, 1, n, n]`; `aim`: of as many rows, or of one
/// - returns: `[b]`
pub(super) fn contextual(loss: Contextual, measurement: Option<&dyn Measurement>, maps: &Tensor, aim: &Aim) -> Tensor {
    match aim {
        Aim::Measured { values, below, above } => {
            let measurement = measurement.expect("what was measured can be read out of maps");
            half_chi_square(&measurement.measure(maps), values, below, above)
        }
        Aim::Pixels { pixels, known } => {
            let difference = (maps.flatten(1, -1) - pixels) * known;
            let each = if loss == Contextual::L1 { difference.abs() } else { difference.square() };
            each.sum_dim_intlist(1, false, Kind::Float)
        }
    }
}

/// Half of chi-square of each row of `model`, `[b, v]`: `below` and `above` are what a squared difference weighs where the model lies
/// below the measured values and above them.
fn half_chi_square(model: &Tensor, values: &Tensor, below: &Tensor, above: &Tensor) -> Tensor {
    let difference = model - values;
    let weight = above.where_self(&difference.gt(0.0), below);
    (difference.square() * weight).sum_dim_intlist(1, false, Kind::Float) * 0.5
}
