//! The way back of a generator: from a map, or what is known of it, to the latent numbers that make it.
//!
//! Shapes: b = maps, n = side in pixels, z = latent numbers, h = hidden numbers.

use tch::{Tensor, nn};

use super::dcgan::{DcganSettings, LEAK, Latent, Output};
use super::layers::{Dense, Halving, Pass, Weights};
use crate::kernels;

/// The size of an embedder; its convolutions are as many, and as wide, as the discriminator's.
#[derive(Clone, Debug, PartialEq)]
pub struct EmbedderSize {
    /// Numbers between the convolutions and the latent ones.
    pub hidden: i64,
}

impl Default for EmbedderSize {
    fn default() -> Self {
        Self { hidden: 512 }
    }
}

impl EmbedderSize {
    /// Multiplications, each with its addition, of one map's forward through the embedder beside `model`, counted as
    /// [`DcganSettings::macs`] counts them.
    pub fn macs(&self, model: &DcganSettings) -> u64 {
        let (_, discriminator) = model.macs();
        let narrowest = model.narrowest();
        let dense = narrowest * self.hidden + self.hidden * model.latent_dim;
        discriminator - narrowest as u64 + dense as u64
    }
}

/// Halvings as the discriminator has them, without batch norm, since each map is looked at alone; then two dense layers.
#[derive(Debug)]
pub struct Embedder {
    latent: Latent,
    /// Minus what stands in the place of a pixel that is not known.
    unknown: f64,
    halvings: Vec<Halving>,
    hidden: Dense,
    latents: Dense,
}

impl Embedder {
    /// Adds the embedder's tensors to `path`. First weights are those of He et al. 2015, eq. 14.
    pub fn new(path: &nn::Path, settings: &DcganSettings, size: &EmbedderSize, seed: u64) -> Self {
        let name = "embedder";
        let weights = |inputs: i64| Weights::normal(seed, (2.0 / inputs as f64).sqrt());
        let halvings = settings.levels().map(|(layer, inputs, outputs)| {
            Halving::new(&(path / format!("down{layer}")), name, &weights(25 * inputs), inputs, outputs)
        });
        let halvings = halvings.collect();
        let narrowest = settings.narrowest();
        let hidden = Dense::new(&(path / "hidden"), name, &weights(narrowest), narrowest, size.hidden);
        // Small, so that no latent number begins where the hyperbolic tangent is flat.
        let small = Weights::normal(seed, 0.1 / (size.hidden as f64).sqrt());
        let latents = Dense::new(&(path / "latents"), name, &small, size.hidden, settings.latent_dim);
        let unknown = match settings.output {
            Output::Tanh => 2.0,
            Output::Sigmoid => 1.0,
        };
        Self { latent: settings.latent, unknown, halvings, hidden, latents }
    }

    /// - `maps`: `[b, 1, n, n]`, in the generator's range
    /// - `known`: `[b, 1, n, n]`, 1 where the pixel is known, else 0
    /// - returns: `[b, z]`, any numbers; `in_range` makes latent ones of them
    pub fn unbounded(&self, maps: &Tensor, known: &Tensor, pass: Pass) -> Tensor {
        // What is not known is below everything that may be there.
        let mut x = maps * known + (known - 1.0) * self.unknown;
        for down in &self.halvings {
            x = kernels::leaky_relu(down.forward(&x, pass), LEAK);
        }
        let x = kernels::leaky_relu(self.hidden.forward(&x.flatten(1, -1), pass), LEAK);
        self.latents.forward(&x, pass)
    }

    /// Any numbers in the range of latent ones.
    pub fn in_range(&self, numbers: &Tensor) -> Tensor {
        match self.latent {
            Latent::Normal => numbers.shallow_clone(),
            Latent::Uniform => numbers.tanh(),
        }
    }

    /// Both, one after the other: `[b, z]`, latent numbers.
    pub fn forward(&self, maps: &Tensor, known: &Tensor, pass: Pass) -> Tensor {
        self.in_range(&self.unbounded(maps, known, pass))
    }
}
