//! How latent numbers are looked for.

use serde::{Deserialize, Serialize};

use crate::model::Precision;

/// What a fit brings down, beside the prior.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Contextual {
    /// Sum over known pixels of absolute differences (ExoGAN).
    L1,
    /// Sum over known pixels of squared differences (Murray, Fabbro and Yi).
    L2,
    /// Half of chi-square over observed depths, whose variance is that of the error, of the side on which the model lies, and of the
    /// generator itself. For spectra.
    ChiSquare,
}

/// Where restarts begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// At latent numbers as training draws them.
    Noise,
    /// Around those that the embedder finds.
    Embedder,
    /// Every other restart this way, every other that way.
    Both,
}

/// How one object is fitted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FitSettings {
    /// Fits of an object.
    pub restarts: usize,
    /// Iterations of a restart at the most.
    pub iterations: u32,
    /// A restart has converged when its loss has not fallen by `tolerance` for as many iterations; 0 = all are made.
    pub patience: u32,
    /// Share of the loss, or of 1 where that is less.
    pub tolerance: f64,
    /// Adam's step size.
    pub learning_rate: f64,
    /// Decay of Adam's mean of gradients.
    pub beta1: f64,
    /// Decay of its mean of squared gradients.
    pub beta2: f64,
    /// Iterations after which the step size has fallen to a half; 0 = it stays.
    pub half_life: f64,
    /// What is brought down.
    pub loss: Contextual,
    /// Weight of the generator's loss before the discriminator; 0 = the discriminator is not asked.
    pub perceptual: f64,
    /// Where restarts begin.
    pub start: Start,
    /// Standard deviation around the embedder's latent numbers.
    pub spread: f64,
    /// Standard deviation of a normal prior around the embedder's latent numbers, which know what spectra do not say, where all restarts
    /// begin there; 0 = there is none.
    pub anchor: f64,
    /// Whether each restart fits a draw of its own from the errors, but for the first where that fits what was observed.
    pub noise: bool,
    /// Arithmetic of the networks on the way down; where a restart ends is looked at in single precision.
    pub precision: Precision,
    /// Restarts that move together, of many objects.
    pub slots: usize,
    /// Leapfrog trajectories after the fit, whose ends are the samples; 0 = the fits are.
    pub hmc_trajectories: u32,
    /// Leapfrog steps of a trajectory.
    pub hmc_steps: u32,
    /// Length of a leapfrog step.
    pub hmc_step_size: f64,
}

impl Default for FitSettings {
    fn default() -> Self {
        Self {
            restarts: 16,
            iterations: 32,
            patience: 16,
            tolerance: 0.01,
            learning_rate: 0.01,
            beta1: 0.9,
            beta2: 0.999,
            half_life: 24.0,
            loss: Contextual::ChiSquare,
            perceptual: 0.0,
            start: Start::Embedder,
            spread: 0.0,
            anchor: 0.03,
            noise: true,
            precision: Precision::Fp32,
            slots: 256,
            hmc_trajectories: 0,
            hmc_steps: 10,
            hmc_step_size: 0.02,
        }
    }
}

impl FitSettings {
    /// Whether restarts of an object all begin where the embedder sees it, and so end near each other: the first then fits what was
    /// observed, without a draw, and stands for all.
    pub fn first_as_observed(&self) -> bool {
        self.start == Start::Embedder && self.spread == 0.0 && self.hmc_trajectories == 0
    }

    /// For a run without an embedder: more restarts, and the time to come from anywhere.
    pub fn from_noise() -> Self {
        Self {
            restarts: 32,
            iterations: 400,
            patience: 64,
            learning_rate: 0.05,
            half_life: 200.0,
            start: Start::Noise,
            anchor: 0.0,
            ..Self::default()
        }
    }

    /// ExoGAN's procedure (Zingales & Waldmann 2018; its code): 64 restarts from noise, each of 1001 iterations.
    pub fn exogan() -> Self {
        Self {
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
            ..Self::default()
        }
    }

    /// Says what is wrong, if anything: (key, value, what was wanted).
    pub fn fault(&self) -> Option<(&'static str, String, &'static str)> {
        let positive = |value: f64| value > 0.0 && value.is_finite();
        let weight = |value: f64| (0.0..f64::INFINITY).contains(&value);
        let decay = |value: f64| (0.0..1.0).contains(&value);
        let numbers = [
            ("tolerance", self.tolerance, weight as fn(f64) -> bool, "a share, at least 0"),
            ("learning_rate", self.learning_rate, positive, "a positive number"),
            ("beta1", self.beta1, decay, "at least 0 and below 1"),
            ("beta2", self.beta2, decay, "at least 0 and below 1"),
            ("half_life", self.half_life, weight, "iterations, or 0 for a step size that stays"),
            ("perceptual", self.perceptual, weight, "a weight, at least 0"),
            ("anchor", self.anchor, weight, "a standard deviation, or 0 for none"),
            ("spread", self.spread, weight, "a standard deviation, at least 0"),
            ("hmc_step_size", self.hmc_step_size, positive, "a positive number"),
        ];
        if let Some((key, value, _, wanted)) = numbers.into_iter().find(|(_, value, legal, _)| !legal(*value)) {
            return Some((key, value.to_string(), wanted));
        }
        let counts = [
            ("restarts", self.restarts, 1..=65_536, "1 to 65536"),
            ("slots", self.slots, 1..=1 << 20, "1 to 1048576"),
            ("iterations", self.iterations as usize, 1..=1 << 24, "1 to 16777216"),
            ("hmc_steps", self.hmc_steps as usize, 1..=1 << 20, "1 to 1048576"),
        ];
        let wrong = counts.into_iter().find(|(_, value, legal, _)| !legal.contains(value));
        wrong.map(|(key, value, _, wanted)| (key, value.to_string(), wanted))
    }
}
