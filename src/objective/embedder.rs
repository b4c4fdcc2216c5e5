//! The embedder, a third network beside a generator and a discriminator: it estimates the latent vector of a map, also where
//! much of the map is masked.
//!
//! Letters: z = latent vector, x = a real map, G = generator, E = embedder, V = a mask, drawn afresh.
//!
//! | network | minimises besides | source |
//! | --- | --- | --- |
//! | embedder | latent mean (E(V(G(z))) - z)^2 | Murray, Fabbro and Yi, with V = 1 |
//! | embedder | reconstruction d(x, G(E(V(x)))) | Pathak et al. 2016, eq. 1, through latent numbers |
//! | generator | reconstruction d(x, G(E(x))) | Larsen et al. 2016, eq. 8, on pixels |
//!
//! V is `Masking::mask`, and d `Masking::distance`: of maps the mean absolute difference of pixels. In both G is what it is in inference,
//! with running moments, since a map is embedded for the generator that will make it; but for the first `WARM_UP` steps, in which they
//! say nothing yet.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor, nn};

use super::masking::Masking;
use crate::nn::dcgan::{DcganSettings, Generator};
use crate::nn::embedder::{Embedder, EmbedderSize};
use crate::nn::{BatchMoments, Pass};
use crate::rng::Chance;

/// Size of the embedder, and weights of the losses that it brings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EmbedderSettings {
    /// Width of the dense layer between the convolutions and the latent vector, 1 to 65536.
    #[schemars(extend("unit" = "channels"))]
    pub hidden: i64,
    /// Weight of the mean square error of the latent vectors of generated records. At least 0; positive where
    /// `reconstruction` is 0.
    pub latent: f64,
    /// Weight, for embedder and generator, of the reconstruction error of real records: embedded, then generated again.
    /// At least 0; with 0 the embedder sees generated records only, and the generator does not depend on the embedder.
    pub reconstruction: f64,
    /// Weight of the mean square of the outputs of the embedder before they are brought into the range of the latent
    /// vector. Keeps them from the ends of the range, where gradients vanish. At least 0; has no effect where
    /// `reconstruction` is 0.
    pub latent_l2: f64,
    /// Least and greatest standard deviation of the Gaussian noise on the transit depths of masked spectra, positive,
    /// below 1e6; drawn for each spectrum, uniformly in the logarithm. For spectra only.
    #[schemars(extend("unit" = "ppm"))]
    pub noise_ppm: [f64; 2],
    /// Probability that a record is masked before the embedder sees it, 0 to 1. A masked map may lack the pixels inside
    /// or outside of a random window; a masked spectrum lacks the parameters, has noise, and may lack points.
    pub masked_fraction: f64,
}

impl Default for EmbedderSettings {
    fn default() -> Self {
        Self {
            hidden: EmbedderSize::default().hidden,
            latent: 1.0,
            reconstruction: 0.0,
            latent_l2: 1.0,
            noise_ppm: [1.0, 100.0],
            masked_fraction: 0.75,
        }
    }
}

impl EmbedderSettings {
    /// Says what is wrong, if anything: (key, value, what was wanted).
    pub fn fault(&self) -> Option<(&'static str, String, &'static str)> {
        let weight = |value: f64| (0.0..f64::INFINITY).contains(&value);
        let [least, greatest] = self.noise_ppm;
        if !(1..=65_536).contains(&self.hidden) {
            Some(("hidden", self.hidden.to_string(), "1 to 65536"))
        } else if !weight(self.latent) {
            Some(("latent", self.latent.to_string(), "a weight, at least 0"))
        } else if !weight(self.reconstruction) {
            Some(("reconstruction", self.reconstruction.to_string(), "a weight, at least 0"))
        } else if !weight(self.latent_l2) {
            Some(("latent_l2", self.latent_l2.to_string(), "a weight, at least 0"))
        } else if self.latent + self.reconstruction == 0.0 {
            Some(("latent", "0".into(), "a positive weight where `reconstruction` is 0"))
        } else if !(least > 0.0 && least <= greatest && greatest < 1e6) {
            Some(("noise_ppm", format!("[{least}, {greatest}]"), "least and greatest, positive and below 1e6"))
        } else if !(0.0..=1.0).contains(&self.masked_fraction) {
            Some(("masked_fraction", self.masked_fraction.to_string(), "a probability, 0 to 1"))
        } else {
            None
        }
    }
}

/// The network, with what masks maps and compares them.
pub(super) struct Embedding {
    pub settings: EmbedderSettings,
    pub store: nn::VarStore,
    embedder: Embedder,
    masking: Box<dyn Masking>,
}

/// Steps in which reconstruction normalises by the batch.
const WARM_UP: u64 = 500;

impl Embedding {
    pub fn new(
        settings: EmbedderSettings,
        model: &DcganSettings,
        masking: Box<dyn Masking>,
        seed: u64,
        device: Device,
    ) -> Self {
        let store = nn::VarStore::new(device);
        let embedder = Embedder::new(&store.root(), model, &EmbedderSize { hidden: settings.hidden }, seed);
        Self { settings, store, embedder, masking }
    }

    /// What `generator` makes of latent vectors in step number `step`.
    fn make(generator: &Generator, z: &Tensor, step: u64) -> Tensor {
        let moments = BatchMoments::default();
        generator.forward(z, if step < WARM_UP { Pass::Training(&moments) } else { Pass::Inference })
    }

    /// How far latent vectors `z`, `[b, z]`, are from those embedded of the masked maps that `generator` makes of them.
    pub fn latent_error(&self, generator: &Generator, z: &Tensor, step: u64, chance: &mut Chance) -> Tensor {
        let (maps, known) = tch::no_grad(|| self.masking.mask(&Self::make(generator, z, step), chance));
        let found = self.embedder.forward(&maps, &known, Pass::Training(&BatchMoments::default()));
        (found - z).square().mean(Kind::Float)
    }

    /// How far `maps` are from what `generator` makes of them where they are masked, and the mean square of the embedder's outputs.
    pub fn masked_error(&self, generator: &Generator, maps: &Tensor, step: u64, chance: &mut Chance) -> [Tensor; 2] {
        let (masked, known) = tch::no_grad(|| self.masking.mask(maps, chance));
        let numbers = self.embedder.unbounded(&masked, &known, Pass::Training(&BatchMoments::default()));
        let made = Self::make(generator, &self.embedder.in_range(&numbers), step);
        [self.masking.distance(maps, &made), numbers.square().mean(Kind::Float)]
    }

    /// How far `maps` are from what `generator` makes of their latent vectors, which are constants here.
    pub fn reconstruction_error(&self, generator: &Generator, maps: &Tensor, step: u64) -> Tensor {
        let z = tch::no_grad(|| self.embedder.forward(maps, &maps.ones_like(), Pass::Inference));
        self.masking.distance(maps, &Self::make(generator, &z, step))
    }
}
