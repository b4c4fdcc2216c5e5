//! The weight and bias of a layer: in single precision, in half precision, under spectral norm.

use tch::{Kind, Tensor, nn};

use super::description::{LayerDescription, Operation};
use super::pass::Pass;
use super::spectral_norm::SpectralVectors;
use super::tensor_name::{layer_name, name_in};
use super::weights::Weights;
use crate::kernels;

/// A kernel and its bias, and what they are in half precision where a network has it.
///
/// The halves are a node of the graph for good: one cast of the kernel and one of the bias, whose data the trainer
/// renews when it has moved the weights. So all forwards share a cast, and gradients come back through it in single
/// precision. A kernel under spectral norm has no such half: each forward casts the kernel that it has divided by sigma.
#[derive(Debug)]
pub(super) struct Kernel {
    layer: String,
    weight: Tensor,
    bias: Tensor,
    halves: Option<Halves>,
    spectral: Option<SpectralVectors>,
}

#[derive(Debug)]
struct Halves {
    weight: Option<Tensor>,
    bias: Tensor,
}

/// The shape of a weight, and what its axes are.
pub(super) struct WeightShape {
    pub sizes: Vec<i64>,
    /// The axis of outputs, 0 or 1.
    pub output_dim: i64,
    /// Inputs that an output is a sum of.
    pub fan_in: f64,
}

impl Kernel {
    pub fn new(path: &nn::Path, weights: &Weights, shape: &WeightShape) -> Self {
        let outputs = shape.sizes[shape.output_dim as usize];
        let weight = weights.fill(path, "weight", &shape.sizes, shape.fan_in);
        let spectral = weights.are_spectrally_normalised().then(|| {
            let rest = weight.numel() as i64 / outputs;
            let [u, v] =
                [("weight_u", outputs), ("weight_v", rest)].map(|(name, length)| weights.direction(path, name, length));
            SpectralVectors::new(layer_name(path), &weight, u, v, shape.output_dim)
        });
        Self { layer: layer_name(path), weight, bias: path.zeros("bias", &[outputs]), halves: None, spectral }
    }

    /// The layer's name in the network.
    pub fn name(&self) -> &str {
        &self.layer
    }

    pub fn halve(&mut self) {
        let half = |tensor: &Tensor| tch::with_grad(|| tensor.to_kind(Kind::BFloat16));
        let weight = self.spectral.is_none().then(|| half(&self.weight));
        self.halves = Some(Halves { weight, bias: half(&self.bias) });
    }

    /// Kernel and bias for a forward.
    pub fn of(&self, pass: Pass) -> [Tensor; 2] {
        let halves = self.halves.as_ref().filter(|_| pass.is_in_networks_precision());
        let weight = self.spectral.as_ref().map_or_else(|| self.weight.shallow_clone(), SpectralVectors::normalised);
        let Some(halves) = halves else { return [weight, self.bias.shallow_clone()] };
        // Of a frozen network no gradient is asked, which a node of the graph would not notice.
        let asked = self.weight.requires_grad();
        let half = |half: &Tensor| if asked { half.shallow_clone() } else { half.detach() };
        [halves.weight.as_ref().map_or_else(|| weight.to_kind(Kind::BFloat16), half), half(&halves.bias)]
    }

    /// Names in the network, and tensors, of the halves that the trainer renews.
    pub fn halves(&self) -> Vec<(String, Tensor)> {
        let Some(Halves { weight, bias }) = &self.halves else { return Vec::new() };
        let named = |name: &str, half: &Tensor| (name_in(&self.layer, name), half.shallow_clone());
        weight.iter().map(|weight| named("weight", weight)).chain([named("bias", bias)]).collect()
    }

    pub fn spectral(&self) -> Option<SpectralVectors> {
        self.spectral.as_ref().map(SpectralVectors::handle)
    }

    pub fn describe(&self, operation: Operation) -> LayerDescription {
        let names: &[&str] =
            if self.spectral.is_some() { &["weight", "bias", "weight_u", "weight_v"] } else { &["weight", "bias"] };
        LayerDescription::with_tensors(operation, &self.layer, names)
    }

    /// Our own kernel for it, which keeps what it makes of the weights. Weights under spectral norm are a new tensor in
    /// each forward, whose address says nothing about its values: for them each forward takes an [`OwnKernel::Fresh`].
    pub fn own(&self, fits: bool) -> OwnKernel {
        match (fits, &self.spectral) {
            (false, _) => OwnKernel::None,
            (true, None) => OwnKernel::Kept(kernels::Layer::default()),
            (true, Some(_)) => OwnKernel::Fresh,
        }
    }
}

/// Our own kernel of a convolution, where its options are those that we have one for.
#[derive(Debug)]
pub(super) enum OwnKernel {
    None,
    Kept(kernels::Layer),
    Fresh,
}

impl OwnKernel {
    /// The convolution by our own kernel; nothing where there is none for these tensors, or for this pass.
    pub fn convolve(&self, pass: Pass, convolve: impl FnOnce(&kernels::Layer) -> Option<Tensor>) -> Option<Tensor> {
        match self {
            _ if !pass.once_differentiable() => None,
            OwnKernel::None => None,
            OwnKernel::Kept(layer) => convolve(layer),
            OwnKernel::Fresh => convolve(&kernels::Layer::default()),
        }
    }
}
