//! Transforms between physical units and the network's range, each named, invertible and written in the manifest.
//!
//! Arithmetic is in f64, results are rounded once to f32. A transform fitted on one dataset may give values a little outside
//! [-1, 1] on another: nothing is clipped.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Transform from a physical value x to the value y that the networks see.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Transform {
    /// y = x.
    Identity {},
    /// y = scale x + offset.
    Linear {
        /// Factor of x, not 0.
        #[schemars(extend("unit" = "1 / unit of x"))]
        scale: f64,
        /// Value of y at x = 0.
        offset: f64,
    },
    /// y = scale ln(x + shift) + offset, for x > -shift.
    Log {
        /// Constant added to x.
        #[schemars(extend("unit" = "unit of x"))]
        shift: f64,
        /// Change of y for each factor e of x + shift, not 0.
        scale: f64,
        /// Value of y at x + shift = 1.
        offset: f64,
    },
    /// y = 2 x / (x + k) - 1, for x > -k: densities to the range of tanh, as the successors of CosmoGAN do with k = 4.
    /// The inverse is k (1 + y) / (1 - y) for y < 1; y = 1, which tanh reaches in f32, is read as the largest f32 below
    /// it.
    Ratio {
        /// Value of x that becomes y = 0, more than 0.
        #[schemars(extend("unit" = "unit of x"))]
        k: f64,
    },
    /// y = scale asinh(x / softening) + offset: linear near 0, logarithmic far from it, for either sign.
    Asinh {
        /// Value of x at which the transform turns from linear to logarithmic, more than 0.
        #[schemars(extend("unit" = "unit of x"))]
        softening: f64,
        /// Slope dy/dx at x = 0 times `softening`, not 0.
        scale: f64,
        /// Value of y at x = 0.
        offset: f64,
    },
}

/// A value that a transform does not take.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{transform} of {value} at value {index}: expected {wanted}")]
pub struct DomainError {
    /// Which transform, which way.
    pub transform: &'static str,
    /// The value.
    pub value: f32,
    /// Its place in the slice.
    pub index: usize,
    /// What it takes.
    pub wanted: String,
}

impl Default for Transform {
    fn default() -> Self {
        Self::Identity {}
    }
}

impl Transform {
    /// Checks the numbers of the transform itself; the error says which is wrong.
    pub fn validate(&self) -> Result<(), String> {
        let finite = |name: &str, value: f64| {
            if value.is_finite() { Ok(()) } else { Err(format!("`{name}` is {value}, expected a finite number")) }
        };
        let nonzero = |name: &str, value: f64| {
            if value.is_finite() && value != 0.0 {
                Ok(())
            } else {
                Err(format!("`{name}` is {value}, expected a finite number other than 0"))
            }
        };
        let positive = |name: &str, value: f64| {
            if value.is_finite() && value > 0.0 {
                Ok(())
            } else {
                Err(format!("`{name}` is {value}, expected a positive number"))
            }
        };
        match *self {
            Self::Identity {} => Ok(()),
            Self::Linear { scale, offset } => nonzero("scale", scale).and(finite("offset", offset)),
            Self::Log { shift, scale, offset } => {
                finite("shift", shift).and(nonzero("scale", scale)).and(finite("offset", offset))
            }
            Self::Ratio { k } => positive("k", k),
            Self::Asinh { softening, scale, offset } => {
                positive("softening", softening).and(nonzero("scale", scale)).and(finite("offset", offset))
            }
        }
    }

    /// Physical units -> the network's range, in place; on an error the values are in no defined state.
    pub fn forward(&self, values: &mut [f32]) -> Result<(), DomainError> {
        match *self {
            Self::Identity {} => each(values, |x| x, "identity", || "a finite number".into()),
            Self::Linear { scale, offset } => {
                each(values, |x| scale * x + offset, "linear", || "a finite result".into())
            }
            Self::Log { shift, scale, offset } => each(
                values,
                |x| scale * (x + shift).ln() + offset, // NaN or infinite where x <= -shift
                "log",
                || format!("more than {}", -shift),
            ),
            Self::Ratio { k } => each(
                values,
                |x| if x > -k { 2.0 * x / (x + k) - 1.0 } else { f64::NAN },
                "ratio",
                || format!("more than {}", -k),
            ),
            Self::Asinh { softening, scale, offset } => {
                each(values, |x| scale * (x / softening).asinh() + offset, "asinh", || "a finite result".into())
            }
        }
    }

    /// The network's range -> physical units, in place; on an error the values are in no defined state.
    pub fn inverse(&self, values: &mut [f32]) -> Result<(), DomainError> {
        const BELOW_ONE: f64 = 1.0 - 1.0 / (1_u32 << 24) as f64;
        match *self {
            Self::Identity {} => each(values, |y| y, "inverse identity", || "a finite number".into()),
            Self::Linear { scale, offset } => {
                each(values, |y| (y - offset) / scale, "inverse linear", || "a finite result".into())
            }
            Self::Log { shift, scale, offset } => {
                each(values, |y| ((y - offset) / scale).exp() - shift, "inverse log", || "a finite result".into())
            }
            Self::Ratio { k } => each(
                values,
                |y| {
                    let below = y.min(BELOW_ONE);
                    if y <= 1.0 { k * (1.0 + below) / (1.0 - below) } else { f64::NAN }
                },
                "inverse ratio",
                || "at most 1".into(),
            ),
            Self::Asinh { softening, scale, offset } => each(
                values,
                |y| softening * ((y - offset) / scale).sinh(),
                "inverse asinh",
                || "a finite result".into(),
            ),
        }
    }
}

/// Applies `function` in pieces that stay in registers and cache, and looks for the culprit only where a result is not finite.
fn each(
    values: &mut [f32],
    function: impl Fn(f64) -> f64,
    transform: &'static str,
    wanted: impl Fn() -> String,
) -> Result<(), DomainError> {
    const PIECE: usize = 64;
    let mut before = [0.0; PIECE];
    for (piece_index, piece) in values.chunks_mut(PIECE).enumerate() {
        before[..piece.len()].copy_from_slice(piece);
        for value in &mut *piece {
            *value = function(f64::from(*value)) as f32;
        }
        if piece.iter().fold(false, |bad, value| bad | !value.is_finite()) {
            let culprit = piece.iter().position(|value| !value.is_finite()).expect("one result is not finite");
            return Err(DomainError {
                transform,
                value: before[culprit],
                index: piece_index * PIECE + culprit,
                wanted: wanted(),
            });
        }
    }
    Ok(())
}
