//! A third player beside a generator and a discriminator: the embedder, who learns the way back from a map to the latent numbers
//! that make it, also where much of the map is veiled.
//!
//! Letters: z = latent numbers, x = a real map, G = generator, E = embedder, V = a veil, drawn afresh.
//!
//! | who | minimises besides | source |
//! | --- | --- | --- |
//! | embedder | latent mean (E(V(G(z))) - z)^2 | Murray, Fabbro and Yi, with V = 1 |
//! | embedder | reconstruction d(x, G(E(V(x)))) | Pathak et al. 2016, eq. 1, through latent numbers |
//! | generator | reconstruction d(x, G(E(x))) | Larsen et al. 2016, eq. 8, on pixels |
//!
//! d is the mean absolute difference of pixels, and of spectra also a mean of log(1 + |difference of depths| / 50 ppm), which asks little
//! as long as pixels are far apart, and much in the end. In both G is what it is in inference, with running moments, since a map is
//! embedded for the generator that will make it; but for the first `WARM_UP` steps, in which they say nothing yet.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor, nn};

use crate::data::Encoding;
use crate::data::aspa::{AspaTensors, Observed};
use crate::data::atmosphere::QUANTITIES;
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

/// The player, with what it needs to veil maps and to compare them.
pub(super) struct Embedding {
    pub settings: EmbedderSettings,
    pub store: nn::VarStore,
    embedder: Embedder,
    /// For spectra.
    codec: Option<AspaTensors>,
}

/// Steps in which reconstruction normalises by the batch.
const WARM_UP: u64 = 500;

/// What the depths of a spectrum weigh beside its pixels.
const DEPTHS: f64 = 0.002;

/// The difference of depths from which on it is its logarithm that counts.
const NEAR: f64 = 50e-6;

/// Part of the spectrum or map that a window spans at least.
const LEAST_WINDOW: f64 = 1.0 / 16.0;

impl Embedding {
    pub fn new(
        settings: EmbedderSettings,
        model: &DcganSettings,
        encoding: &Encoding,
        seed: u64,
        device: Device,
    ) -> Self {
        let store = nn::VarStore::new(device);
        let embedder = Embedder::new(&store.root(), model, &EmbedderSize { hidden: settings.hidden }, seed);
        Self { settings, store, embedder, codec: encoding.codec(device) }
    }

    /// What `generator` makes of latent numbers in step number `step`.
    fn make(generator: &Generator, z: &Tensor, step: u64) -> Tensor {
        let moments = BatchMoments::default();
        generator.forward(z, if step < WARM_UP { Pass::Training(&moments) } else { Pass::Inference })
    }

    /// How far latent numbers `z`, `[b, z]`, are from those embedded of the veiled maps that `generator` makes of them.
    pub fn latent_error(&self, generator: &Generator, z: &Tensor, step: u64, chance: &mut Chance) -> Tensor {
        let (maps, known) = tch::no_grad(|| self.veil(&Self::make(generator, z, step), chance));
        let found = self.embedder.forward(&maps, &known, Pass::Training(&BatchMoments::default()));
        (found - z).square().mean(Kind::Float)
    }

    /// How far `maps` are from what `generator` makes of them where they are veiled, and the mean square that is restrained.
    pub fn veiled_error(&self, generator: &Generator, maps: &Tensor, step: u64, chance: &mut Chance) -> [Tensor; 2] {
        let (veiled, known) = tch::no_grad(|| self.veil(maps, chance));
        let numbers = self.embedder.unbounded(&veiled, &known, Pass::Training(&BatchMoments::default()));
        let made = Self::make(generator, &self.embedder.in_range(&numbers), step);
        [self.distance(maps, &made), numbers.square().mean(Kind::Float)]
    }

    /// How far `maps` are from what `generator` makes of their latent numbers, which are taken as they are.
    pub fn reconstruction_error(&self, generator: &Generator, maps: &Tensor, step: u64) -> Tensor {
        let z = tch::no_grad(|| self.embedder.forward(maps, &maps.ones_like(), Pass::Inference));
        self.distance(maps, &Self::make(generator, &z, step))
    }

