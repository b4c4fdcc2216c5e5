//! Residual blocks (He et al. 2016, fig. 2 left).
//!
//! Shapes: b = records, c = channels, n = pixels along an axis.

use serde::{Deserialize, Serialize};
use tch::{Tensor, nn};

use super::activation::Activation;
use super::conv_options::ConvOptions;
use super::convolution::Conv;
use super::description::{LayerDescription, NetworkDescription, Operation};
use super::norm::{NormKind, NormLayer};
use super::pass::Pass;
use super::spectral_norm::SpectralVectors;
use super::tensor_name::name_in;
use super::weights::Weights;

/// What a block does to the side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Resample {
    /// Keeps it.
    #[default]
    Keep,
    /// Halves it, rounded up: the first convolution and the projection have stride 2.
    Halve,
    /// Doubles it: pixels are repeated before everything else.
    Double,
}

/// What a block is made of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ResidualOptions {
    /// Channels before.
    pub inputs: i64,
    /// Channels after.
    pub outputs: i64,
    /// Taps of both convolutions along an axis, odd.
    pub kernel: i64,
    /// What it does to the side.
    pub resample: Resample,
    /// The norm after both convolutions.
    pub norm: NormKind,
    /// The activation after the first norm and after the sum.
    pub activation: Activation,
}

/// act(norm2(conv2(act(norm1(conv1(x))))) + shortcut(x)), with a 1x1 convolution as shortcut where channels or side differ,
/// else x itself.
#[derive(Debug)]
pub struct Residual<const AXES: usize> {
    options: ResidualOptions,
    conv1: Conv<AXES>,
    norm1: NormLayer,
    conv2: Conv<AXES>,
    norm2: NormLayer,
    projection: Option<Conv<AXES>>,
}

impl<const AXES: usize> Residual<AXES> {
    /// Adds the block's tensors to `path`: `conv1`, `norm1`, `conv2`, `norm2` and, where it has one, `projection`.
    pub fn new(path: &nn::Path, weights: &Weights, options: ResidualOptions) -> Self {
        let ResidualOptions { inputs, outputs, kernel, resample, norm, .. } = options;
        let stride = if resample == Resample::Halve { 2 } else { 1 };
        let conv = |name: &str, inputs, options| Conv::new(&(path / name), weights, inputs, outputs, options);
        let same = ConvOptions::same(kernel);
        Self {
            options,
            conv1: conv("conv1", inputs, ConvOptions { stride, ..same }),
            norm1: NormLayer::new(&(path / "norm1"), norm, outputs),
            conv2: conv("conv2", outputs, same),
            norm2: NormLayer::new(&(path / "norm2"), norm, outputs),
            projection: (stride > 1 || inputs != outputs)
                .then(|| conv("projection", inputs, ConvOptions { stride, ..ConvOptions::same(1) })),
        }
    }

    /// `[b, inputs, n]` or `[b, inputs, n, n]` to `outputs` channels, and the side that `resample` says.
    pub fn forward(&self, x: &Tensor, pass: Pass) -> Tensor {
        let x = if self.options.resample == Resample::Double { doubled(x) } else { x.shallow_clone() };
        let y = self.norm1.forward(self.conv1.forward(&x, pass), pass);
        let y = self.conv2.forward(&self.options.activation.forward(y), pass);
        let y = self.norm2.forward(y, pass);
        let shortcut = self.projection.as_ref().map_or(x.shallow_clone(), |projection| projection.forward(&x, pass));
        self.options.activation.forward(y + shortcut)
    }

    /// What it computes, as two layers: the sum of its branches and the activation.
    pub fn describe(&self) -> NetworkDescription {
        let named = |name: &str, layer: LayerDescription| (name_in(self.name(), name), layer);
        let body = [
            Some(named("conv1", self.conv1.describe())),
            self.norm1.describe().map(|norm| named("norm1", norm)),
            Some(named("activation1", self.options.activation.describe())),
            Some(named("conv2", self.conv2.describe())),
            self.norm2.describe().map(|norm| named("norm2", norm)),
        ];
        let body = body.into_iter().flatten().collect();
        let shortcut = self.projection.iter().map(|projection| named("projection", projection.describe())).collect();
        let sum = LayerDescription::without_tensors(Operation::Residual { body, shortcut });
        let double = LayerDescription::without_tensors(Operation::UpsampleNearest { scale_factor: 2 });
        let double = (self.options.resample == Resample::Double).then(|| named("double", double));
        let rest = [named("sum", sum), named("activation2", self.options.activation.describe())];
        double.into_iter().chain(rest).collect()
    }

    /// Its name in the network.
    pub fn name(&self) -> &str {
        self.conv1.name().trim_end_matches("conv1").trim_end_matches('.')
    }

    /// Names of its batch norms in order of use.
    pub fn norms(&self) -> Vec<String> {
        [&self.norm1, &self.norm2].into_iter().filter_map(NormLayer::batch_norm_name).collect()
    }

    /// From now on forwards in training and descent compute in half precision.
    pub fn halve(&mut self) {
        [Some(&mut self.conv1), Some(&mut self.conv2), self.projection.as_mut()]
            .into_iter()
            .flatten()
            .for_each(Conv::halve);
    }

    /// The weights in half precision, if it has them, by their names in the network.
    pub fn halves(&self) -> Vec<(String, Tensor)> {
        self.convolutions().flat_map(Conv::halves).collect()
    }

    /// The singular vectors of its weights, if they are under spectral norm.
    pub fn spectral(&self) -> Vec<SpectralVectors> {
        self.convolutions().filter_map(Conv::spectral).collect()
    }

    fn convolutions(&self) -> impl Iterator<Item = &Conv<AXES>> {
        [&self.conv1, &self.conv2].into_iter().chain(&self.projection)
    }
}

/// Each pixel twice along every axis.
fn doubled(x: &Tensor) -> Tensor {
    let sides: Vec<i64> = x.size()[2..].iter().map(|side| 2 * side).collect();
    match sides.len() {
        1 => x.upsample_nearest1d(sides, None),
        _ => x.upsample_nearest2d(sides, None, None),
    }
}
