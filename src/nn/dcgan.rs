//! The deep convolutional GAN of CosmoGAN (Mustafa et al. 2019, after Radford et al. 2016), and, with a side of 33, that of ExoGAN
//! (Zingales & Waldmann 2018).
//!
//! Shapes: b = maps, n = side in pixels, z = latent numbers, f = width, d = depth.

use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor, nn};

use super::activation::Activation;
use super::batch_norm::BatchNorm;
use super::conv_options::ConvOptions;
use super::convolution::Conv2d;
use super::description::{LayerDescription, NetworkDescription, Operation};
use super::linear::Linear;
use super::pass::{Pass, Precision};
use super::transposed::ConvTranspose2d;
use super::weights::Weights;
use crate::rng::{Chance, Draw, Stream};

/// Which networks have batch norm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Norm {
    /// Generator and discriminator, in the layers where CosmoGAN has it.
    #[default]
    Batch,
    /// The generator only, so that the discriminator judges each record on its own (Gulrajani et al. 2017).
    Generator,
    /// No network: the output for a record does not depend on other records of the batch.
    None,
}

impl Norm {
    /// Whether the generator has batch norm.
    pub fn in_generator(self) -> bool {
        match self {
            Norm::Batch | Norm::Generator => true,
            Norm::None => false,
        }
    }

    /// Whether the discriminator has batch norm.
    pub fn in_discriminator(self) -> bool {
        match self {
            Norm::Batch => true,
            Norm::Generator | Norm::None => false,
        }
    }
}

/// Range of the pixels that the generator makes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Output {
    /// [-1, 1], through tanh, as in CosmoGAN.
    #[default]
    Tanh,
    /// [0, 1], through a sigmoid, as in ExoGAN.
    Sigmoid,
}

impl Output {
    /// What makes pixels of any numbers.
    pub(super) fn activation(self) -> Activation {
        match self {
            Output::Tanh => Activation::Tanh,
            Output::Sigmoid => Activation::Sigmoid,
        }
    }
}

/// Distribution of the components of the latent vector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Latent {
    /// Standard normal.
    #[default]
    Normal,
    /// Uniform in [-1, 1].
    Uniform,
}

impl Latent {
    /// The next `count` numbers.
    pub fn draw(self, chance: &mut Chance, count: usize) -> Vec<f32> {
        match self {
            Latent::Normal => chance.normals(count),
            Latent::Uniform => (0..count).map(|_| (2.0 * chance.uniform() - 1.0) as f32).collect(),
        }
    }
}

/// The size of both networks. The defaults are CosmoGAN's, whatever the side: 64 px starts at 4 x 4, 128 px at
/// 8 x 8, 256 px at 16 x 16. Halves of odd sides are rounded up, so 33 px start at 3 x 3.
#[derive(Clone, Debug, PartialEq)]
pub struct DcganSettings {
    /// Side of a map in pixels.
    pub side: i64,
    /// Channels of the layer next to the map; they double with each halving of the side.
    pub width: i64,
    /// Halvings of the side.
    pub depth: u32,
    /// Length of the latent vector.
    pub latent_dim: i64,
    /// Distribution of its components.
    pub latent: Latent,
    /// The range of pixels that the generator makes.
    pub output: Output,
    /// Which networks have batch norm.
    pub norm: Norm,
}

impl DcganSettings {
    pub(crate) fn full_width() -> i64 {
        64
    }

    pub(crate) fn full_depth() -> u32 {
        4
    }

    pub(crate) fn full_latent() -> i64 {
        64
    }

    /// Says what is wrong, if anything: (key, value, what was wanted).
    pub fn fault(&self) -> Option<(&'static str, String, String)> {
        let side = self.side;
        if !(1..=4096).contains(&self.width) {
            return Some(("width", self.width.to_string(), "1 to 4096 channels".into()));
        }
        if !(1..=65_536).contains(&self.latent_dim) {
            return Some(("latent_dim", self.latent_dim.to_string(), "1 to 65536".into()));
        }
        if !(1..=12).contains(&self.depth) {
            return Some(("depth", self.depth.to_string(), "1 to 12 halvings".into()));
        }
        if !(1 << self.depth..=8192).contains(&side) {
            let wanted = format!("{} to 8192 pixels, for depth = {} halvings", 1 << self.depth, self.depth);
            return Some(("side", side.to_string(), wanted));
        }
        None
    }

    /// Multiplications, each with its addition, of one map's forward: (generator, discriminator). Taps that fall on
    /// padding are counted, norms and activations are not.
    pub fn macs(&self) -> (u64, u64) {
        let channels = |level: u32| if level == 0 { 1 } else { self.channels(level) };
        // A level's convolution, up or down: 25 taps for each pixel of the smaller side.
        let levels: i64 =
            (1..=self.depth).map(|level| 25 * channels(level - 1) * channels(level) * self.side_at(level).pow(2)).sum();
        let narrowest = self.narrowest();
        ((levels + self.latent_dim * narrowest) as u64, (levels + narrowest) as u64)
    }