    fn distance(&self, maps: &Tensor, made: &Tensor) -> Tensor {
        let pixels = (maps - made).abs().mean(Kind::Float);
        let Some(codec) = &self.codec else { return pixels };
        let depths = (codec.depths(maps) - codec.depths(made)).abs();
        pixels + (depths / NEAR).log1p().mean(Kind::Float) * DEPTHS
    }

    /// The maps as they may be given: some as they are, of others a part. Spectra come without parameters then, and with noise.
    fn veil(&self, maps: &Tensor, chance: &mut Chance) -> (Tensor, Tensor) {
        match &self.codec {
            Some(codec) => self.veil_spectra(codec, maps, chance),
            None => self.veil_pixels(maps, chance),
        }
    }

    fn veil_spectra(&self, codec: &AspaTensors, images: &Tensor, chance: &mut Chance) -> (Tensor, Tensor) {
        let (count, points, device) = (images.size()[0], codec.points(), images.device());
        let mut observed = Vec::with_capacity((count * points) as usize);
        let mut known_parameters = Vec::new();
        let mut noise = Vec::with_capacity((count * points) as usize);
        for _ in 0..count {
            let deviation = self.noise(chance) as f32;
            noise.extend(chance.normals(points as usize).iter().map(|value| value * deviation));
            let veiled = chance.uniform() < self.settings.masked_fraction;
            let window = Window::draw(chance);
            observed.extend(
                (0..points as usize).map(|point| !veiled || window.shows(point, points as usize)).map(as_number),
            );
            known_parameters.extend([as_number(!veiled); QUANTITIES.len()]);
        }
        let bring = |values: &[f32]| Tensor::from_slice(values).to_device(device).view([count, -1]);
        let (observed, known_parameters) = (bring(&observed), bring(&known_parameters));
        let veiled = 1.0 - known_parameters.narrow(1, 0, 1); // [b, 1]
        codec.encode(&Observed {
            depths: &(codec.depths(images) + bring(&noise) * veiled),
            observed: &observed,
            parameters: &codec.parameter_pixels(images),
            known_parameters: &known_parameters,
        })
    }

    /// Standard deviation of the noise on a spectrum.
    fn noise(&self, chance: &mut Chance) -> f64 {
        let [least, greatest] = self.settings.noise_ppm;
        1e-6 * least * (greatest / least).powf(chance.uniform())
    }

    fn veil_pixels(&self, maps: &Tensor, chance: &mut Chance) -> (Tensor, Tensor) {
        let (count, rows, columns) =
            maps.size4().map(|(b, _, h, w)| (b, h as usize, w as usize)).expect("maps are [b, c, h, w]");
        let mut known = Vec::with_capacity(count as usize * rows * columns);
        for _ in 0..count {
            let veiled = chance.uniform() < self.settings.masked_fraction;
            let (down, across) = (Window::draw(chance), Window::draw(chance));
            for row in 0..rows {
                let shows = |column| down.shows(row, rows) || across.shows(column, columns);
                known.extend((0..columns).map(|column| as_number(!veiled || shows(column))));
            }
        }
        let known = Tensor::from_slice(&known).to_device(maps.device()).view([count, 1, rows as i64, columns as i64]);
        (maps * &known, known)
    }
}

/// Neighbours that are seen, or not seen; or everything.
struct Window {
    from: f64,
    to: f64,
    inside: bool,
    everything: bool,
}

impl Window {
    fn draw(chance: &mut Chance) -> Self {
        let everything = chance.uniform() < 0.5;
        let inside = chance.uniform() < 0.5;
        let span = LEAST_WINDOW + (1.0 - LEAST_WINDOW) * chance.uniform();
        let from = (1.0 - span) * chance.uniform();
        Self { from, to: from + span, inside, everything }
    }

    /// Whether place `place` of `count` is seen.
    fn shows(&self, place: usize, count: usize) -> bool {
        let part = (place as f64 + 0.5) / count as f64;
        self.everything || (self.from..self.to).contains(&part) == self.inside
    }
}

fn as_number(flag: bool) -> f32 {
    f32::from(u8::from(flag))
}
