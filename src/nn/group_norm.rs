//! Group norm (Wu and He 2018): batch norm's place where a record may not depend on others.
//!
//! Shapes: b = records, c = channels, l = length, h, w = rows and columns.

use tch::{Kind, Tensor, nn};

use super::description::{LayerDescription, Operation};
use super::tensor_name::layer_name;

/// Normalises groups of neighbouring channels within each record. It has no state, and does the same in all passes.
#[derive(Debug)]
pub struct GroupNorm {
    name: String,
    groups: i64,
    weight: Tensor,
    bias: Tensor,
}

impl GroupNorm {
    const EPSILON: f64 = 1e-5;

    /// For `channels` channels in `groups` groups of the same size.
    pub fn new(path: &nn::Path, groups: i64, channels: i64) -> Self {
        assert!(groups > 0 && channels % groups == 0, "{channels} channels are no {groups} groups of the same size");
        let (weight, bias) = (path.ones("weight", &[channels]), path.zeros("bias", &[channels]));
        Self { name: layer_name(path), groups, weight, bias }
    }

    /// `[b, c]`, `[b, c, l]` or `[b, c, h, w]` to the same, in the precision of `x`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let norm = |x: &Tensor| x.group_norm(self.groups, Some(&self.weight), Some(&self.bias), Self::EPSILON, true);
        match x.kind() {
            // In single precision, since libtorch's kernel for GPUs takes weights of the precision of `x` alone.
            Kind::BFloat16 => norm(&x.to_kind(Kind::Float)).to_kind(Kind::BFloat16),
            _ => norm(x),
        }
    }

    /// What it computes, and the names of its tensors.
    pub fn describe(&self) -> LayerDescription {
        let (num_groups, num_channels, eps) = (self.groups, self.weight.numel() as i64, Self::EPSILON);
        let operation = Operation::GroupNorm { num_groups, num_channels, eps };
        LayerDescription::with_tensors(operation, &self.name, &["weight", "bias"])
    }

    /// Its name in the network.
    pub fn name(&self) -> &str {
        &self.name
    }
}
