//! Initial weights, drawn by place: a function of (seed, network, name of the tensor), whatever else is made before.

use tch::{Kind, Tensor, nn};

use super::activation::Activation;
use super::tensor_name::full_name;
use crate::rng::{Chance, Draw, Stream};

/// How the weights of layers are drawn, and whether they are under spectral norm.
#[derive(Clone, Copy, Debug)]
pub struct Weights {
    network: &'static str,
    draw: Draw,
    law: Law,
    /// The layer whose name they are drawn by, where that is not the one they are for.
    drawn_as: Option<&'static str>,
    spectral_norm: bool,
}

/// Distribution of the weights of a tensor.
#[derive(Clone, Copy, Debug)]
enum Law {
    Normal { deviation: f64 },
    He { activation: Activation },
    Orthogonal { gain: f64 },
}

impl Weights {
    /// Normal weights of standard deviation `deviation`, for layers of the network called `network`.
    pub fn normal(network: &'static str, seed: u64, deviation: f64) -> Self {
        Self::of(network, seed, Law::Normal { deviation })
    }

    /// Normal weights of variance gain^2 / fan-in (He et al. 2015, eq. 14), with the gain of the activation that follows
    /// (`torch.nn.init.calculate_gain`). The fan-in is the number of inputs that an output is a sum of; for a transposed
    /// convolution inputs * (kernel / stride)^axes, where PyTorch takes outputs * kernel^axes.
    pub fn he(network: &'static str, seed: u64, activation: Activation) -> Self {
        Self::of(network, seed, Law::He { activation })
    }

    /// Orthonormal rows or columns, whichever are fewer, of the tensor as `[size of axis 0, all others]`, times `gain`
    /// (Saxe et al. 2014; `torch.nn.init.orthogonal_`).
    pub fn orthogonal(network: &'static str, seed: u64, gain: f64) -> Self {
        Self::of(network, seed, Law::Orthogonal { gain })
    }

    fn of(network: &'static str, seed: u64, law: Law) -> Self {
        Self { network, draw: Draw::new(seed), law, drawn_as: None, spectral_norm: false }
    }

    /// Copy for one layer, drawn by the name `layer`: a layer that is renamed keeps its initial values.
    #[must_use]
    pub fn drawn_as(self, layer: &'static str) -> Self {
        Self { drawn_as: Some(layer), ..self }
    }

    /// Copy whose layers divide their weights by their largest singular value (see [`super::spectral_norm`]).
    #[must_use]
    pub fn with_spectral_norm(self) -> Self {
        Self { spectral_norm: true, ..self }
    }

    /// Whether layers are under spectral norm.
    pub(super) fn are_spectrally_normalised(&self) -> bool {
        self.spectral_norm
    }

    /// Adds the trained tensor `name` of this shape to `path`.
    pub(super) fn fill(&self, path: &nn::Path, name: &str, shape: &[i64], fan_in: f64) -> Tensor {
        let count = shape.iter().product::<i64>() as usize;
        let mut chance = self.chance(path, name);
        let values = match self.law {
            Law::Normal { deviation } => normals(&mut chance, count, deviation),
            Law::He { activation } => normals(&mut chance, count, (activation.gain_squared() / fan_in).sqrt()),
            Law::Orthogonal { gain } => orthogonal(&mut chance, shape[0], count as i64 / shape[0], gain),
        };
        path.var_copy(name, &values.reshape(shape))
    }

    /// Adds the tensor `name`, a vector of norm 1 that is not trained, to `path`.
    pub(super) fn direction(&self, path: &nn::Path, name: &str, length: i64) -> Tensor {
        let values = normals(&mut self.chance(path, name), length as usize, 1.0);
        let mut direction = path.zeros_no_train(name, &[length]);
        direction.copy_(&(&values / values.norm()));
        direction
    }

    fn chance(&self, path: &nn::Path, name: &str) -> Chance {
        let drawn_as = self.drawn_as.map_or_else(|| full_name(path, name), |layer| format!("{layer}.{name}"));
        let place = xxhash_rust::xxh3::xxh3_64(format!("{}.{drawn_as}", self.network).as_bytes());
        self.draw.at(Stream::Weights, place, 0)
    }
}

fn normals(chance: &mut Chance, count: usize, deviation: f64) -> Tensor {
    let mut values = chance.normals(count);
    for value in &mut values {
        *value *= deviation as f32;
    }
    Tensor::from_slice(&values)
}

/// Q of the QR decomposition of drawn normals, with the signs that make the diagonal of R positive: uniform over all
/// orthogonal matrices (Mezzadri 2007). In double precision, so that the single one is not a question of rounding.
fn orthogonal(chance: &mut Chance, rows: i64, columns: i64, gain: f64) -> Tensor {
    let drawn: Vec<f64> = (0..rows * columns).map(|_| chance.normal()).collect();
    let drawn = Tensor::from_slice(&drawn).view([rows, columns]);
    let tall = if rows < columns { drawn.tr() } else { drawn };
    let (q, r) = Tensor::linalg_qr(&tall, "reduced");
    let q = q * r.diagonal(0, 0, 1).sign();
    let q = if rows < columns { q.tr() } else { q };
    (q * gain).to_kind(Kind::Float).contiguous()
}
