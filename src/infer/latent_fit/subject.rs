//! What is known of an object, and what of it each restart fits.
//!
//! Shapes: r = restarts, v = measured values, n = side of an image, z = latent numbers.

use tch::Tensor;

use super::offsets::Offsets;
use super::settings::{FitSettings, Start};
use crate::infer::Networks;
use crate::nn::Pass;
use crate::nn::dcgan::Latent;
use crate::rng::{Chance, Draw, Stream};

/// An object as it was observed.
pub struct Subject {
    /// Its number, which chance follows from.
    pub number: u64,
    /// What is known of it.
    pub known: Box<dyn Known>,
}

/// What is known of an object.
pub trait Known {
    /// What restarts fit of it, and what an embedder sees.
    fn target(&self, restarts: &Restarts) -> Target;
}

/// The restarts of an object, for whom a target is made.
#[derive(Clone, Copy)]
pub struct Restarts<'a> {
    /// The object's number.
    pub number: u64,
    /// What is fitted with.
    pub networks: &'a Networks,
    /// How, and how many there are.
    pub settings: &'a FitSettings,
    /// What the generator itself leaves open.
    pub variance: Option<&'a ModelVariance>,
    /// Groups of measured values whose offsets are not known.
    pub offsets: &'a Offsets,
    draw: Draw,
}

impl Restarts<'_> {
    /// Where the noise of one restart comes from.
    pub fn chance(&self, restart: u32) -> Chance {
        self.draw.at(Stream::Restart, self.number, restart)
    }
}

/// What restarts fit of an object, on the networks' device.
pub struct Target {
    /// What an embedder sees for each restart, `[r, 1, n, n]`.
    pub images: Tensor,
    /// Which pixels of that are known, `[r, 1, n, n]`: 1, else 0.
    pub known: Tensor,
    /// What each restart fits.
    pub aim: Aim,
    /// What was observed, without noise: of one row.
    pub truth: Aim,
}

/// Pixels of a map.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownPixels {
    /// `[n n]`, in the networks' range.
    pub pixels: Vec<f32>,
    /// `[n n]`, 1 where the pixel is known, else 0.
    pub known: Vec<f32>,
}

impl Known for KnownPixels {
    fn target(&self, restarts: &Restarts) -> Target {
        let Restarts { networks, settings, .. } = *restarts;
        let (count, side) = (settings.restarts as i64, networks.model.side);
        let bring = |values: &[f32]| Tensor::from_slice(values).to_device(networks.device);
        let [images, known] = [&self.pixels, &self.known].map(|values| bring(values).view([1, -1]));
        let each = |tensor: &Tensor| tensor.expand([count, -1], false);
        let aim = Aim::Pixels { pixels: each(&images), known: each(&known) };
        let truth = Aim::Pixels { pixels: images.shallow_clone(), known: known.shallow_clone() };
        let square = |tensor: Tensor| tensor.view([1, 1, side, side]).expand([count, -1, -1, -1], false).contiguous();
        Target { images: square(images), known: square(known), aim, truth }
    }
}

/// A subject on the networks' device, with what each restart fits and where it begins.
pub(super) struct Prepared {
    pub number: u64,
    /// `[r, z]`
    pub start: Tensor,
    pub aim: Aim,
    /// What was observed, without noise: `[1, ..]`.
    pub truth: Aim,
}

/// What a loss compares with.
pub enum Aim {
    /// Values as `Measurement::measure` reads them out of images.
    Measured {
        /// `[.., v]`
        values: Tensor,
        /// What a squared difference weighs where the model lies below, `[.., v]`.
        below: Tensor,
        /// And where it lies above, `[.., v]`.
        above: Tensor,
    },
    /// Pixels themselves.
    Pixels {
        /// `[.., n n]`
        pixels: Tensor,
        /// Which are known, `[.., n n]`: 1, else 0.
        known: Tensor,
    },
}

impl Aim {
    /// Its tensors, in order.
    pub(super) fn parts(&self) -> Vec<&Tensor> {
        match self {
            Self::Measured { values, below, above } => vec![values, below, above],
            Self::Pixels { pixels, known } => vec![pixels, known],
        }
    }

    /// The same to be written to.
    pub(super) fn parts_mut(&mut self) -> Vec<&mut Tensor> {
        match self {
            Self::Measured { values, below, above } => vec![values, below, above],
            Self::Pixels { pixels, known } => vec![pixels, known],
        }
    }

    /// One of the same kind and of `rows` rows, of which nothing is known.
    pub(super) fn like(&self, rows: i64) -> Self {
        let empty = |tensor: &Tensor| Tensor::zeros([rows, tensor.size()[1]], (tensor.kind(), tensor.device()));
        match self {
            Self::Measured { values, below, above } => {
                Self::Measured { values: empty(values), below: empty(below), above: empty(above) }
            }
            Self::Pixels { pixels, known } => Self::Pixels { pixels: empty(pixels), known: empty(known) },
        }
    }
}

/// Variance of the generator in each measured value, `[v]`, which counts beside that of the errors.
pub type ModelVariance = Vec<f32>;

impl Subject {
    pub(super) fn prepare(
        &self,
        networks: &Networks,
        settings: &FitSettings,
        variance: Option<&ModelVariance>,
        offsets: &Offsets,
        draw: Draw,
    ) -> Prepared {
        let restarts = Restarts { number: self.number, networks, settings, variance, offsets, draw };
        let Target { images, known, aim, truth } = self.known.target(&restarts);
        let start = self.starts(networks, settings, &images, &known, draw);
        Prepared { number: self.number, start, aim, truth }
    }

    /// `[r, z]`
    fn starts(
        &self,
        networks: &Networks,
        settings: &FitSettings,
        images: &Tensor,
        known: &Tensor,
        draw: Draw,
    ) -> Tensor {
        let (restarts, latents) = (settings.restarts, networks.model.latent_dim as usize);
        let embedded = networks.embedder.as_ref().filter(|_| settings.start != Start::Noise).map(|embedder| {
            let z = tch::no_grad(|| embedder.forward(images, known, Pass::Inference));
            Vec::<f32>::try_from(z.flatten(0, -1)).expect("latent numbers are numbers")
        });
        let mut start = Vec::with_capacity(restarts * latents);
        for restart in 0..restarts {
            let mut chance = draw.at(Stream::Start, self.number, restart as u32);
            let from_noise = match settings.start {
                Start::Noise => true,
                Start::Embedder => false,
                Start::Both => restart % 2 == 1,
            };
            match &embedded {
                Some(embedded) if !from_noise => {
                    let around = &embedded[restart * latents..(restart + 1) * latents];
                    let spread = settings.spread as f32;
                    start.extend(around.iter().map(|z| z + spread * chance.normal() as f32));
                }
                _ => start.extend(networks.model.latent.draw(&mut chance, latents)),
            }
        }
        if networks.model.latent == Latent::Uniform {
            for z in &mut start {
                *z = f32::clamp(*z, -1.0, 1.0);
            }
        }
        Tensor::from_slice(&start).to_device(networks.device).view([restarts as i64, -1])
    }
}
