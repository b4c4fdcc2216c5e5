//! CosmoGAN (Mustafa et al. 2019): a generator of convergence maps against a discriminator.

pub mod evaluate;
mod model;
pub mod report;
pub mod validation;

use tch::Tensor;

use self::model::TrainedMapsGan;
use self::validation::{MapsValidator, SCORES};
use super::{
    AssessError, Build, Evaluators, Family, Mismatch, OfKind, Opening, RunFolder, SettingFault, Validation, shared,
};
use crate::checkpoint::CheckpointError;
use crate::comm::Disagreement;
use crate::data::{DataError, Encoding, Kind, Label, Manifest, Modality, Transform, modality};
use crate::infer::TrainedModel;
use crate::nn::dcgan::Norm;
use crate::objective::Objective;
use crate::objective::embedder::EmbedderSettings;
use crate::objective::gan::{GanSection, section::gan_section};
use crate::objective::masking::{Masking, PixelMasking};
use crate::report::FamilyReport;
use crate::rng::Chance;
use crate::train::{Score, Validator};

gan_section! {
    /// A generator and a discriminator of maps.
    pub struct Settings {}
}

impl OfKind for Settings {
    const NETWORKS: &'static [&'static str] = &GanSection::NETWORKS;
    const SCORES: &'static [Score] = &SCORES;
    const EVALUATORS: Evaluators = evaluate::EVALUATORS;

    fn takes(modalities: &[Modality]) -> bool {
        modality::only(modalities, Kind::Map).is_ok()
    }

    fn report(run: &RunFolder) -> Result<FamilyReport, AssessError> {
        report::report(run)
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
        if let Some(fault) = self.gan().fault() {
            return Err(fault.into());
        }
        if self.norm == Norm::None { Ok(()) } else { shared::check_batch_norm(global, microbatch) }
    }

    fn advice(&self, microbatch: usize) -> Option<String> {
        if self.norm == Norm::Batch { shared::batch_norm_advice(microbatch) } else { None }
    }

    fn encodings(
        &self,
        modalities: &[Modality],
        labels: &[Label],
        transform: Option<Transform>,
    ) -> Result<Vec<Encoding>, Mismatch> {
        shared::map_encodings(modalities, labels, transform, self.side)
    }

    fn check_records(&self, manifest: &Manifest, learned: &[Modality], _: &[Encoding]) -> Result<(), String> {
        shared::check_maps(manifest, &learned[0])
    }

    fn build(&self, build: Build) -> Box<dyn Objective> {
        let masking =
            |settings: &EmbedderSettings| Box::new(PixelMasking::new(settings.masked_fraction)) as Box<dyn Masking>;
        Box::new(self.gan().build(build.precision, masking, build.seed, build.device))
    }

    fn validator(&self, validation: Validation) -> Result<Option<Box<dyn Validator>>, Disagreement<DataError>> {
        let Validation { comm, dataset, records, encodings, draw, .. } = validation;
        let Encoding::Transform(transform) = &encodings[0] else { unreachable!("maps are encoded by a transform") };
        Ok(Some(Box::new(MapsValidator::new(comm, dataset, records, *transform, draw)?)))
    }

    fn open(&self, opening: Opening) -> Result<Box<dyn TrainedModel>, CheckpointError> {
        let networks = shared::open_gan(&self.gan(), opening, None)?; // maps are compared pixel by pixel
        Ok(Box::new(TrainedMapsGan { networks, encoding: opening.encodings[0].clone() }))
    }

    fn benchmark_encodings(&self, transform: Option<Transform>) -> Result<Vec<Encoding>, SettingFault> {
        Ok(vec![Encoding::Transform(transform.unwrap_or_default())])
    }

    fn benchmark_records(&self, _: &[Encoding], count: usize, mut chance: Chance) -> Vec<Tensor> {
        let pixels = chance.normals(count * (self.side * self.side) as usize);
        vec![Tensor::from_slice(&pixels).view([count as i64, 1, self.side, self.side]).tanh()]
    }
}
