//! The way back of a generator: from a map, or what is known of it, to the latent numbers that make it.
//!
//! Shapes: b = maps, n = side in pixels, z = latent numbers, h = hidden numbers.

use tch::{Tensor, nn};

use super::activation::Activation;
use super::convolution::Conv2d;
use super::dcgan::{DcganSettings, HALVING, LEAKY, Latent, Output};
use super::description::{LayerDescription, NetworkDescription, Operation};
use super::linear::Linear;
use super::pass::Pass;
use super::weights::Weights;

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
    halvings: Vec<Conv2d>,
    hidden: Linear,
    latents: Linear,
}

impl Embedder {
    /// Adds the embedder's tensors to `path`. First weights are those of He et al. 2015, eq. 14.
    pub fn new(path: &nn::Path, settings: &DcganSettings, size: &EmbedderSize, seed: u64) -> Self {
        let weights = Weights::he("embedder", seed, Activation::Relu);
        let halvings = settings
            .levels()
            .map(|(layer, inputs, outputs)| {
                Conv2d::new(&(path / format!("down{layer}")), &weights, inputs, outputs, HALVING)
            })
            .collect();
        let hidden = Linear::new(&(path / "hidden"), &weights, settings.narrowest(), size.hidden);
        // Small, so that no latent number begins where the hyperbolic tangent is flat.
        let small = Weights::normal("embedder", seed, 0.1 / (size.hidden as f64).sqrt());
        let latents = Linear::new(&(path / "latents"), &small, size.hidden, settings.latent_dim);
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
            x = LEAKY.forward(down.forward(&x, pass));
        }
        let x = LEAKY.forward(self.hidden.forward(&x.flatten(1, -1), pass));
        self.latents.forward(&x, pass)
    }

    /// Any numbers in the range of latent ones.
    pub fn in_range(&self, numbers: &Tensor) -> Tensor {
        self.range().forward(numbers.shallow_clone())
    }

    /// What makes latent numbers of any numbers.
    fn range(&self) -> Activation {
        match self.latent {
            Latent::Normal => Activation::Identity,
            Latent::Uniform => Activation::Tanh,
        }
    }

    /// Its layers in order of use; the second input of the first is `known`.
    pub fn describe(&self) -> NetworkDescription {
        let plain = |name: &str, operation| (name.to_owned(), LayerDescription::without_tensors(operation));
        let mut layers = vec![plain("unknown", Operation::FillUnknown { value: -self.unknown })];
        for (layer, down) in (1..).zip(&self.halvings) {
            layers.push((down.name().to_owned(), down.describe()));
            layers.push((format!("leaky{layer}"), LEAKY.describe()));
        }
        layers.push(plain("flatten", Operation::Flatten { start_dim: 1 }));
        layers.push(("hidden".to_owned(), self.hidden.describe()));
        layers.push(("leaky_hidden".to_owned(), LEAKY.describe()));
        layers.push(("latents".to_owned(), self.latents.describe()));
        layers.push(("range".to_owned(), self.range().describe()));
        layers
    }

    /// Both, one after the other: `[b, z]`, latent numbers.
    pub fn forward(&self, maps: &Tensor, known: &Tensor, pass: Pass) -> Tensor {
        self.in_range(&self.unbounded(maps, known, pass))
    }
}
