//! A generator against a discriminator, and an embedder beside them where there is one.
//!
//! Shapes: b = records of a microbatch, n = side of a map in pixels, z = latent vector.

mod forward;
mod loss;
pub(crate) mod section;
mod settings;

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;

use tch::{Device, Tensor, nn};

use forward::{GanForward, Generated};
pub use loss::{Loss, Penalty};
pub use section::GanSection;
pub use settings::{GanSettings, Noise, Update};

use super::embedder::{EmbedderSettings, Embedding};
use super::masking::Masking;
use super::{Feed, Forward, Input, MomentsFrom, Network, Objective, Phase, StepContext};
use crate::infer::{Generate, TrainedModel};
use crate::nn::dcgan::{DcganSettings, Discriminator, Generator};
use crate::nn::embedder::EmbedderSize;
use crate::nn::{BatchMoments, BatchNorm, Pass};
use crate::rng::{Chance, Draw, Stream};

/// Losses are of the order of one.
const RUNAWAY_LOSS: f64 = 100.0;

/// Difference of the mean logits of real and of generated records at which e^-20 of a gradient is left.
const WON_BY: f64 = 20.0;

/// Difference of the mean logits below which the discriminator says nothing.
const BLIND: f64 = 1e-3;

const DISCRIMINATOR: usize = 0;
const GENERATOR: usize = 1;
const EMBEDDER: usize = 2;

/// The networks of a GAN, and how they are trained.
pub struct Gan {
    settings: GanSettings,
    model: DcganSettings,
    generator: Generator,
    generator_store: nn::VarStore,
    discriminator: Discriminator,
    discriminator_store: nn::VarStore,
    embedding: Option<Embedding>,
    /// Shared noise: generated maps, with their graphs, by microbatch, from the discriminator's phase to the generator's.
    shared: RefCell<HashMap<u32, Generated>>,
}

impl Gan {
    /// New networks on `device`, with weights drawn from `seed`.
    pub fn new(model: &DcganSettings, settings: GanSettings, seed: u64, device: Device) -> Self {
        let generator_store = nn::VarStore::new(device);
        let discriminator_store = nn::VarStore::new(device);
        Self {
            generator: Generator::new(&generator_store.root(), model, seed).at(settings.precision),
            discriminator: Discriminator::new(&discriminator_store.root(), model, seed).at(settings.precision),
            model: model.clone(),
            settings,
            generator_store,
            discriminator_store,
            embedding: None,
            shared: RefCell::default(),
        }
    }

    /// The same with an embedder, from which `masking` hides parts of maps.
    #[must_use]
    pub fn with_embedder(
        mut self,
        model: &DcganSettings,
        settings: EmbedderSettings,
        masking: Box<dyn Masking>,
        seed: u64,
    ) -> Self {
        let device = self.generator_store.device();
        self.embedding = Some(Embedding::new(settings, model, masking, seed, device));
        self
    }

    /// The embedder, where real records are reconstructed.
    fn reconstruction(&self) -> Option<&Embedding> {
        self.embedding.as_ref().filter(|embedding| embedding.settings.reconstruction > 0.0)
    }

    /// Latent vectors, `[size, z]`.
    fn noise(&self, mut chance: Chance, size: i64) -> Tensor {
        let numbers = self.model.latent.draw(&mut chance, (size * self.model.latent_dim) as usize);
        self.bring(&numbers).view([size, self.model.latent_dim])
    }

    /// Moves numbers to the networks' device.
    fn bring(&self, values: &[f32]) -> Tensor {
        Tensor::from_slice(values).to_device(self.generator_store.device())
    }

    /// The phases of discriminator and generator.
    fn adversarial_phases(&self) -> Vec<Phase> {
        let GanSettings { update, discriminator_updates, generator_updates, .. } = self.settings;
        if update == Update::Simultaneous {
            let networks = vec![DISCRIMINATOR, GENERATOR];
            return vec![Phase { networks, turn: 0, turns: 1, feed: Feed::Fresh, reads: vec![DISCRIMINATOR] }];
        }
        // A phase begins with real maps for the discriminator, or with noise for the generator.
        let discriminator = (0..discriminator_updates).map(|turn| Phase {
            networks: vec![DISCRIMINATOR],
            turn,
            turns: discriminator_updates,
            feed: Feed::Fresh,
            reads: vec![DISCRIMINATOR],
        });
        let generator = (0..generator_updates).map(|turn| Phase {
            networks: vec![GENERATOR],
            turn,
            turns: generator_updates,
            feed: self.reconstruction().filter(|_| turn == 0).map_or(Feed::SizeOnly, |_| self.last_records()),
            reads: vec![GENERATOR],
        });
        discriminator.chain(generator).collect()
    }

    /// The records of the discriminator's last phase.
    fn last_records(&self) -> Feed {
        match self.settings.update {
            Update::Simultaneous => Feed::SameAs(0),
            Update::Alternating => Feed::SameAs(self.settings.discriminator_updates as usize - 1),
        }
    }
}

