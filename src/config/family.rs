//! `[family]`: what is trained, with its networks, its loss and its turns.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::family::spectra_gan::AspaSettings;
use crate::nn::dcgan::{DcganSettings, Latent, Norm, Output};
use crate::objective::embedder::EmbedderSettings;
use crate::objective::gan::{Loss, Noise, Update};
use crate::train::{Score, Validator};

/// Kind of model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FamilySection {
    /// Generative adversarial network of maps (CosmoGAN: Mustafa et al. 2019).
    MapsGan(GanSection),
    /// Generative adversarial network of spectra, which are encoded as images (ExoGAN: Zingales and Waldmann 2018).
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

/// Encoding of spectra as images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum CodecSection {
    /// The array of spectrum and parameters of ExoGAN (Zingales and Waldmann 2018): sections of the spectrum, each
    /// normalised by its own least and greatest depth, beside stripes that hold these and the parameters of the
    /// atmosphere.
    Aspa(AspaSettings),
}

impl Default for CodecSection {
    fn default() -> Self {
        Self::Aspa(AspaSettings::default())
    }
}

/// A generator and a discriminator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GanSection {
    /// Adversarial loss of discriminator and generator.
    pub loss: Loss,
    /// Weight of the gradient penalty on the discriminator (Gulrajani et al. 2017), at least 0; 0 = none. Must be
    /// positive with `family.loss = "wasserstein"` (10 in that paper). A positive weight needs `family.norm =
    /// "generator"` or `"none"`.
    #[serde(default)]
    pub penalty: f64,
    /// Steps from one gradient penalty to the next, 1 or more. With n steps the penalty counts n times (Karras et al.
    /// 2020).
    #[serde(default = "GanSection::each_step")]
    #[schemars(extend("unit" = "steps"))]
    pub penalty_every: u64,
    /// Probability that the discriminator gets the wrong label (real or generated) for a record, drawn for each record;
    /// 0 to 1.
    #[serde(default)]
    pub label_flip: f64,
    /// Standard deviation of Gaussian noise that is added to real and generated records before the discriminator, in
    /// the range of `family.output`; at least 0, 0 = no noise.
    #[serde(default)]
    pub instance_noise: f64,
    /// Decay per step of an exponential moving average of the weights of generator and embedder, with which samples are
    /// made; at least 0 and below 1, 0 = no average.
    #[serde(default)]
    pub ema: f64,
    /// Side of a map, or of the image that encodes a spectrum: at least 2 to the power of `family.depth`, at most 8192,
    /// and with a codec the same as `family.codec.side`.
    #[schemars(extend("unit" = "pixels"))]
    pub side: i64,
    /// Channels of the convolution next to the map, 1 to 4096. They double with each halving of the side.
    #[serde(default = "DcganSettings::full_width")]
    #[schemars(extend("unit" = "channels"))]
    pub width: i64,
    /// Convolutions that halve the side in the discriminator, and that double it in the generator, 1 to 12.
    #[serde(default = "DcganSettings::full_depth")]
    #[schemars(extend("unit" = "layers"))]
    pub depth: u32,
    /// Length of the latent vector, 1 to 65536.
    #[serde(default = "DcganSettings::full_latent")]
    pub latent_dim: i64,
    /// Distribution of the components of the latent vector.
    #[serde(default)]
    pub latent: Latent,
    /// Range of the pixels that the generator makes. Must be `"sigmoid"` for `spectra_gan`.
    #[serde(default)]
    pub output: Output,
    /// Which networks have batch norm.
    #[serde(default)]
    pub norm: Norm,
    /// Whether the generator is updated after the discriminator or together with it.
    #[serde(default)]
    pub update: Update,
    /// Latent vectors of the generator's update.
    #[serde(default)]
    pub noise: Noise,
    /// Updates of the discriminator in a step, 1 or more; 1 with `family.update = "simultaneous"` or `family.noise =
    /// "shared"`.
    #[serde(default = "GanSection::once")]
    #[schemars(extend("unit" = "updates"))]
    pub discriminator_updates: u32,
    /// Updates of the generator in a step, 1 or more; 1 with `family.update = "simultaneous"` or `family.noise =
    /// "shared"`.
    #[serde(default = "GanSection::once")]
    #[schemars(extend("unit" = "updates"))]
    pub generator_updates: u32,
    /// Embedder: a third network, which estimates the latent vector of a map or spectrum, also of one that is known in
    /// part.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("unset" = "no embedder"))]
    pub embedder: Option<EmbedderSettings>,
    /// Encoding of spectra as images, for `spectra_gan` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("unset" = "`kind = \"aspa\"` with its defaults"))]
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
