//! The layers that networks here are made of, with PyTorch's names and layouts and weights drawn by place.
//!
//! Shapes: b = records, c = channels, h, w = rows and columns, k = kernel side.

use std::cell::RefCell;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor, nn};

use crate::kernels;
use crate::rng::{Draw, Stream};

/// Initial weights: a function of (seed, name of the tensor), whatever else is made before.
#[derive(Clone, Copy, Debug)]
pub struct Weights {
    draw: Draw,
    deviation: f64,
    /// The layer whose name they are drawn by, where that is not the one they are for.
    drawn_as: Option<&'static str>,
}

impl Weights {
    /// Normal weights of standard deviation `deviation`.
    pub fn normal(seed: u64, deviation: f64) -> Self {
        Self { draw: Draw::new(seed), deviation, drawn_as: None }
    }

    /// The same for one layer, drawn by the name `layer`: a layer that is renamed keeps its initial values.
    #[must_use]
    pub fn drawn_as(self, layer: &'static str) -> Self {
        Self { drawn_as: Some(layer), ..self }
    }

    fn fill(&self, path: &nn::Path, network: &str, name: &str, shape: &[i64]) -> Tensor {
        let drawn_as = self.drawn_as.map_or_else(|| full_name(path, name), |layer| format!("{layer}.{name}"));
        let place = xxhash_rust::xxh3::xxh3_64(format!("{network}.{drawn_as}").as_bytes());
        let count = shape.iter().product::<i64>() as usize;
        let mut values = self.draw.at(Stream::Weights, place, 0).normals(count);
        for value in &mut values {
            *value *= self.deviation as f32;
        }
        path.var_copy(name, &Tensor::from_slice(&values).reshape(shape))
    }
}

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
        match (self, pass) {
            (Precision::Bf16, Pass::Training(_) | Pass::Descent) => Kind::BFloat16,
            (Precision::Fp32, _) | (Precision::Bf16, Pass::Smooth(_) | Pass::Inference) => Kind::Float,
        }
    }
}

/// What a forward is for: whether batch norm uses the statistics of the batch, who is told of them, and in which arithmetic.
#[derive(Clone, Copy)]
pub enum Pass<'a> {
    /// Batch statistics, recorded in order of use; in the network's own precision.
    Training(&'a BatchMoments),
    /// The same in single precision and with operations alone that can be differentiated twice.
    Smooth(&'a BatchMoments),
    /// Running statistics, in single precision.
    Inference,
    /// Running statistics, in the network's own precision: on the way to what inference then looks at.
    Descent,
}

impl Pass<'_> {
    /// Whether nobody will ask for a derivative of its gradient.
    fn once_differentiable(self) -> bool {
        match self {
            Pass::Training(_) | Pass::Inference | Pass::Descent => true,
            Pass::Smooth(_) => false,
        }
    }

    /// Whether batch norm uses running statistics, and no record counts on the others of its batch.
    fn is_inference(self) -> bool {
        match self {
            Pass::Inference | Pass::Descent => true,
            Pass::Training(_) | Pass::Smooth(_) => false,
        }
    }
}

/// A kernel and its bias, and what they are in half precision where a network has it.
///
/// The halves are a node of the graph for good: one cast of the kernel and one of the bias, whose data the trainer
/// renews when it has moved the weights. So all forwards share a cast, and gradients come back through it in single precision.
#[derive(Debug)]
struct Kernel {
    weight: Tensor,
    bias: Tensor,
    halves: Option<[Tensor; 2]>,
    fast: kernels::Layer,
}

impl Kernel {
    fn new(path: &nn::Path, network: &str, weights: &Weights, shape: &[i64], outputs: i64) -> Self {
        Self {
            weight: weights.fill(path, network, "weight", shape),
            bias: path.zeros("bias", &[outputs]),
            halves: None,
            fast: kernels::Layer::default(),
        }
    }

    fn halve(&mut self) {
        let half = |tensor: &Tensor| tch::with_grad(|| tensor.to_kind(Kind::BFloat16));
        self.halves = Some([half(&self.weight), half(&self.bias)]);
    }

    /// Kernel and bias for a forward.
    fn of(&self, pass: Pass) -> [Tensor; 2] {
        match (&self.halves, pass) {
            (Some(halves), Pass::Training(_) | Pass::Descent) => {
                // Of a frozen network no gradient is asked, which a node of the graph would not notice.
                let asked = self.weight.requires_grad();
                halves.each_ref().map(|half| if asked { half.shallow_clone() } else { half.detach() })
            }
            _ => [self.weight.shallow_clone(), self.bias.shallow_clone()],
        }
    }

