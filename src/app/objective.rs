//! The objective that a configuration describes.

use tch::Device;

use crate::config::RunConfig;
use crate::data::Encoding;
use crate::family::Build;
use crate::objective::Objective;

/// New networks on `device`, for records that `encodings` bring into their range.
pub fn objective(config: &RunConfig, encodings: &[Encoding], device: Device) -> Box<dyn Objective> {
    let sections = config.sections();
    let (seed, precision) = (sections.seed, sections.trainer.precision);
    sections.family.build(Build { seed, precision, device, encodings })
}
