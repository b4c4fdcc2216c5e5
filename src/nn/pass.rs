//! What a forward is for, in which arithmetic, and the batch moments that it leaves.

use std::cell::RefCell;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

/// Arithmetic of convolutions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// Single precision.
    #[default]
    Fp32,
    /// bfloat16 (8 bits of mantissa) in convolutions and in the activations between them; single precision for
    /// everything else, and for all that is kept from step to step.
    Bf16,
}

impl Precision {
    /// Of what comes into a convolution.
    pub fn kind(self, pass: Pass) -> Kind {
        match self {
            Precision::Bf16 if pass.is_in_networks_precision() => Kind::BFloat16,
            Precision::Fp32 | Precision::Bf16 => Kind::Float,
        }
    }
}

/// What a forward is for: whether batch norm uses the statistics of the batch, where they are recorded, and the arithmetic.
#[derive(Clone, Copy)]
pub enum Pass<'a> {
    /// Batch statistics, recorded in order of use; in the network's own precision.
    Training(&'a BatchMoments),
    /// Batch statistics, recorded too; in single precision and with operations alone that can be differentiated twice.
    Smooth(&'a BatchMoments),
    /// Running statistics, in single precision.
    Inference,
    /// Running statistics, in the network's own precision: on the way to what inference then looks at.
    Descent,
}

impl Pass<'_> {
    /// Whether nobody will ask for a derivative of its gradient.
    pub(super) fn once_differentiable(self) -> bool {
        match self {
            Pass::Training(_) | Pass::Inference | Pass::Descent => true,
            Pass::Smooth(_) => false,
        }
    }

    /// Whether batch norm uses running statistics, and no record counts on the others of its batch.
    pub(super) fn is_inference(self) -> bool {
        match self {
            Pass::Inference | Pass::Descent => true,
            Pass::Training(_) | Pass::Smooth(_) => false,
        }
    }

    /// Whether it is in half precision where the network is.
    pub(super) fn is_in_networks_precision(self) -> bool {
        match self {
            Pass::Training(_) | Pass::Descent => true,
            Pass::Smooth(_) | Pass::Inference => false,
        }
    }
}

/// Mean and biased variance of each channel, for each batch norm that a forward in training came through.
#[derive(Debug, Default)]
pub struct BatchMoments {
    seen: RefCell<Vec<(Tensor, Tensor)>>,
}

impl BatchMoments {
    /// What was recorded, one `[mean | variance | mean squared]` a batch norm in order of use: numbers that average
    /// over equal batches to the moments of all of them (law of total variance).
    pub fn flat(&self) -> Vec<Tensor> {
        let seen = self.seen.borrow();
        seen.iter()
            .flat_map(|(mean, variance)| [mean.shallow_clone(), variance.shallow_clone(), mean.square()])
            .collect()
    }

    pub(super) fn record(&self, mean: Tensor, variance: Tensor) {
        self.seen.borrow_mut().push((mean, variance));
    }
}
