//! What of spectra an embedder in training may see: they come without parameters, with noise, and some points may be missing.

use tch::{Device, Kind, Tensor};

use super::aspa::{Aspa, AspaTensors, Observed};
use crate::atmosphere::QUANTITIES;
use crate::objective::embedder::EmbedderSettings;
use crate::objective::masking::{Masking, Window};
use crate::rng::Chance;

/// What the depths of a spectrum weigh beside its pixels.
const DEPTHS: f64 = 0.002;

/// The difference of depths from which on it is its logarithm that counts.
const NEAR: f64 = 50e-6;

/// Of images that a codec makes of spectra and parameters.
#[derive(Debug)]
pub struct SpectrumMasking {
    codec: AspaTensors,
    masked_fraction: f64,
    noise_ppm: [f64; 2],
}

impl SpectrumMasking {
    /// As `settings` say, for images of `aspa` on `device`.
    pub fn new(aspa: &Aspa, settings: &EmbedderSettings, device: Device) -> Self {
        let EmbedderSettings { masked_fraction, noise_ppm, .. } = *settings;
        Self { codec: AspaTensors::new(aspa, device), masked_fraction, noise_ppm }
    }

    /// Standard deviation of the noise on a spectrum.
    fn noise(&self, chance: &mut Chance) -> f64 {
        let [least, greatest] = self.noise_ppm;
        1e-6 * least * (greatest / least).powf(chance.uniform())
    }
}

impl Masking for SpectrumMasking {
    fn mask(&self, images: &Tensor, chance: &mut Chance) -> (Tensor, Tensor) {
        let codec = &self.codec;
        let (count, points, device) = (images.size()[0], codec.points(), images.device());
        let mut observed = Vec::with_capacity((count * points) as usize);
        let mut known_parameters = Vec::new();
        let mut noise = Vec::with_capacity((count * points) as usize);
        for _ in 0..count {
            let deviation = self.noise(chance) as f32;
            noise.extend(chance.normals(points as usize).iter().map(|value| value * deviation));
            let veiled = chance.uniform() < self.masked_fraction;
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

    /// The mean absolute difference of pixels, and a mean of log(1 + |difference of depths| / 50 ppm), which asks little as long as pixels
    /// are far apart, and much in the end.
    fn distance(&self, images: &Tensor, made: &Tensor) -> Tensor {
        let pixels = (images - made).abs().mean(Kind::Float);
        let depths = (self.codec.depths(images) - self.codec.depths(made)).abs();
        pixels + (depths / NEAR).log1p().mean(Kind::Float) * DEPTHS
    }
}

fn as_number(flag: bool) -> f32 {
    f32::from(u8::from(flag))
}
