//! What a timed step trains on: records that the family makes up, in the range of its networks.

use tch::Device;

use crate::app::CommandError;
use crate::config::{ConfigError, RunConfig};
use crate::data::{Batch, Encoding};
use crate::rng::{Draw, Stream};

/// The encodings of the records that `config` trains on.
pub(super) fn encodings(config: &RunConfig) -> Result<Vec<Encoding>, CommandError> {
    let sections = config.sections();
    let encodings = sections.family.benchmark_encodings(sections.data.transform);
    Ok(encodings.map_err(ConfigError::from)?)
}

/// One microbatch of `count` made-up records.
pub(super) fn microbatch(
    config: &RunConfig,
    encodings: &[Encoding],
    count: usize,
    (batch, microbatch): (usize, usize),
    device: Device,
) -> Batch {
    let chance = Draw::new(0).at(Stream::Simulation, batch as u64, microbatch as u32);
    let records = config.sections().family.benchmark_records(encodings, count, chance);
    Batch::of(records.into_iter().map(|values| values.to_device(device)).collect())
}
