//! The keys of `[family]` that every GAN has.
//!
//! serde can not refuse unknown keys of a struct that another one is flattened into, so a macro writes them into the
//! settings of each family.

use tch::Device;

use super::{Gan, GanSettings, Loss, Noise, Penalty, Update};
use crate::nn::Precision;
use crate::nn::dcgan::DcganSettings;
use crate::nn::embedder::EmbedderSize;
use crate::objective::embedder::EmbedderSettings;
use crate::objective::masking::Masking;

/// Defines the settings of a family with a generator and a discriminator: the keys of every GAN, and those given.
macro_rules! gan_section {
    ($(#[$attribute:meta])* pub struct $name:ident { $($more:tt)* }) => {
        $(#[$attribute])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// Adversarial loss of discriminator and generator.
            pub loss: $crate::objective::gan::Loss,
            /// Weight of the gradient penalty on the discriminator (Gulrajani et al. 2017), at least 0; 0 = none. Must be
            /// positive with `family.loss = "wasserstein"` (10 in that paper). A positive weight needs `family.norm =
            /// "generator"` or `"none"`.
            #[serde(default)]
            pub penalty: f64,
            /// Steps from one gradient penalty to the next, 1 or more. With n steps the penalty counts n times (Karras et al.
            /// 2020).
            #[serde(default = "crate::objective::gan::section::each_step")]
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
            #[serde(default = "crate::nn::dcgan::DcganSettings::full_width")]
            #[schemars(extend("unit" = "channels"))]
            pub width: i64,
            /// Convolutions that halve the side in the discriminator, and that double it in the generator, 1 to 12.
            #[serde(default = "crate::nn::dcgan::DcganSettings::full_depth")]
            #[schemars(extend("unit" = "layers"))]
            pub depth: u32,
            /// Length of the latent vector, 1 to 65536.
            #[serde(default = "crate::nn::dcgan::DcganSettings::full_latent")]
            pub latent_dim: i64,
            /// Distribution of the components of the latent vector.
            #[serde(default)]
            pub latent: $crate::nn::dcgan::Latent,
            /// Range of the pixels that the generator makes. Must be `"sigmoid"` for `spectra_gan`.
            #[serde(default)]
            pub output: $crate::nn::dcgan::Output,
            /// Which networks have batch norm.
            #[serde(default)]
            pub norm: $crate::nn::dcgan::Norm,
            /// Whether the generator is updated after the discriminator or together with it.
            #[serde(default)]
            pub update: $crate::objective::gan::Update,
            /// Latent vectors of the generator's update.
            #[serde(default)]
            pub noise: $crate::objective::gan::Noise,
            /// Updates of the discriminator in a step, 1 or more; 1 with `family.update = "simultaneous"` or `family.noise =
            /// "shared"`.
            #[serde(default = "crate::objective::gan::section::once")]
            #[schemars(extend("unit" = "updates"))]
            pub discriminator_updates: u32,
            /// Updates of the generator in a step, 1 or more; 1 with `family.update = "simultaneous"` or `family.noise =
            /// "shared"`.
            #[serde(default = "crate::objective::gan::section::once")]
            #[schemars(extend("unit" = "updates"))]
            pub generator_updates: u32,
            /// Embedder: a third network, which estimates the latent vector of a map or spectrum, also of one that is known in
            /// part.
            #[serde(skip_serializing_if = "Option::is_none")]
            #[schemars(extend("unset" = "no embedder"))]
            pub embedder: Option<$crate::objective::embedder::EmbedderSettings>,
            $($more)*
        }

        impl $name {
            /// The keys of every GAN.
            fn gan(&self) -> $crate::objective::gan::GanSection<'_> {
                $crate::objective::gan::GanSection {
                    dcgan: $crate::nn::dcgan::DcganSettings {
                        side: self.side,
                        width: self.width,
                        depth: self.depth,
                        latent_dim: self.latent_dim,
                        latent: self.latent,
                        output: self.output,
                        norm: self.norm,
                    },
                    loss: self.loss,
                    penalty: self.penalty,
                    penalty_every: self.penalty_every,
                    label_flip: self.label_flip,
                    instance_noise: self.instance_noise,
                    ema: self.ema,
                    update: self.update,
                    noise: self.noise,
                    discriminator_updates: self.discriminator_updates,
                    generator_updates: self.generator_updates,
                    embedder: self.embedder.as_ref(),
                }
            }
        }
    };
}
pub(crate) use gan_section;

pub(crate) fn each_step() -> u64 {
    1
}

pub(crate) fn once() -> u32 {
    1
}