    /// The convolutions that halve the side, from the map on: number, channels before and after.
    pub(super) fn levels(&self) -> impl Iterator<Item = (u32, i64, i64)> + use<'_> {
        let before = |layer: u32| if layer == 1 { 1 } else { self.channels(layer - 1) };
        (1..=self.depth).map(move |layer| (layer, before(layer), self.channels(layer)))
    }

    /// Numbers that the last of them leaves.
    pub(super) fn narrowest(&self) -> i64 {
        self.channels(self.depth) * self.smallest_side().pow(2)
    }

    fn smallest_side(&self) -> i64 {
        self.side_at(self.depth)
    }

    /// Side after `level` halvings, each rounded up.
    fn side_at(&self, level: u32) -> i64 {
        (0..level).fold(self.side, |side, _| (side + 1) / 2)
    }

    /// Channels after `level` halvings, from 1.
    fn channels(&self, level: u32) -> i64 {
        self.width << (level - 1)
    }

    /// The norm of a layer where there is one: `normed` says whether its network has any.
    fn norm(normed: bool, path: &nn::Path, channels: i64) -> Option<BatchNorm> {
        normed.then(|| BatchNorm::new(path, channels))
    }
}

/// The convolution that halves the side, rounded up.
pub(super) const HALVING: ConvOptions = ConvOptions { kernel: 5, stride: 2, padding: 2, output_padding: 0 };

/// The transposed convolution that doubles the side, to `side` pixels: an odd side ends with the last tap that falls on a
/// pixel.
fn doubling(side: i64) -> ConvOptions {
    ConvOptions { output_padding: 1 - side % 2, ..HALVING }
}

/// Latent noise to maps: a dense layer, then doublings with batch norm and ReLU between, and tanh or a sigmoid.
#[derive(Debug)]
pub struct Generator {
    settings: DcganSettings,
    precision: Precision,
    device: Device,
    project: Linear,
    first_norm: Option<BatchNorm>,
    doublings: Vec<(ConvTranspose2d, Option<BatchNorm>)>,
}

impl Generator {
    /// Adds the generator's tensors to `path`.
    pub fn new(path: &nn::Path, settings: &DcganSettings, seed: u64) -> Self {
        let weights = Weights::normal("generator", seed, 0.02);
        let (depth, small) = (settings.depth, settings.smallest_side());
        let widest = settings.channels(depth);
        let project = Linear::new(&(path / "project"), &weights, settings.latent_dim, widest * small * small);
        let normed = settings.norm.in_generator();
        let norm = |layer: u32, channels| DcganSettings::norm(normed, &(path / format!("norm{layer}")), channels);
        let doublings = (1..=depth)
            .map(|layer| {
                let inputs = settings.channels(depth - layer + 1);
                let outputs = if layer == depth { 1 } else { settings.channels(depth - layer) };
                let (path, options) = (path / format!("up{layer}"), doubling(settings.side_at(depth - layer)));
                let up = ConvTranspose2d::new(&path, &weights, inputs, outputs, options);
                (up, if layer < depth { norm(layer, outputs) } else { None })
            })
            .collect();
        let first_norm = norm(0, widest);
        let precision = Precision::Fp32;
        Self { settings: settings.clone(), precision, device: path.device(), project, first_norm, doublings }
    }

    /// The same, to be trained or descended in `precision`.
    #[must_use]
    pub fn at(mut self, precision: Precision) -> Self {
        self.precision = precision;
        if precision == Precision::Bf16 {
            self.project.halve();
            self.doublings.iter_mut().for_each(|(up, _)| up.halve());
        }
        self
    }

    /// Its weights in half precision, if it has them, by name.
    pub fn halves(&self) -> Vec<(String, Tensor)> {
        let ups = self.doublings.iter().flat_map(|(up, _)| up.halves());
        self.project.halves().into_iter().chain(ups).collect()
    }

    /// Names of the batch norms in order of use.
    pub fn norms(&self) -> Vec<String> {
        let norms = self.first_norm.iter().chain(self.doublings.iter().filter_map(|(_, norm)| norm.as_ref()));
        norms.map(|norm| norm.name().to_owned()).collect()
    }

    /// - `noise`: `[b, z]`
    /// - returns: `[b, 1, n, n]` in [-1, 1] or [0, 1], as `output` says
    pub fn forward(&self, noise: &Tensor, pass: Pass) -> Tensor {
        let (small, kind) = (self.settings.smallest_side(), self.precision.kind(pass));
        let x = self.project.forward(&noise.to_kind(kind), pass).view([
            -1,
            self.settings.channels(self.settings.depth),
            small,
            small,
        ]);
        let mut x = normed(self.first_norm.as_ref(), x, pass);
        for (up, norm) in &self.doublings {
            x = up.forward(&Activation::Relu.forward(x), pass);
            x = normed(norm.as_ref(), x, pass);
        }
        self.settings.output.activation().forward(x.to_kind(Kind::Float))
    }

