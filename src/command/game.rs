//! The game that a configuration describes.

use tch::Device;

use crate::config::RunConfig;
use crate::data::Encoding;
use crate::objective::gan::Gan;

/// New networks on `device`, for records that `encoding` brings into their range.
pub fn game(config: &RunConfig, encoding: &Encoding, device: Device) -> Gan {
    let seed = config.sections().seed;
    let model = &config.dcgan();
    let gan = Gan::new(model, config.gan(), seed, device);
    match config.embedder() {
        Some(embedder) => gan.with_embedder(model, embedder.clone(), encoding, seed),
        None => gan,
    }
}