/// Values of the keys that every GAN has.
#[derive(Clone, Debug)]
pub struct GanSection<'a> {
    /// Sizes of generator and discriminator.
    pub dcgan: DcganSettings,
    /// Adversarial loss.
    pub loss: Loss,
    /// Weight of the gradient penalty, 0 = none.
    pub penalty: f64,
    /// Steps from one gradient penalty to the next.
    pub penalty_every: u64,
    /// Probability of a flipped label.
    pub label_flip: f64,
    /// Standard deviation of the noise on what the discriminator sees.
    pub instance_noise: f64,
    /// Decay of the moving average of weights, 0 = none.
    pub ema: f64,
    /// Order of updates.
    pub update: Update,
    /// Latent vectors of the generator's update.
    pub noise: Noise,
    /// Updates of the discriminator in a step.
    pub discriminator_updates: u32,
    /// Updates of the generator in a step.
    pub generator_updates: u32,
    /// The third network, if there is one.
    pub embedder: Option<&'a EmbedderSettings>,
}

impl GanSection<'_> {
    /// Names of all networks that there may be.
    pub const NETWORKS: [&'static str; 3] = ["discriminator", "generator", "embedder"];

    /// Names of the networks.
    pub fn networks(&self) -> &'static [&'static str] {
        if self.embedder.is_some() { &Self::NETWORKS } else { &Self::NETWORKS[..2] }
    }

    /// How the networks are trained, with convolutions in `precision`.
    pub fn settings(&self, precision: Precision) -> GanSettings {
        GanSettings {
            loss: self.loss,
            precision,
            penalty: (self.penalty > 0.0).then_some(Penalty { weight: self.penalty, every: self.penalty_every }),
            label_flip: self.label_flip,
            instance_noise: self.instance_noise,
            average: (self.ema > 0.0).then_some(self.ema),
            update: self.update,
            noise: self.noise,
            discriminator_updates: self.discriminator_updates,
            generator_updates: self.generator_updates,
        }
    }

    /// Says what is wrong, if anything: (full key, value, what was wanted).
    pub fn fault(&self) -> Option<(String, String, String)> {
        let fault = |key: &str, value: &dyn std::fmt::Display, wanted: &str| {
            Some((format!("family.{key}"), value.to_string(), wanted.to_owned()))
        };
        if let Some((key, have, wanted)) = self.dcgan.fault() {
            return fault(key, &have, &wanted);
        }
        if !(0.0..f64::INFINITY).contains(&self.penalty) {
            return fault("penalty", &self.penalty, "a weight, or 0 for no gradient penalty");
        }
        if self.loss == Loss::Wasserstein && self.penalty == 0.0 {
            return fault("penalty", &0, "a positive weight for loss = \"wasserstein\", 10 in Gulrajani et al. 2017");
        }
        if self.penalty_every == 0 {
            return fault("penalty_every", &0, "1 or more steps");
        }
        if self.penalty > 0.0 && self.dcgan.norm.in_discriminator() {
            let wanted = "\"generator\" or \"none\", since family.penalty is of each map alone";
            return fault("norm", &"batch", wanted);
        }
        if !(0.0..=1.0).contains(&self.label_flip) {
            return fault("label_flip", &self.label_flip, "a probability, 0 to 1");
        }
        if !(0.0..f64::INFINITY).contains(&self.instance_noise) {
            return fault("instance_noise", &self.instance_noise, "a standard deviation, or 0 for no noise");
        }
        if let Some((key, have, wanted)) = self.embedder.and_then(EmbedderSettings::fault) {
            return fault(&format!("embedder.{key}"), &have, wanted);
        }
        if !(0.0..1.0).contains(&self.ema) {
            return fault("ema", &self.ema, "a decay of at least 0 (none is kept) and below 1");
        }
        for (key, updates) in
            [("discriminator_updates", self.discriminator_updates), ("generator_updates", self.generator_updates)]
        {
            if updates == 0 {
                return fault(key, &updates, "1 or more");
            }
            let alone = self.update == Update::Simultaneous || self.noise == Noise::Shared;
            if alone && updates != 1 {
                return fault(key, &updates, "1 where updates are simultaneous or share their noise");
            }
        }
        None
    }

    /// New networks with weights drawn from `seed`; `masking` makes what hides parts of records from an embedder.
    pub fn build(
        &self,
        precision: Precision,
        masking: impl FnOnce(&EmbedderSettings) -> Box<dyn Masking>,
        seed: u64,
        device: Device,
    ) -> Gan {
        let gan = Gan::new(&self.dcgan, self.settings(precision), seed, device);
        match self.embedder {
            Some(embedder) => gan.with_embedder(&self.dcgan, embedder.clone(), masking(embedder), seed),
            None => gan,
        }
    }

    /// The size of the embedder, if there is one.
    pub fn embedder_size(&self) -> Option<EmbedderSize> {
        self.embedder.map(|embedder| EmbedderSize { hidden: embedder.hidden })
    }
}