impl Objective for Gan {
    fn networks(&self) -> Vec<Network<'_>> {
        let reconstructs = self.reconstruction().is_some();
        let mut networks = vec![
            Network {
                name: "discriminator",
                store: &self.discriminator_store,
                halves: self.discriminator.halves(),
                average: None,
                metrics: if self.settings.penalty.is_some() {
                    &["discriminator_loss", "real_logit", "generated_logit", "gradient_penalty"]
                } else {
                    &["discriminator_loss", "real_logit", "generated_logit"]
                },
                norms: self.discriminator.norms(),
                norm_momentum: BatchNorm::MOMENTUM,
                spectral: Vec::new(),
                recalibrated_on: MomentsFrom::Noise,
            },
            Network {
                name: "generator",
                store: &self.generator_store,
                halves: self.generator.halves(),
                average: self.settings.average,
                metrics: &["generator_loss"],
                norms: self.generator.norms(),
                norm_momentum: BatchNorm::MOMENTUM,
                spectral: Vec::new(),
                recalibrated_on: MomentsFrom::Noise,
            },
        ];
        networks.extend(self.embedding.as_ref().map(|embedding| Network {
            name: "embedder",
            store: &embedding.store,
            halves: Vec::new(),
            average: self.settings.average,
            metrics: if reconstructs { &["latent_error", "masked_error", "latent_square"] } else { &["latent_error"] },
            norms: Vec::new(),
            norm_momentum: BatchNorm::MOMENTUM,
            spectral: Vec::new(),
            recalibrated_on: MomentsFrom::Noise,
        }));
        networks
    }

    fn phases(&self) -> Vec<Phase> {
        let mut phases = self.adversarial_phases();
        if self.embedding.is_some() {
            // It reads the new weights of the others, so nothing of it begins before.
            let feed = self.reconstruction().map_or(Feed::SizeOnly, |_| self.last_records());
            phases.push(Phase { networks: vec![EMBEDDER], turn: 0, turns: 1, feed, reads: Vec::new() });
        }
        phases
    }

    fn begin<'a>(&'a self, phase: &Phase, context: &StepContext, input: Input) -> Box<dyn Forward + 'a> {
        Box::new(GanForward::begin(self, phase, context, input))
    }

    fn recalibrate(&self, network: usize, draw: Draw, index: u64, input: Input) -> Vec<Tensor> {
        assert_eq!(network, GENERATOR, "no other network has an average and batch norm");
        let noise = self.noise(draw.at(Stream::Moments, index, 0), input.size());
        let moments = BatchMoments::default();
        // As inference, for which the moments are, in single precision.
        let _maps = tch::no_grad(|| self.generator.forward(&noise, Pass::Smooth(&moments)));
        moments.flat()
    }

    fn model(&self) -> &dyn TrainedModel {
        self
    }

    fn symptom(&self, metrics: &[(String, f64)]) -> Option<&'static str> {
        if self.settings.loss == Loss::Wasserstein {
            return None; // its logits are distances, of any size and from any zero
        }
        let of = |name: &str| metrics.iter().find(|(have, _)| have == name).map(|(_, value)| *value);
        let losses = [of("discriminator_loss")?, of("generator_loss")?];
        let gap = of("real_logit")? - of("generated_logit")?;
        if losses.iter().any(|loss| loss.abs() > RUNAWAY_LOSS) {
            Some("a loss has run away")
        } else if gap > WON_BY {
            Some("the discriminator has won: its loss teaches the generator nothing any more")
        } else if gap.abs() < BLIND {
            Some("the discriminator is dead: it does not tell real maps from generated ones")
        } else {
            None
        }
    }

    fn flops_per_record(&self) -> f64 {
        let (generator, discriminator) = self.model.macs();
        let GanSettings { update, noise, discriminator_updates, generator_updates, .. } = self.settings;
        let (k, m) = (u64::from(discriminator_updates), u64::from(generator_updates));
        // Generated and real maps forward and backward, or generated maps forward and backward to the generator.
        let (judging, teaching) = (6 * discriminator, 2 * discriminator + 2 * generator);
        let macs = match (update, noise) {
            (Update::Alternating, Noise::Fresh) => k * (generator + judging) + m * (generator + teaching),
            (Update::Alternating, Noise::Shared) => k * (generator + judging) + m * teaching,
            (Update::Simultaneous, _) => generator + judging + teaching - discriminator, // one forward for both
        };
        let of_embedder = self.embedding.as_ref().map_or(0, |Embedding { settings, .. }| {
            let embedder = EmbedderSize { hidden: settings.hidden }.macs(&self.model);
            // The latent vectors of generated maps; real maps reconstructed, masked for the embedder and whole for the
            // generator. An embedder is updated once a step.
            let latent = generator + 3 * embedder;
            let reconstruction = (3 * embedder + 2 * generator) + (embedder + 3 * generator);
            latent + if settings.reconstruction > 0.0 { reconstruction } else { 0 }
        });
        let records = if update == Update::Simultaneous { 1 } else { k };
        2.0 * ((macs + of_embedder) as f64) / records as f64
    }
}

impl TrainedModel for Gan {
    fn generator(&self) -> Option<&dyn Generate> {
        Some(self)
    }
}

impl Generate for Gan {
    fn generate(&self, draw: Draw, records: Range<u64>) -> Tensor {
        self.generator.make(draw, records)
    }
}
