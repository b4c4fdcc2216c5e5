//! The game that a configuration describes.

use tch::Device;

use crate::config::RunConfig;
use crate::data::Encoding;
use crate::family::spectra_gan::{Aspa, SpectrumMasking};
use crate::objective::gan::Gan;
use crate::objective::masking::{Masking, PixelMasking};

/// New networks on `device`, for records that `encoding` brings into their range.
pub fn game(config: &RunConfig, encoding: &Encoding, device: Device) -> Gan {
    let seed = config.sections().seed;
    let model = &config.dcgan();
    let gan = Gan::new(model, config.gan(), seed, device);
    match config.embedder() {
        Some(embedder) => {
            let masking: Box<dyn Masking> = match encoding.codec::<Aspa>() {
                Some(aspa) => Box::new(SpectrumMasking::new(&aspa, embedder, device)),
                None => Box::new(PixelMasking::new(embedder)),
            };
            gan.with_embedder(model, embedder.clone(), masking, seed)
        }
        None => gan,
    }
}
