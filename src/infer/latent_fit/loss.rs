//! What a fit brings down, for many restarts at once.
//!
//! Shapes: b = restarts, n = side of a map, v = measured values.

use tch::{Kind, Tensor};

use super::offsets::{Marginal, Offsets};
use super::settings::Contextual;
use super::subject::Aim;
use crate::infer::networks::Measurement;

/// How far maps are from what is known, for each row.
///
/// - `maps`: `[b, 1, n, n]`; `aim`: of as many rows, or of one; `offsets`: groups of measured values whose offsets are marginalised
/// - returns: `[b]`, and what is known of the offsets where there are groups
pub(super) fn contextual(
    loss: Contextual,
    measurement: Option<&dyn Measurement>,
    maps: &Tensor,
    aim: &Aim,
    offsets: &Offsets,
) -> (Tensor, Option<Marginal>) {
    match aim {
        Aim::Measured { values, below, above } => {
            let measurement = measurement.expect("what was measured can be read out of maps");
            let difference = measurement.measure(maps) - values;
            if offsets.is_empty() {
                return (half_chi_square(&difference, below, above), None);
            }
            let marginal = offsets.marginal(&difference, below, above);
            (marginal.half_chi_square.shallow_clone(), Some(marginal))
        }
        Aim::Pixels { pixels, known } => {
            let difference = (maps.flatten(1, -1) - pixels) * known;
            let each = if loss == Contextual::L1 { difference.abs() } else { difference.square() };
            (each.sum_dim_intlist(1, false, Kind::Float), None)
        }
    }
}

/// Half of chi-square of each row of `difference`, `[b, v]`, model minus measured values: `below` and `above` are what a squared
/// difference weighs where the model lies below the measured values and above them.
fn half_chi_square(difference: &Tensor, below: &Tensor, above: &Tensor) -> Tensor {
    let weight = above.where_self(&difference.gt(0.0), below);
    (difference.square() * weight).sum_dim_intlist(1, false, Kind::Float) * 0.5
}
