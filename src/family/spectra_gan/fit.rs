//! Latent vectors fitted to spectra: what is known of one, and what each restart fits.
//!
//! Shapes: r = restarts, w = points of a spectrum, n = side of an image, p = 7 parameters.

use tch::Tensor;

use super::aspa::{AspaTensors, Observed};
use crate::atmosphere::QUANTITIES;
use crate::infer::Networks;
use crate::infer::latent_fit::offsets::add_drawn;
use crate::infer::latent_fit::{Aim, Contextual, FitSettings, Known, ModelVariance, Restarts, Start, Target};
use crate::infer::networks::Measurement;
use crate::nn::Pass;
use crate::rng::Chance;

/// Least variance of a depth: a part in a million.
const LEAST_VARIANCE: f64 = 1e-12;

/// Rounds in which the embedder sees a spectrum without the offsets that its own spectrum before left.
const ALIGNMENTS: usize = 4;

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

/// ExoGAN's procedure (Zingales & Waldmann 2018; its code): 64 restarts from noise, each of 1001 iterations.
pub fn exogan_settings() -> FitSettings {
    FitSettings {
        restarts: 64,
        iterations: 1001,
        patience: 0,
        learning_rate: 0.01,
        half_life: 0.0,
        loss: Contextual::L1,
        perceptual: 0.1,
        start: Start::Noise,
        anchor: 0.0,
        slots: 64,
        ..FitSettings::default()
    }
}

/// The codec with which `networks` for spectra were opened.
pub fn codec_of(networks: &Networks) -> &AspaTensors {
    networks.measurement_as().expect("networks for spectra have their codec")
}

impl Measurement for AspaTensors {
    /// Depths: `[b, 1, n, n]` to `[b, w]`, (Rp/Rs)^2.
    fn measure(&self, images: &Tensor) -> Tensor {
        self.depths(images)
    }
}

impl Known for Spectrum {
    fn target(&self, restarts: &Restarts) -> Target {
        let Restarts { networks, settings, variance, offsets, .. } = *restarts;
        let codec = codec_of(networks);
        let (count, points) = (settings.restarts as i64, self.depths.len());
        let bring = |values: &[f32]| Tensor::from_slice(values).to_device(networks.device);
        let mut noisy = Vec::with_capacity(settings.restarts * points);
        for restart in 0..settings.restarts as u32 {
            let mut chance = restarts.chance(restart);
            let noise = settings.noise && !(restart == 0 && settings.first_as_observed());
            noisy.extend((0..points).map(|point| self.drawn(point, noise, &mut chance)));
            if noise {
                let drawn = &mut noisy[restart as usize * points..];
                add_drawn(offsets.groups(), drawn, &self.observed, &mut chance);
            }
        }
        let noisy = bring(&noisy).view([count, -1]);
        let observed = bring(&self.observed).view([1, -1]);
        let unknown = self.parameters.iter().map(|pixel| pixel.is_nan());
        let known: Vec<f32> = unknown.map(|unknown| f32::from(u8::from(!unknown))).collect();
        let parameters: Vec<f32> =
            self.parameters.iter().map(|pixel| if pixel.is_nan() { 0.0 } else { *pixel }).collect();
        let each = |values: &[f32]| bring(values).view([1, -1]).expand([count, QUANTITIES.len() as i64], false);
        let encode = |depths: &Tensor| {
            codec.encode(&Observed {
                depths,
                observed: &observed.expand([count, -1], false),
                parameters: &each(&parameters),
                known_parameters: &each(&known),
            })
        };
        let below = bring(&self.weights(&self.error_below, variance)).view([1, -1]);
        let above = bring(&self.weights(&self.error_above, variance)).view([1, -1]);
        let (images, known) = if offsets.is_empty() {
            encode(&noisy)
        } else {
            encode(&aligned(restarts, &noisy, &below, &above, &observed, &encode))
        };
        let aim = if settings.loss == Contextual::ChiSquare {
            let each = |tensor: &Tensor| tensor.expand([count, -1], false);
            Aim::Measured { values: noisy, below: each(&below), above: each(&above) }
        } else {
            Aim::Pixels { pixels: images.flatten(1, -1), known: known.flatten(1, -1) }
        };
        let truth = Aim::Measured { values: bring(&self.depths).view([1, -1]), below, above };
        Target { images, known, aim, truth }
    }
}

/// Depths as the embedder is to see them, which has learned from spectra without offsets: each round takes those offsets away that lie
/// between the depths and the spectrum that the networks make of what the embedder saw the round before.
///
/// - `depths`: `[r, w]`; `below`, `above`, `observed`: `[1, w]`
/// - `encode`: depths to images and which pixels of them are known
/// - returns: `[r, w]`
fn aligned(
    restarts: &Restarts,
    depths: &Tensor,
    below: &Tensor,
    above: &Tensor,
    observed: &Tensor,
    encode: &dyn Fn(&Tensor) -> (Tensor, Tensor),
) -> Tensor {
    let Restarts { networks, settings, offsets, .. } = *restarts;
    let mut seen = depths.shallow_clone();
    let Some(embedder) = networks.embedder.as_ref().filter(|_| settings.start != Start::Noise) else { return seen };
    let _guard = tch::no_grad_guard();
    for _ in 0..ALIGNMENTS {
        let (images, known) = encode(&seen);
        let latents = embedder.forward(&images, &known, Pass::Inference);
        let made = codec_of(networks).depths(&networks.generator.forward(&latents, Pass::Inference));
        let marginal = offsets.marginal(&(made - depths), below, above);
        seen = depths - marginal.at_values * observed;
    }
    seen
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
