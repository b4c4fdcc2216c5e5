//! `[family]`: what is trained, with its networks, its loss and its turns.

use serde::{Deserialize, Serialize};

use crate::data::AspaSettings;
use crate::model::dcgan::{DcganSettings, Latent, Norm, Output};
use crate::objective::embedder::EmbedderSettings;
use crate::objective::gan::{Loss, Noise, Update};
use crate::trainer::{Score, Validator};

/// What is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FamilySection {
    /// CosmoGAN's: maps.
    MapsGan(GanSection),
    /// ExoGAN's: spectra as images.
    SpectraGan(GanSection),
}

impl FamilySection {
    /// The kinds, as a configuration names them.
    pub const KINDS: [&str; 2] = ["maps_gan", "spectra_gan"];

    /// The kind, as a configuration names it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::MapsGan(_) => Self::KINDS[0],
            Self::SpectraGan(_) => Self::KINDS[1],
        }
    }

    /// The family of the given kind, if there is one.
    pub(super) fn of_kind(kind: &str, gan: GanSection) -> Option<Self> {
        match kind {
            "maps_gan" => Some(Self::MapsGan(gan)),
            "spectra_gan" => Some(Self::SpectraGan(gan)),
            _ => None,
        }
    }

    /// The settings of its networks, loss and turns.
    pub fn gan(&self) -> &GanSection {
        match self {
            Self::MapsGan(gan) | Self::SpectraGan(gan) => gan,
        }
    }

    /// The size of its networks.
    pub fn dcgan(&self) -> DcganSettings {
        self.gan().dcgan()
    }

    /// How spectra become images; `None` for maps, which are images.
    pub fn codec(&self) -> Option<&CodecSection> {
        self.gan().codec.as_ref()
    }

    /// The names of its networks.
    pub fn networks(&self) -> &'static [&'static str] {
        match self.gan().embedder {
            Some(_) => &["discriminator", "generator", "embedder"],
            None => &["discriminator", "generator"],
        }
    }

    /// What is measured of it while it learns, the most telling first.
    pub fn scores(&self) -> &'static [Score] {
        match self {
            Self::MapsGan(_) => &Validator::SCORES,
            Self::SpectraGan(_) => &[],
        }
    }

    /// Fills in what is not set and depends on the kind.
    pub(super) fn complete(&mut self) {
        if let Self::SpectraGan(gan) = self {
            gan.codec.get_or_insert_default();
        }
    }
}

/// How spectra become images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum CodecSection {
    /// ExoGAN's.
    Aspa(AspaSettings),
}

impl Default for CodecSection {
    fn default() -> Self {
        Self::Aspa(AspaSettings::default())
    }
}

/// A generator against a discriminator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GanSection {
    /// Of the discriminator and the generator.
    pub loss: Loss,
    /// Weight of the gradient penalty on the discriminator; 0 = none.
    #[serde(default)]
    pub penalty: f64,
    /// Steps from one gradient penalty to the next, which then counts as many times.
    #[serde(default = "GanSection::each_step")]
    pub penalty_every: u64,
    /// Probability that a map's label is flipped, drawn for each map.
    #[serde(default)]
    pub label_flip: f64,
    /// Standard deviation of noise on all maps before the discriminator, in their own range; 0 = none.
    #[serde(default)]
    pub instance_noise: f64,
    /// Decay of the average of the generator's weights that samples are made with, and of the embedder's; 0 = none is kept.
    #[serde(default)]
    pub ema: f64,
    /// Side of a map in pixels.
    pub side: i64,
    /// Channels of the layer next to the map; they double with each halving of the side.
    #[serde(default = "DcganSettings::full_width")]
    pub width: i64,
    /// Halvings of the side.
    #[serde(default = "DcganSettings::full_depth")]
    pub depth: u32,
    /// Length of the latent vector.
    #[serde(default = "DcganSettings::full_latent")]
    pub latent_dim: i64,
    /// How the latent vector is drawn.
    #[serde(default)]
    pub latent: Latent,
    /// The range of pixels that the generator makes.
    #[serde(default)]
    pub output: Output,
    /// Norm of the discriminator and the generator.
    #[serde(default)]
    pub norm: Norm,
    /// Whether the generator is updated after the discriminator or from the same weights.
    #[serde(default)]
    pub update: Update,
    /// Whether the generator's update draws its own latent noise.
    #[serde(default)]
    pub noise: Noise,
    /// Updates of the discriminator in a step.
    #[serde(default = "GanSection::once")]
    pub discriminator_updates: u32,
    /// Updates of the generator in a step.
    #[serde(default = "GanSection::once")]
    pub generator_updates: u32,
    /// A third network, which learns the way back from maps to latent vectors; none where it is not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embedder: Option<EmbedderSettings>,
    /// How spectra become images; ExoGAN's way where this is not set. For `spectra_gan` alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codec: Option<CodecSection>,
}

impl GanSection {
    fn each_step() -> u64 {
        1
    }

    fn once() -> u32 {
        1
    }

    /// The size of the networks.
    pub fn dcgan(&self) -> DcganSettings {
        let &Self { side, width, depth, latent_dim, latent, output, norm, .. } = self;
        DcganSettings { side, width, depth, latent_dim, latent, output, norm }
    }
}
