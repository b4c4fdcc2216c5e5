//! What several families check and open in the same way.

use super::{Mismatch, Opening, SettingFault};
use crate::checkpoint::CheckpointError;
use crate::data::{Encoding, Kind, Label, Manifest, Modality, Transform, modality};
use crate::infer::Networks;
use crate::infer::networks::Measurement;
use crate::objective::gan::GanSection;

/// Records of a microbatch below which batch norm is warned of.
const FEW: usize = 8;

/// Refuses microbatches of one record, whose variance is zero, where a network has batch norm.
pub(super) fn check_batch_norm(global: usize, microbatch: usize) -> Result<(), SettingFault> {
    if microbatch == 1 {
        let wanted = "2 or more records in each microbatch, for batch norm";
        return Err(SettingFault::new("batch.global", &global, wanted));
    }
    Ok(())
}

/// What batch norm does badly with microbatches of `microbatch` records, in words, if anything.
pub(super) fn batch_norm_advice(microbatch: usize) -> Option<String> {
    (microbatch < FEW)
        .then(|| format!("microbatches of {microbatch} records: moments of batch norm are rough below {FEW}"))
}

/// Refuses records of shape `record` whose images are not `[1, side, side]`.
pub(super) fn check_side(encoding: &Encoding, record: &[usize], side: i64) -> Result<(), Mismatch> {
    let (shape, wanted) = (encoding.shape(record), [1, side as usize, side as usize]);
    if shape == wanted {
        return Ok(());
    }
    Err(Mismatch::Data(format!("records are {shape:?}, expected {wanted:?} for family.side = {side}")))
}

/// The encoding of maps of `side` pixels, the only modality: `transform`, or that of the data where none is set.
pub(super) fn map_encodings(
    modalities: &[Modality],
    labels: &[Label],
    transform: Option<Transform>,
    side: i64,
) -> Result<Vec<Encoding>, Mismatch> {
    let maps = modality::only(modalities, Kind::Map).map_err(Mismatch::Data)?;
    let encoding = Encoding::Transform(transform.unwrap_or(maps.transform));
    encoding.check(maps, labels).map_err(Mismatch::Data)?;
    check_side(&encoding, &maps.shape, side)?;
    Ok(vec![encoding])
}

/// Refuses records that differ in shape or unit from those that the networks learned from, `learned`; the error says what was
/// wanted.
pub(super) fn check_maps(manifest: &Manifest, learned: &Modality) -> Result<(), String> {
    let Modality { shape, unit, .. } = manifest.only(Kind::Map)?;
    if *shape != learned.shape {
        return Err(format!("has maps of shape {shape:?}, expected the run's {:?}", learned.shape));
    }
    if *unit != learned.unit {
        return Err(format!("has maps in `{unit}`, expected the run's `{}`", learned.unit));
    }
    Ok(())
}

/// The networks of a GAN; `measurement` reads measured values out of images, where fits compare those and not pixels.
pub(super) fn open_gan(
    gan: &GanSection,
    opening: Opening,
    measurement: Option<Box<dyn Measurement>>,
) -> Result<Networks, CheckpointError> {
    let Opening { checkpoint, averaged, precision, device, .. } = opening;
    let embedder = gan.embedder_size();
    Networks::open(checkpoint, averaged, &gan.dcgan, embedder.as_ref(), measurement, device, precision)
}
