//! The layers that networks here are made of, with PyTorch's names and layouts and weights drawn by place.
//!
//! Shapes: b = records, c = channels, h, w = rows and columns, k = kernel side.

use std::cell::RefCell;

use tch::{Kind, Tensor, nn};

use crate::kernels;
use crate::rng::{Draw, Stream};

/// Initial weights: a function of (seed, name of the tensor), whatever else is made before.
#[derive(Clone, Copy, Debug)]
pub struct Weights {
    draw: Draw,
    deviation: f64,
}

impl Weights {
    /// Normal weights of standard deviation `deviation`.
    pub fn normal(seed: u64, deviation: f64) -> Self {
        Self { draw: Draw::new(seed), deviation }
    }

    fn fill(&self, path: &nn::Path, network: &str, name: &str, shape: &[i64]) -> Tensor {
        let place = xxhash_rust::xxh3::xxh3_64(format!("{network}.{}", full_name(path, name)).as_bytes());
        let count = shape.iter().product::<i64>() as usize;
        let mut values = self.draw.at(Stream::Weights, place, 0).normals(count);
        for value in &mut values {
            *value *= self.deviation as f32;
        }
        path.var_copy(name, &Tensor::from_slice(&values).reshape(shape))
    }
}

/// Whether batch norm uses the statistics of the batch, and who is told of them.
#[derive(Clone, Copy)]
pub enum Pass<'a> {
    /// Batch statistics, recorded in order of use.
    Training(&'a BatchMoments),
    /// Running statistics.
    Inference,
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
}

/// A fully connected layer.
#[derive(Debug)]
pub struct Dense {
    weight: Tensor,
    bias: Tensor,
}

impl Dense {
    /// From `inputs` to `outputs` numbers, of the network called `network`.
    pub fn new(path: &nn::Path, network: &str, weights: &Weights, inputs: i64, outputs: i64) -> Self {
        Self { weight: weights.fill(path, network, "weight", &[outputs, inputs]), bias: path.zeros("bias", &[outputs]) }
    }

    /// `[b, inputs]` to `[b, outputs]`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        x.linear(&self.weight, Some(&self.bias))
    }
}

/// A 5x5 convolution of stride 2: halves the side.
#[derive(Debug)]
pub struct Halving {
    weight: Tensor,
    bias: Tensor,
    kernel: kernels::Layer,
}

impl Halving {
    /// From `inputs` to `outputs` channels.
    pub fn new(path: &nn::Path, network: &str, weights: &Weights, inputs: i64, outputs: i64) -> Self {
        let weight = weights.fill(path, network, "weight", &[outputs, inputs, 5, 5]);
        Self { weight, bias: path.zeros("bias", &[outputs]), kernel: kernels::Layer::default() }
    }

    /// `[b, inputs, h, w]` to `[b, outputs, h/2, w/2]`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let ours = self.kernel.to_narrow(x, &self.weight, &self.bias);
        ours.unwrap_or_else(|| self.plain(x))
    }

    /// The same by libtorch, which has second derivatives too.
    pub fn plain(&self, x: &Tensor) -> Tensor {
        x.conv2d(&self.weight, Some(&self.bias), [2, 2], [2, 2], [1, 1], 1)
    }
}

/// A 5x5 transposed convolution of stride 2: doubles the side.
#[derive(Debug)]
pub struct Doubling {
    weight: Tensor,
    bias: Tensor,
    kernel: kernels::Layer,
}

impl Doubling {
    /// From `inputs` to `outputs` channels.
    pub fn new(path: &nn::Path, network: &str, weights: &Weights, inputs: i64, outputs: i64) -> Self {
        let weight = weights.fill(path, network, "weight", &[inputs, outputs, 5, 5]);
        Self { weight, bias: path.zeros("bias", &[outputs]), kernel: kernels::Layer::default() }
    }

    /// `[b, inputs, h, w]` to `[b, outputs, 2h, 2w]`.
    pub fn forward(&self, x: &Tensor) -> Tensor {
        let ours = self.kernel.to_wide(x, &self.weight, &self.bias);
        ours.unwrap_or_else(|| self.plain(x))
    }

    /// The same by libtorch.
    pub fn plain(&self, x: &Tensor) -> Tensor {
        x.conv_transpose2d(&self.weight, Some(&self.bias), [2, 2], [2, 2], [1, 1], 1, [1, 1])
    }
}

/// Batch norm over channels. Its running moments are state: a forward reads them (inference) or leaves them alone
/// (training, where it records the moments of the batch).
#[derive(Debug)]
pub struct BatchNorm {
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
            weight: path.ones("weight", &[channels]),
            bias: path.zeros("bias", &[channels]),
            running_mean: path.zeros_no_train("running_mean", &[channels]),
            running_variance: path.ones_no_train("running_var", &[channels]),
        }
    }

    /// `[b, c, h, w]` to the same.
    pub fn forward(&self, x: &Tensor, pass: Pass) -> Tensor {
        let (weight, bias) = (Some(&self.weight), Some(&self.bias));
        match pass {
            Pass::Inference => {
                let (mean, variance) = (Some(&self.running_mean), Some(&self.running_variance));
                x.batch_norm(weight, bias, mean, variance, false, 0.0, Self::EPSILON, true)
            }
            Pass::Training(moments) => {
                let channels = x.size()[1];
                let members = (x.numel() as i64 / channels) as f64;
                // With a momentum of 1 libtorch leaves the moments of this batch here, the variance unbiased.
                let mean = Tensor::zeros([channels], (Kind::Float, x.device()));
                let variance = Tensor::zeros([channels], (Kind::Float, x.device()));
                let y = x.batch_norm(weight, bias, Some(&mean), Some(&variance), true, 1.0, Self::EPSILON, true);
                moments.seen.borrow_mut().push((mean, variance * ((members - 1.0) / members)));
                y
            }
        }
    }
}

fn full_name(path: &nn::Path, name: &str) -> String {
    let mut parts: Vec<String> = path.components().map(ToString::to_string).collect();
    parts.push(name.to_owned());
    parts.join(".")
}
