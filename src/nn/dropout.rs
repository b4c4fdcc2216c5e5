//! Dropout (Srivastava et al. 2014) by place.

use tch::Tensor;

use super::description::{LayerDescription, Operation};
use super::pass::Pass;
use crate::rng::Chance;

/// Sets each number to 0 with a probability and divides the others by that of being kept; in inference it does nothing.
#[derive(Clone, Copy, Debug)]
pub struct Dropout {
    probability: f64,
}

impl Dropout {
    /// With a probability in [0, 1) of a number's being dropped.
    pub fn new(probability: f64) -> Self {
        assert!((0.0..1.0).contains(&probability), "numbers are dropped with probability {probability}, not in [0, 1)");
        Self { probability }
    }

    /// `x` of any shape. The mask is drawn on the host from `chance`, 32 bits a number in the order of `x`'s axes, so it is
    /// the same on every device; where nothing is dropped nothing is drawn.
    pub fn forward(&self, x: &Tensor, pass: Pass, chance: &mut Chance) -> Tensor {
        if pass.is_inference() || self.probability == 0.0 {
            return x.shallow_clone();
        }
        // Below it a draw of 32 bits drops its number.
        let threshold = (self.probability * 2.0_f64.powi(32)).round() as u64;
        let kept = (1.0 / (1.0 - self.probability)) as f32;
        let factor = |_| if u64::from(chance.bits()) < threshold { 0.0 } else { kept };
        let factors: Vec<f32> = (0..x.numel()).map(factor).collect();
        let factors = Tensor::from_slice(&factors).view(x.size().as_slice());
        x * factors.to_kind(x.kind()).to_device(x.device())
    }

    /// What it computes.
    pub fn describe(&self) -> LayerDescription {
        LayerDescription::without_tensors(Operation::Dropout { p: self.probability })
    }
}
