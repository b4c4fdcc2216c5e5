//! Activation functions.

use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::description::{LayerDescription, Operation};
use crate::kernels;

/// A function of one number, applied to each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Activation {
    /// x
    #[default]
    Identity,
    /// max(x, 0)
    Relu,
    /// max(x, slope x)
    LeakyRelu {
        /// Slope below 0.
        negative_slope: f64,
    },
    /// Hyperbolic tangent.
    Tanh,
    /// 1 / (1 + exp(-x))
    Sigmoid,
}

impl Activation {
    /// Applies it; the rectifiers work in the memory of `x`.
    pub fn forward(self, mut x: Tensor) -> Tensor {
        match self {
            Activation::Identity => x,
            Activation::Relu => x.relu_(),
            Activation::LeakyRelu { negative_slope } => kernels::leaky_relu(x, negative_slope),
            Activation::Tanh => x.tanh(),
            Activation::Sigmoid => x.sigmoid(),
        }
    }

    /// Square of the gain of `torch.nn.init.calculate_gain`.
    pub(super) fn gain_squared(self) -> f64 {
        match self {
            Activation::Identity | Activation::Sigmoid => 1.0,
            Activation::Relu => 2.0,
            Activation::LeakyRelu { negative_slope } => 2.0 / (1.0 + negative_slope.powi(2)),
            Activation::Tanh => 25.0 / 9.0,
        }
    }

    /// What it computes.
    pub fn describe(self) -> LayerDescription {
        LayerDescription::without_tensors(match self {
            Activation::Identity => Operation::Identity,
            Activation::Relu => Operation::Relu,
            Activation::LeakyRelu { negative_slope } => Operation::LeakyRelu { negative_slope },
            Activation::Tanh => Operation::Tanh,
            Activation::Sigmoid => Operation::Sigmoid,
        })
    }
}
