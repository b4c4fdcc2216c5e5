//! Batch norm (Ioffe and Szegedy 2015).
//!
//! Shapes: b = records, c = channels, l = length, h, w = rows and columns.

use tch::{Tensor, nn};

use super::description::{LayerDescription, Operation};
use super::pass::Pass;
use super::tensor_name::layer_name;

/// Batch norm over channels. Its running moments are state: a forward reads them (inference) or leaves them alone
/// (training, where it records the moments of the batch).
#[derive(Debug)]
pub struct BatchNorm {
    name: String,
    weight: Tensor,
    bias: Tensor,
    running_mean: Tensor,
    running_variance: Tensor,
}

impl BatchNorm {
    const EPSILON: f64 = 1e-5;

    /// How far one step draws the running moments towards its own: CosmoGAN's decay of 0.9.
    pub const MOMENTUM: f64 = 0.1;

    /// For `channels` channels.
    pub fn new(path: &nn::Path, channels: i64) -> Self {
        Self {
            name: layer_name(path),
            weight: path.ones("weight", &[channels]),
            bias: path.zeros("bias", &[channels]),
            running_mean: path.zeros_no_train("running_mean", &[channels]),
            running_variance: path.ones_no_train("running_var", &[channels]),
        }
    }

    /// `[b, c]`, `[b, c, l]` or `[b, c, h, w]` to the same, in the precision of `x`; its own numbers are single in any case.
    pub fn forward(&self, x: &Tensor, pass: Pass) -> Tensor {
        let (weight, bias) = (Some(&self.weight), Some(&self.bias));
        match pass {
            Pass::Inference | Pass::Descent => {
                let (mean, variance) = (Some(&self.running_mean), Some(&self.running_variance));
                x.batch_norm(weight, bias, mean, variance, false, 0.0, Self::EPSILON, true)
            }
            Pass::Training(moments) | Pass::Smooth(moments) => {
                let channels = x.size()[1];
                let members = (x.numel() as i64 / channels) as f64;
                // With a momentum of 1 libtorch leaves the moments of this batch here, the variance unbiased.
                let [mean, variance] = [(); 2].map(|()| self.running_mean.zeros_like());
                let y = x.batch_norm(weight, bias, Some(&mean), Some(&variance), true, 1.0, Self::EPSILON, true);
                // Of a single member the unbiased variance is 0/0.
                let biased = if members > 1.0 { variance * ((members - 1.0) / members) } else { mean.zeros_like() };
                moments.record(mean, biased);
                y
            }
        }
    }

    /// What it computes, and the names of its tensors.
    pub fn describe(&self) -> LayerDescription {
        let operation = Operation::BatchNorm { num_features: self.weight.numel() as i64, eps: Self::EPSILON };
        let names = ["weight", "bias", "running_mean", "running_var"];
        LayerDescription::with_tensors(operation, &self.name, &names)
    }

    /// Its name in the network.
    pub fn name(&self) -> &str {
        &self.name
    }
}
