//! Fully connected layers.

use tch::{Tensor, nn};

use super::description::{LayerDescription, Operation};
use super::kernel::{Kernel, WeightShape};
use super::pass::Pass;
use super::spectral_norm::SpectralVectors;
use super::weights::Weights;

/// A fully connected layer, PyTorch's `Linear`.
#[derive(Debug)]
pub struct Linear {
    kernel: Kernel,
    inputs: i64,
    outputs: i64,
}

impl Linear {
    /// From `inputs` to `outputs` numbers.
    pub fn new(path: &nn::Path, weights: &Weights, inputs: i64, outputs: i64) -> Self {
        let shape = WeightShape { sizes: vec![outputs, inputs], output_dim: 0, fan_in: inputs as f64 };
        Self { kernel: Kernel::new(path, weights, &shape), inputs, outputs }
    }

    /// `[b, inputs]` to `[b, outputs]`.
    pub fn forward(&self, x: &Tensor, pass: Pass) -> Tensor {
        let [weight, bias] = self.kernel.of(pass);
        if !pass.is_inference() {
            return x.linear(&weight, Some(&bias));
        }
        // As images of one pixel: a product of matrices rounds some rows in another way than others.
        let [x, weight] = [x, &weight].map(|all| all.unsqueeze(-1).unsqueeze(-1));
        x.conv2d(&weight, Some(&bias), [1, 1], [0, 0], [1, 1], 1).flatten(1, -1)
    }

    /// What it computes, and the names of its tensors.
    pub fn describe(&self) -> LayerDescription {
        self.kernel.describe(Operation::Linear { in_features: self.inputs, out_features: self.outputs })
    }

    /// Its name in the network.
    pub fn name(&self) -> &str {
        self.kernel.name()
    }

    /// From now on forwards in training and descent compute in half precision.
    pub fn halve(&mut self) {
        self.kernel.halve();
    }

    /// The weights in half precision, if it has them, by their names in the network.
    pub fn halves(&self) -> Vec<(String, Tensor)> {
        self.kernel.halves()
    }

    /// Its singular vectors, if it is under spectral norm.
    pub fn spectral(&self) -> Option<SpectralVectors> {
        self.kernel.spectral()
    }
}
