//! What a timed step trains on: random records, encoded as a training on real ones encodes them.

use std::sync::Arc;

use tch::{Device, Tensor};

use crate::atmosphere::named_grid;
use crate::command::CommandError;
use crate::config::{CodecSection, RunConfig};
use crate::data::Encoding;
use crate::family::spectra_gan::Aspa;
use crate::rng::{Draw, Stream};

/// Wavelengths of the random spectra: those of ExoGAN's training set.
const GRID: &str = "exogan";

/// The encoding of the records that `config` trains on.
pub(super) fn encoding(config: &RunConfig) -> Result<Encoding, CommandError> {
    let sections = config.sections();
    let Some(CodecSection::Aspa(settings)) = sections.family.codec() else {
        return Ok(Encoding::Transform(sections.data.transform.unwrap_or_default()));
    };
    let grid = named_grid(GRID).expect("the grid is built in");
    let aspa = Aspa::new(settings.clone(), &grid);
    let aspa = aspa.map_err(|fault| CommandError::Usage(format!("family.codec: {fault}, on the grid {GRID}")))?;
    Ok(Encoding::Codec(Arc::new(aspa)))
}

/// One microbatch of random records in the range of the networks.
///
/// - returns: `[count, 1, side, side]`
pub(super) fn microbatch(
    encoding: &Encoding,
    [count, side]: [usize; 2],
    (batch, microbatch): (usize, usize),
    device: Device,
) -> Tensor {
    let mut chance = Draw::new(0).at(Stream::Simulation, batch as u64, microbatch as u32);
    let shape = [count as i64, 1, side as i64, side as i64];
    let Some(aspa) = encoding.codec::<Aspa>() else {
        return Tensor::from_slice(&chance.normals(count * side * side)).view(shape).tanh().to_device(device);
    };
    let mut images = vec![0.0; count * side * side];
    let (least, greatest) = (aspa.settings().depth_min, aspa.settings().depth_max);
    for image in images.chunks_exact_mut(side * side) {
        let depths: Vec<f32> =
            (0..aspa.points()).map(|_| (least + (greatest - least) * chance.uniform()) as f32).collect();
        let parameters = aspa.settings().full_scale.all().map(|scale| (scale * chance.uniform()) as f32);
        aspa.encode(&depths, &parameters, image).expect("depths and parameters lie in the range of the codec");
    }
    Tensor::from_slice(&images).view(shape).to_device(device)
}
