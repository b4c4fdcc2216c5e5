//! CosmoGAN (Mustafa et al. 2019): a generator of convergence maps against a discriminator.

pub mod validation;

use tch::Tensor;

use self::validation::{MapsValidator, SCORES};
use super::{Build, Family, Mismatch, OfKind, Opening, SettingFault, Validation};
use crate::checkpoint::CheckpointError;
use crate::comm::Disagreement;
use crate::data::{DataError, Encoding, Kind, Label, Modality, Transform, modality};
use crate::infer::{Networks, TrainedModel};
use crate::objective::Objective;
use crate::objective::embedder::EmbedderSettings;
use crate::objective::gan::{GanSection, section::gan_section};
use crate::objective::masking::{Masking, PixelMasking};
use crate::rng::Chance;
use crate::train::{Score, Validator};

gan_section! {
    /// A generator and a discriminator of maps.
    pub struct Settings {}
}

impl OfKind for Settings {
    const NETWORKS: &'static [&'static str] = &GanSection::NETWORKS;
    const SCORES: &'static [Score] = &SCORES;

    fn takes(modalities: &[Modality]) -> bool {
        modality::only(modalities, Kind::Map).is_ok()
    }
}

impl Family for Settings {
    fn networks(&self) -> &'static [&'static str] {
        self.gan().networks()
    }

    fn batches_per_step(&self) -> u32 {
        self.discriminator_updates
    }

    fn check(&self, global: usize, microbatch: usize) -> Result<(), SettingFault> {
        self.gan().fault(global, microbatch).map_or(Ok(()), |fault| Err(fault.into()))
    }

    fn advice(&self, microbatch: usize) -> Option<String> {
        self.gan().advice(microbatch)
    }

    fn encodings(
        &self,
        modalities: &[Modality],
        labels: &[Label],
        transform: Option<Transform>,
    ) -> Result<Vec<Encoding>, Mismatch> {
        let maps = modality::only(modalities, Kind::Map).map_err(Mismatch::Data)?;
        let encoding = Encoding::Transform(transform.unwrap_or(maps.transform));
        encoding.check(maps, labels).map_err(Mismatch::Data)?;
        self.gan().check_shape(&encoding, &maps.shape).map_err(Mismatch::Data)?;
        Ok(vec![encoding])
    }

    fn build(&self, build: Build) -> Box<dyn Objective> {
        let masking = |settings: &EmbedderSettings| Box::new(PixelMasking::new(settings)) as Box<dyn Masking>;
        Box::new(self.gan().build(build.precision, masking, build.seed, build.device))
    }

    fn validator(&self, validation: Validation) -> Result<Option<Box<dyn Validator>>, Disagreement<DataError>> {
        let Validation { comm, dataset, records, encodings, draw, .. } = validation;
        let Encoding::Transform(transform) = &encodings[0] else { unreachable!("maps are encoded by a transform") };
        Ok(Some(Box::new(MapsValidator::new(comm, dataset, records, *transform, draw)?)))
    }

    fn open(&self, opening: Opening) -> Result<Box<dyn TrainedModel>, CheckpointError> {
        let Opening { checkpoint, averaged, precision, device, .. } = opening;
        let (gan, measurement) = (self.gan(), None); // maps are compared pixel by pixel
        let embedder = gan.embedder_size();
        let networks =
            Networks::open(checkpoint, averaged, &gan.dcgan, embedder.as_ref(), measurement, device, precision)?;
        Ok(Box::new(networks))
    }

    fn benchmark_encodings(&self, transform: Option<Transform>) -> Result<Vec<Encoding>, SettingFault> {
        Ok(vec![Encoding::Transform(transform.unwrap_or_default())])
    }

    fn benchmark_records(&self, _: &[Encoding], count: usize, mut chance: Chance) -> Vec<Tensor> {
        let pixels = chance.normals(count * (self.side * self.side) as usize);
        vec![Tensor::from_slice(&pixels).view([count as i64, 1, self.side, self.side]).tanh()]
    }
}
