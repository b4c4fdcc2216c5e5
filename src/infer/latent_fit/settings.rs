//! How latent numbers are looked for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::nn::Precision;

/// Misfit between the generated record and the known values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Contextual {
    /// Sum of the absolute differences of known pixels (ExoGAN).
    L1,
    /// Sum of the squared differences of known pixels (Murray, Fabbro and Yi).
    L2,
    /// Half of chi-square over observed transit depths. The variance is that of the errors, of the side on which the
    /// model lies, plus that of the generator. For spectra only.
    ChiSquare,
}

/// Latent vectors from which restarts begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// Random latent vectors, distributed as in training.
    Noise,
    /// The estimate of the embedder.
    Embedder,
    /// Alternately the estimate of the embedder and random vectors.
    Both,
}

/// Settings of the fit of a latent vector to one record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct FitSettings {
    /// Independent fits of each record, 1 to 65536.
    #[schemars(extend("unit" = "fits"))]
    pub restarts: usize,
    /// Largest number of iterations of a restart, 1 to 16777216.
    #[schemars(extend("unit" = "iterations"))]
    pub iterations: u32,
    /// A restart has converged when its loss has not fallen by `tolerance` for this many iterations; 0 = all iterations
    /// are done.
    #[schemars(extend("unit" = "iterations"))]
    pub patience: u32,
    /// Decrease of the loss that counts as progress, relative to the loss, or to 1 where the loss is below 1; at least
    /// 0.
    pub tolerance: f64,
    /// Learning rate of Adam, more than 0.
    pub learning_rate: f64,
    /// Decay rate of the first moment of Adam, at least 0 and below 1.
    pub beta1: f64,
    /// Decay rate of the second moment of Adam, at least 0 and below 1.
    pub beta2: f64,
    /// Iterations in which the learning rate falls to a half, exponentially; at least 0, 0 = constant.
    #[schemars(extend("unit" = "iterations"))]
    pub half_life: f64,
    /// Misfit that is minimised.
    pub loss: Contextual,
    /// Weight of the generator's adversarial loss in the total loss, at least 0; 0 = the discriminator is not used.
    pub perceptual: f64,
    /// Latent vectors from which restarts begin.
    pub start: Start,
    /// Standard deviation of the random displacement of restarts from the embedder's estimate, at least 0.
    pub spread: f64,
    /// Standard deviation of a normal prior on the latent vector around the embedder's estimate, at least 0; 0 = no
    /// such prior. Used with `start = "embedder"` only.
    pub anchor: f64,
    /// Whether each restart fits the observation plus its own draw of noise from the errors. With `start = "embedder"`,
    /// no `spread` and no `hmc_trajectories`, the first restart fits the observation itself.
    pub noise: bool,
    /// Arithmetic of convolutions during the descent; the result of a restart is evaluated in single precision.
    pub precision: Precision,
    /// Restarts that are computed as one batch, of several records, 1 to 1048576.
    #[schemars(extend("unit" = "restarts"))]
    pub slots: usize,
    /// Trajectories of Hamiltonian Monte Carlo after the fit, whose ends are the samples; 0 = the fits are the samples.
    #[schemars(extend("unit" = "trajectories"))]
    pub hmc_trajectories: u32,
    /// Leapfrog steps of a trajectory, 1 to 1048576.
    #[schemars(extend("unit" = "steps"))]
    pub hmc_steps: u32,
    /// Length of a leapfrog step, more than 0.
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