    /// Its layers in order of use.
    pub fn describe(&self) -> NetworkDescription {
        let small = self.settings.smallest_side();
        let unflattened_size = vec![self.settings.channels(self.settings.depth), small, small];
        let unflatten = LayerDescription::without_tensors(Operation::Unflatten { unflattened_size });
        let mut layers = vec![("project".to_owned(), self.project.describe()), ("unflatten".to_owned(), unflatten)];
        layers.extend(described_norm(self.first_norm.as_ref()));
        for (layer, (up, norm)) in (0..).zip(&self.doublings) {
            layers.push((format!("relu{layer}"), Activation::Relu.describe()));
            layers.push((up.name().to_owned(), up.describe()));
            layers.extend(described_norm(norm.as_ref()));
        }
        layers.push(("output".to_owned(), self.settings.output.activation().describe()));
        layers
    }

    /// The maps that `records` are in inference, `[records, 1, n, n]`, each from latent noise of its own.
    pub fn make(&self, draw: Draw, records: Range<u64>) -> Tensor {
        let DcganSettings { latent, latent_dim, .. } = self.settings;
        let count = (records.end - records.start) as i64;
        let of = |record: u64| latent.draw(&mut draw.at(Stream::Sample, record, 0), latent_dim as usize);
        let noise: Vec<f32> = records.flat_map(of).collect();
        let noise = Tensor::from_slice(&noise).to_device(self.device).view([count, latent_dim]);
        tch::no_grad(|| self.forward(&noise, Pass::Inference))
    }
}

/// Maps to one logit each: halvings with batch norm from the second and leaky ReLU, then a dense layer.
#[derive(Debug)]
pub struct Discriminator {
    precision: Precision,
    halvings: Vec<(Conv2d, Option<BatchNorm>)>,
    logit: Linear,
}

/// The activation of the discriminator, and of the embedder.
pub(super) const LEAKY: Activation = Activation::LeakyRelu { negative_slope: 0.2 };

impl Discriminator {
    /// Adds the discriminator's tensors to `path`.
    pub fn new(path: &nn::Path, settings: &DcganSettings, seed: u64) -> Self {
        let weights = Weights::normal("discriminator", seed, 0.02);
        let halvings = settings
            .levels()
            .map(|(layer, inputs, outputs)| {
                let down = Conv2d::new(&(path / format!("down{layer}")), &weights, inputs, outputs, HALVING);
                let path = path / format!("norm{layer}");
                let norm = DcganSettings::norm(layer > 1 && settings.norm.in_discriminator(), &path, outputs);
                (down, norm)
            })
            .collect();
        let logit = Linear::new(&(path / "logit"), &weights.drawn_as("judge"), settings.narrowest(), 1);
        Self { precision: Precision::Fp32, halvings, logit }
    }

    /// The same, to be trained or descended in `precision`.
    #[must_use]
    pub fn at(mut self, precision: Precision) -> Self {
        self.precision = precision;
        if precision == Precision::Bf16 {
            self.halvings.iter_mut().for_each(|(down, _)| down.halve());
        }
        self
    }

    /// Its weights in half precision, if it has them, by name.
    pub fn halves(&self) -> Vec<(String, Tensor)> {
        self.halvings.iter().flat_map(|(down, _)| down.halves()).collect()
    }

    /// Names of the batch norms in order of use.
    pub fn norms(&self) -> Vec<String> {
        self.halvings.iter().filter_map(|(_, norm)| norm.as_ref()).map(|norm| norm.name().to_owned()).collect()
    }

    /// - `maps`: `[b, 1, n, n]`, in the generator's range
    /// - returns: `[b]`, logits: high means real
    pub fn forward(&self, maps: &Tensor, pass: Pass) -> Tensor {
        let mut x = maps.to_kind(self.precision.kind(pass));
        for (down, norm) in &self.halvings {
            x = LEAKY.forward(normed(norm.as_ref(), down.forward(&x, pass), pass));
        }
        // Of single precision, which costs nothing for one number a map.
        self.logit.forward(&x.flatten(1, -1).to_kind(Kind::Float), pass).squeeze_dim(1) // one logit a map
    }

    /// Its layers in order of use.
    pub fn describe(&self) -> NetworkDescription {
        let mut layers = NetworkDescription::new();
        for (layer, (down, norm)) in (1..).zip(&self.halvings) {
            layers.push((down.name().to_owned(), down.describe()));
            layers.extend(described_norm(norm.as_ref()));
            layers.push((format!("leaky{layer}"), LEAKY.describe()));
        }
        let flatten = |start_dim| LayerDescription::without_tensors(Operation::Flatten { start_dim });
        layers.push(("flatten".to_owned(), flatten(1)));
        layers.push(("logit".to_owned(), self.logit.describe()));
        layers.push(("logits".to_owned(), flatten(0)));
        layers
    }
}

/// The layer that a norm, if there is one, is in a description.
fn described_norm(norm: Option<&BatchNorm>) -> Option<(String, LayerDescription)> {
    norm.map(|norm| (norm.name().to_owned(), norm.describe()))
}

/// What a norm, if there is one, makes of `x`.
fn normed(norm: Option<&BatchNorm>, x: Tensor, pass: Pass) -> Tensor {
    match norm {
        Some(norm) => norm.forward(&x, pass),
        None => x,
    }
}
