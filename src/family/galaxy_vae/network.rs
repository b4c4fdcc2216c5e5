//! A convolutional autoencoder.
//!
//! Shapes: b = maps, n = side in pixels, s = n / 2^depth, z = length of the code.

use tch::{Kind, Tensor, nn};

use super::Settings;
use crate::nn::{Activation, BatchNorm, Conv2d, ConvOptions, ConvTranspose2d, Linear, Pass, Precision, Weights};

const HALVING: ConvOptions = ConvOptions { kernel: 5, stride: 2, padding: 2, output_padding: 0 };
const DOUBLING: ConvOptions = ConvOptions { output_padding: 1, ..HALVING };

/// Encoder and decoder, one network.
#[derive(Debug)]
pub(super) struct Autoencoder {
    precision: Precision,
    side: i64,
    code_length: i64,
    /// Channels and side of the narrowest maps.
    narrowest: [i64; 2],
    halvings: Vec<(Conv2d, BatchNorm)>,
    to_code: Linear,
    from_code: Linear,
    doublings: Vec<(BatchNorm, ConvTranspose2d)>,
    macs: u64,
}

impl Autoencoder {
    /// Adds the network's tensors to `path`, with weights drawn from `seed`.
    pub fn new(path: &nn::Path, settings: &Settings, seed: u64) -> Self {
        let &Settings { side, width, depth, latent_dim, .. } = settings;
        let weights = Weights::he("autoencoder", seed, Activation::Relu);
        let linear = Weights::he("autoencoder", seed, Activation::Identity);
        let channels = |level: u32| if level == 0 { 1 } else { width << (level - 1) };
        let halving = |level: u32| {
            let (encoder, outputs) = (path / "encoder", channels(level));
            let down = &encoder / format!("down{level}");
            let norm = BatchNorm::new(&(&encoder / format!("norm{level}")), outputs);
            (Conv2d::new(&down, &weights, channels(level - 1), outputs, HALVING), norm)
        };
        let doubling = |level: u32| {
            let (decoder, inputs) = (path / "decoder", channels(level));
            let weights = if level == 1 { &linear } else { &weights };
            let up = &decoder / format!("up{level}");
            let norm = BatchNorm::new(&(&decoder / format!("norm{level}")), inputs);
            (norm, ConvTranspose2d::new(&up, weights, inputs, channels(level - 1), DOUBLING))
        };
        let narrowest = [channels(depth), side >> depth];
        let numbers = narrowest[0] * narrowest[1] * narrowest[1];
        let levels: i64 =
            (1..=depth).map(|level| 25 * channels(level - 1) * channels(level) * (side >> level).pow(2)).sum();
        Self {
            precision: Precision::Fp32,
            side,
            code_length: latent_dim,
            narrowest,
            halvings: (1..=depth).map(halving).collect(),
            to_code: Linear::new(&(path / "encoder" / "code"), &linear, numbers, latent_dim),
            from_code: Linear::new(&(path / "decoder" / "code"), &linear, latent_dim, numbers),
            doublings: (1..=depth).rev().map(doubling).collect(),
            macs: 2 * (levels + numbers * latent_dim) as u64,
        }
    }

    /// The same, to be trained in `precision`.
    pub fn at(mut self, precision: Precision) -> Self {
        self.precision = precision;
        if precision == Precision::Bf16 {
            self.halvings.iter_mut().for_each(|(down, _)| down.halve());
            self.doublings.iter_mut().for_each(|(_, up)| up.halve());
        }
        self
    }

    /// Its weights in half precision, if it has them, by name.
    pub fn halves(&self) -> Vec<(String, Tensor)> {
        let ups = self.doublings.iter().flat_map(|(_, up)| up.halves());
        self.halvings.iter().flat_map(|(down, _)| down.halves()).chain(ups).collect()
    }

    /// Names of the batch norms in order of use.
    pub fn norms(&self) -> Vec<String> {
        let norms = self.halvings.iter().map(|(_, norm)| norm).chain(self.doublings.iter().map(|(norm, _)| norm));
        norms.map(|norm| norm.name().to_owned()).collect()
    }

    /// n: side of a map in pixels.
    pub fn side(&self) -> i64 {
        self.side
    }

    /// z: numbers of a code.
    pub fn code_length(&self) -> i64 {
        self.code_length
    }

    /// Multiplications, each with its addition, of one map's forward.
    pub fn macs(&self) -> u64 {
        self.macs
    }

    /// - `maps`: `[b, 1, n, n]`
    /// - returns: `[b, z]`
    pub fn encode(&self, maps: &Tensor, pass: Pass) -> Tensor {
        let mut x = maps.to_kind(self.precision.kind(pass));
        for (down, norm) in &self.halvings {
            x = Activation::Relu.forward(norm.forward(&down.forward(&x, pass), pass)); // half the side
        }
        self.to_code.forward(&x.flatten(1, -1).to_kind(Kind::Float), pass)
    }

    /// - `codes`: `[b, z]`
    /// - returns: `[b, 1, n, n]`
    pub fn decode(&self, codes: &Tensor, pass: Pass) -> Tensor {
        let [channels, side] = self.narrowest;
        let mut x = self.from_code.forward(codes, pass).view([-1, channels, side, side]);
        x = x.to_kind(self.precision.kind(pass));
        for (norm, up) in &self.doublings {
            x = up.forward(&Activation::Relu.forward(norm.forward(&x, pass)), pass); // twice the side
        }
        x.to_kind(Kind::Float)
    }

    /// - `maps`: `[b, 1, n, n]`
    /// - returns: their reconstructions, `[b, 1, n, n]`
    pub fn forward(&self, maps: &Tensor, pass: Pass) -> Tensor {
        self.decode(&self.encode(maps, pass), pass)
    }
}