    /// Names below the network's and tensors of the halves; `layer` is this one's name.
    fn halves(&self, layer: &str) -> impl Iterator<Item = (String, Tensor)> + use<> {
        let [weight, bias] = ["weight", "bias"].map(|name| format!("{layer}.{name}"));
        let halves = self.halves.as_ref().map(|[w, b]| [(weight, w.shallow_clone()), (bias, b.shallow_clone())]);
        halves.into_iter().flatten()
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
}

/// A fully connected layer.
#[derive(Debug)]
pub struct Dense(Kernel);

impl Dense {
    /// From `inputs` to `outputs` numbers, of the network called `network`.
    pub fn new(path: &nn::Path, network: &str, weights: &Weights, inputs: i64, outputs: i64) -> Self {
        Self(Kernel::new(path, network, weights, &[outputs, inputs], outputs))
    }

    /// From now on forwards in training and descent compute in half precision.
    pub fn halve(&mut self) {
        self.0.halve();
    }

    /// The weights in half precision, if it has them, by their names in the network; `layer` is this one's.
    pub fn halves(&self, layer: &str) -> impl Iterator<Item = (String, Tensor)> + use<> {
        self.0.halves(layer)
    }

    /// `[b, inputs]` to `[b, outputs]`.
    pub fn forward(&self, x: &Tensor, pass: Pass) -> Tensor {
        let [weight, bias] = self.0.of(pass);
        if !pass.is_inference() {
            return x.linear(&weight, Some(&bias));
        }
        // As images of one pixel: a product of matrices rounds some rows in another way than others.
        let [x, weight] = [x, &weight].map(|all| all.unsqueeze(-1).unsqueeze(-1));
        x.conv2d(&weight, Some(&bias), [1, 1], [0, 0], [1, 1], 1).flatten(1, -1)
    }
}

/// A 5x5 convolution of stride 2: halves the side, and rounds up.
#[derive(Debug)]
pub struct Halving(Kernel);

impl Halving {
    /// From `inputs` to `outputs` channels.
    pub fn new(path: &nn::Path, network: &str, weights: &Weights, inputs: i64, outputs: i64) -> Self {
        Self(Kernel::new(path, network, weights, &[outputs, inputs, 5, 5], outputs))
    }

    /// From now on forwards in training and descent compute in half precision.
    pub fn halve(&mut self) {
        self.0.halve();
    }

    /// The weights in half precision, if it has them, by their names in the network; `layer` is this one's.
    pub fn halves(&self, layer: &str) -> impl Iterator<Item = (String, Tensor)> + use<> {
        self.0.halves(layer)
    }

    /// `[b, inputs, h, w]` to `[b, outputs, ceil(h/2), ceil(w/2)]`.
    pub fn forward(&self, x: &Tensor, pass: Pass) -> Tensor {
        let [weight, bias] = self.0.of(pass);
        let ours = pass.once_differentiable().then(|| self.0.fast.to_narrow(x, &weight, &bias)).flatten();
        ours.unwrap_or_else(|| x.conv2d(&weight, Some(&bias), [2, 2], [2, 2], [1, 1], 1))
    }
}

/// A 5x5 transposed convolution of stride 2: doubles the side, to the one that a convolution came from.
#[derive(Debug)]
pub struct Doubling {
    kernel: Kernel,
    side: i64,
}

impl Doubling {
    /// From `inputs` to `outputs` channels, and to squares of `side` pixels.
    pub fn new(path: &nn::Path, network: &str, weights: &Weights, inputs: i64, outputs: i64, side: i64) -> Self {
        Self { kernel: Kernel::new(path, network, weights, &[inputs, outputs, 5, 5], outputs), side }
    }

    /// From now on forwards in training and descent compute in half precision.
    pub fn halve(&mut self) {
        self.kernel.halve();
    }

    /// The weights in half precision, if it has them, by their names in the network; `layer` is this one's.
    pub fn halves(&self, layer: &str) -> impl Iterator<Item = (String, Tensor)> + use<> {
        self.kernel.halves(layer)
    }

    /// `[b, inputs, ceil(side/2), ceil(side/2)]` to `[b, outputs, side, side]`.
    pub fn forward(&self, x: &Tensor, pass: Pass) -> Tensor {
        let [weight, bias] = self.kernel.of(pass);
        let fast = || self.kernel.fast.to_wide(x, &weight, &bias, [self.side; 2]);
        let ours = pass.once_differentiable().then(fast).flatten();
        // What is added below and to the right: an odd side ends with the last tap that falls on a pixel.
        let odd_one = 1 - self.side % 2;
        ours.unwrap_or_else(|| x.conv_transpose2d(&weight, Some(&bias), [2, 2], [2, 2], [odd_one; 2], 1, [1, 1]))
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

    /// `[b, c, h, w]` to the same, in the precision of `x`; its own numbers are single in any case.
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
