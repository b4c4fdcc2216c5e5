//! What is known of an object, and what of it each restart fits.
//!
//! Shapes: r = restarts, w = points of a spectrum, n = side of an image, z = latent numbers, p = 7 parameters.

use tch::Tensor;

use super::settings::{Contextual, FitSettings, Start};
use crate::data::aspa::Observed;
use crate::data::atmosphere::QUANTITIES;
use crate::infer::Networks;
use crate::nn::Pass;
use crate::nn::dcgan::Latent;
use crate::rng::{Chance, Draw, Stream};

/// An object as it was observed.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Its number, which chance follows from.
    pub number: u64,
    /// What is known of it.
    pub known: Known,
}

/// What is known of an object.
#[derive(Clone, Debug)]
pub enum Known {
    /// A spectrum.
    Spectrum(Spectrum),
    /// Pixels of a map.
    Map {
        /// `[n n]`, in the networks' range.
        pixels: Vec<f32>,
        /// `[n n]`, 1 where the pixel is known, else 0.
        known: Vec<f32>,
    },
}

/// A spectrum and what else is known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spectrum {
    /// `[w]`, (Rp/Rs)^2.
    pub depths: Vec<f32>,
    /// `[w]`, one standard deviation downwards; 0 where there is none.
    pub error_below: Vec<f32>,
    /// `[w]`, one standard deviation upwards.
    pub error_above: Vec<f32>,
    /// `[w]`, 1 where the depth was observed, else 0.
    pub observed: Vec<f32>,
    /// `[p]` as pixels, NaN where the parameter is to be found.
    pub parameters: Vec<f32>,
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
pub(super) enum Aim {
    /// Depths `[.., w]`, and what a squared difference weighs where the model lies below and above, `[.., w]`.
    Depths { depths: Tensor, below: Tensor, above: Tensor },
    /// Pixels and which are known, both `[.., n n]`.
    Pixels { pixels: Tensor, known: Tensor },
}

impl Aim {
    /// Its tensors, in order.
    pub fn parts(&self) -> Vec<&Tensor> {
        match self {
            Self::Depths { depths, below, above } => vec![depths, below, above],
            Self::Pixels { pixels, known } => vec![pixels, known],
        }
    }

    /// The same to be written to.
    pub fn parts_mut(&mut self) -> Vec<&mut Tensor> {
        match self {
            Self::Depths { depths, below, above } => vec![depths, below, above],
            Self::Pixels { pixels, known } => vec![pixels, known],
        }
    }

    /// One of the same kind and of `rows` rows, of which nothing is known.
    pub fn like(&self, rows: i64) -> Self {
        let empty = |tensor: &Tensor| Tensor::zeros([rows, tensor.size()[1]], (tensor.kind(), tensor.device()));
        match self {
            Self::Depths { depths, below, above } => {
                Self::Depths { depths: empty(depths), below: empty(below), above: empty(above) }
            }
            Self::Pixels { pixels, known } => Self::Pixels { pixels: empty(pixels), known: empty(known) },
        }
    }
}

/// Variance of the generator at each point, `[w]`, which counts beside that of the errors.
pub type ModelVariance = Vec<f32>;

/// Least variance of a depth: a part in a million.
const LEAST_VARIANCE: f64 = 1e-12;

impl Subject {
    pub(super) fn prepare(
        &self,
        networks: &Networks,
        settings: &FitSettings,
        variance: Option<&ModelVariance>,
        draw: Draw,
    ) -> Prepared {
        let restarts = settings.restarts as i64;
        let bring = |values: &[f32]| Tensor::from_slice(values).to_device(networks.device);
        let chance = |restart: i64, stream| draw.at(stream, self.number, restart as u32);
        let (images, known, aim, truth) = match &self.known {
            Known::Map { pixels, known } => {
                let side = networks.model.side;
                let [images, known] = [pixels, known].map(|values| bring(values).view([1, -1]));
                let each = |tensor: &Tensor| tensor.expand([restarts, -1], false);
                let aim = Aim::Pixels { pixels: each(&images), known: each(&known) };
                let truth = Aim::Pixels { pixels: images.shallow_clone(), known: known.shallow_clone() };
                let square =
                    |tensor: Tensor| tensor.view([1, 1, side, side]).expand([restarts, -1, -1, -1], false).contiguous();
                (square(images), square(known), aim, truth)
            }
            Known::Spectrum(spectrum) => {
                let codec = networks.codec.as_ref().expect("a spectrum has a codec");
                let points = spectrum.depths.len();
                let mut noisy = Vec::with_capacity(settings.restarts * points);
                for restart in 0..restarts {
                    let mut chance = chance(restart, Stream::Restart);
                    let noise = settings.noise && !(restart == 0 && settings.first_as_observed());
                    noisy.extend((0..points).map(|point| spectrum.drawn(point, noise, &mut chance)));
                }
                let noisy = bring(&noisy).view([restarts, -1]);
                let observed = bring(&spectrum.observed).view([1, -1]);
                let unknown = spectrum.parameters.iter().map(|pixel| pixel.is_nan());
                let known: Vec<f32> = unknown.map(|unknown| f32::from(u8::from(!unknown))).collect();
                let parameters: Vec<f32> =
                    spectrum.parameters.iter().map(|pixel| if pixel.is_nan() { 0.0 } else { *pixel }).collect();
                let each =
                    |values: &[f32]| bring(values).view([1, -1]).expand([restarts, QUANTITIES.len() as i64], false);
                let (images, known) = codec.encode(&Observed {
                    depths: &noisy,
                    observed: &observed.expand([restarts, -1], false),
                    parameters: &each(&parameters),
                    known_parameters: &each(&known),
                });
                let below = bring(&spectrum.weights(&spectrum.error_below, variance)).view([1, -1]);
                let above = bring(&spectrum.weights(&spectrum.error_above, variance)).view([1, -1]);
                let aim = if settings.loss == Contextual::ChiSquare {
                    let each = |tensor: &Tensor| tensor.expand([restarts, -1], false);
                    Aim::Depths { depths: noisy, below: each(&below), above: each(&above) }
                } else {
                    Aim::Pixels { pixels: images.flatten(1, -1), known: known.flatten(1, -1) }
                };
                let truth = Aim::Depths { depths: bring(&spectrum.depths).view([1, -1]), below, above };
                (images, known, aim, truth)
            }
        };
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

impl Spectrum {
    /// The depth at `point`, or what might have been observed instead: a draw from its error, which has two sides.
    pub fn drawn(&self, point: usize, noise: bool, chance: &mut Chance) -> f32 {
        let deviation = chance.normal() as f32;
        let error = if deviation < 0.0 { self.error_below[point] } else { self.error_above[point] };
        self.depths[point] + if noise { deviation * error } else { 0.0 }
    }

    /// What a squared difference weighs, where `error` is that of its side: `[w]`, 0 where nothing was observed.
    fn weights(&self, error: &[f32], variance: Option<&ModelVariance>) -> Vec<f32> {
        let weight = |point: usize| {
            let model = variance.map_or(0.0, |variance| f64::from(variance[point]));
            let total = f64::from(error[point]).powi(2) + model;
            (f64::from(self.observed[point]) / total.max(LEAST_VARIANCE)) as f32
        };
        (0..self.depths.len()).map(weight).collect()
    }
}
