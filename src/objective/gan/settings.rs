//! Settings of a generator against a discriminator, and of the order of their updates.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::loss::{Loss, Penalty};
use crate::nn::Precision;

/// Order of the updates of discriminator and generator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Update {
    /// The generator is updated against the new weights of the discriminator.
    #[default]
    Alternating,
    /// Both are updated from the same weights, as in CosmoGAN.
    Simultaneous,
}

/// Latent vectors of the generator's update.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Noise {
    /// Each update draws its own.
    #[default]
    Fresh,
    /// The generator's update uses the latent vectors, and the generated records, of the discriminator's update.
    Shared,
}

/// How generator and discriminator are trained.
#[derive(Clone, Debug, PartialEq)]
pub struct GanSettings {
    /// Adversarial loss of both networks.
    pub loss: Loss,
    /// Arithmetic of convolutions in training.
    pub precision: Precision,
    /// What holds the slope of the discriminator to 1, if anything.
    pub penalty: Option<Penalty>,
    /// Probability that a map's label is flipped in the discriminator's phase, drawn for each map.
    pub label_flip: f64,
    /// Standard deviation of the noise that is added to all maps before the discriminator (Arjovsky and Bottou 2017, section 3).
    pub instance_noise: f64,
    /// Decay of the average of the generator's weights, and the embedder's, if one is kept.
    pub average: Option<f64>,
    /// Order of the updates.
    pub update: Update,
    /// Latent vectors of the generator's update.
    pub noise: Noise,
    /// Updates of the discriminator in a step (k).
    pub discriminator_updates: u32,
    /// Updates of the generator in a step (m).
    pub generator_updates: u32,
}
