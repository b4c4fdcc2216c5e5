//! Adversarial losses and the gradient penalty.
//!
//! Letters: r = logit of a real record, f = logit of a generated one, both `[b]`; b = records of a microbatch.
//!
//! | loss | discriminator minimises | generator minimises | source |
//! | --- | --- | --- | --- |
//! | minimax | softplus(-r) + softplus(f) | -softplus(f) | Goodfellow et al. 2014, eq. 1 |
//! | non-saturating | the same | softplus(-f) | Goodfellow et al. 2014, section 3 |
//! | least squares | (r - 1)^2/2 + f^2/2 | (f - 1)^2/2 | Mao et al. 2017, eq. 9, a = 0, b = c = 1 |
//! | hinge | max(0, 1 - r) + max(0, 1 + f) | -f | Lim and Ye 2017 |
//! | Wasserstein | f - r | -f | Arjovsky et al. 2017, eq. 2 |
//!
//! each averaged over the batch.
//!
//! The gradient penalty (Gulrajani et al. 2017, eq. 3) adds lambda (|dD/dx| - 1)^2 to what the discriminator minimises, at
//! a record x drawn between each real record and a generated one; every n-th step n times as much (Karras et al. 2020, B).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor};

/// Adversarial loss. D is the probability that a record is real; logits are what the discriminator returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// Cross-entropy; the generator maximises log D (Goodfellow et al. 2014, section 3).
    NonSaturating,
    /// Cross-entropy; the generator minimises log(1 - D) (Goodfellow et al. 2014, eq. 1).
    Minimax,
    /// Squared distances of logits to labels 0 (generated) and 1 (real) (Mao et al. 2017, eq. 9).
    LeastSquares,
    /// Hinge loss of logits with a margin of 1; the generator maximises the logit (Lim and Ye 2017).
    Hinge,
    /// Difference between the mean logits of real and generated records, for a discriminator whose slope a gradient
    /// penalty holds to 1 (Arjovsky et al. 2017, eq. 2).
    Wasserstein,
}

impl Loss {
    /// The discriminator's loss of maps labelled real, `[b]`.
    pub fn of_real(self, logits: &Tensor) -> Tensor {
        match self {
            Loss::NonSaturating | Loss::Minimax => logits.neg().softplus(),
            Loss::LeastSquares => (logits - 1.0).square() * 0.5,
            Loss::Hinge => (logits.neg() + 1.0).relu(),
            Loss::Wasserstein => logits.neg(),
        }
    }

    /// The discriminator's loss of maps labelled generated, `[b]`.
    pub fn of_generated(self, logits: &Tensor) -> Tensor {
        match self {
            Loss::NonSaturating | Loss::Minimax => logits.softplus(),
            Loss::LeastSquares => logits.square() * 0.5,
            Loss::Hinge => (logits + 1.0).relu(),
            Loss::Wasserstein => logits.shallow_clone(),
        }
    }

    /// The generator's loss of its maps, `[b]`.
    pub fn of_generator(self, logits: &Tensor) -> Tensor {
        match self {
            Loss::NonSaturating => logits.neg().softplus(),
            Loss::Minimax => logits.softplus().neg(),
            Loss::LeastSquares => (logits - 1.0).square() * 0.5,
            Loss::Hinge | Loss::Wasserstein => logits.neg(),
        }
    }
}

/// What holds the slope of the discriminator to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Penalty {
    /// Its weight in the loss, lambda.
    pub weight: f64,
    /// Steps from one to the next, n.
    pub every: u64,
}

impl Penalty {
    /// The mean over maps of lambda (|d logit/d map| - 1)^2, with the graph behind it.
    ///
    /// - `maps`: `[b, 1, n, n]`, which want gradients
    /// - `logits`: `[b]`, made of them by operations that can be differentiated twice
    pub fn of(&self, maps: &Tensor, logits: &Tensor) -> Tensor {
        let slopes = Tensor::run_backward(&[logits.sum(Kind::Float)], &[maps], true, true).remove(0);
        // A root has no derivative at 0, where a discriminator that says nothing would be.
        let norms = (slopes.flatten(1, -1).square().sum_dim_intlist(1, false, Kind::Float) + 1e-12).sqrt(); // [b]
        (norms - 1.0).square().mean(Kind::Float) * self.weight
    }
}
