//! ExoGAN (Zingales and Waldmann 2018): a generator of transmission spectra of exoplanets, and of the parameters of their
//! atmospheres, against a discriminator; and retrievals with it.
//!
//! A record is one image of spectrum and parameters ([`aspa`]); what of it is known is a [`mask`] or, in the training of an
//! embedder, drawn ([`masking`]); a latent vector is fitted to a spectrum ([`fit`]), and fits become posteriors of the
//! parameters ([`retrieval`]).

pub mod aspa;
pub mod evaluate;
pub mod fit;
pub mod inpaint;
pub mod mask;
pub mod masking;
mod model;
pub mod observation;
pub mod offsets;
pub mod report;
pub mod retrieval;

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tch::Tensor;

pub use aspa::{Aspa, AspaSettings, AspaTensors};
pub use fit::Spectrum;
pub use mask::{AxisMask, SpectrumMask};
pub use masking::SpectrumMasking;
pub use offsets::{InstrumentOffsets, OffsetError};

use self::model::TrainedSpectraGan;
use super::{AssessError, Build, Evaluators, Family, Mismatch, OfKind, Opening, RunFolder, SettingFault, shared};
use crate::atmosphere::named_grid;
use crate::checkpoint::CheckpointError;
use crate::data::{Encoding, Kind, Label, Manifest, Modality, Transform, modality};
use crate::infer::TrainedModel;
use crate::nn::dcgan::{Norm, Output};
use crate::objective::Objective;
use crate::objective::embedder::EmbedderSettings;
use crate::objective::gan::{GanSection, section::gan_section};
use crate::objective::masking::Masking;
use crate::report::FamilyReport;
use crate::rng::Chance;
use crate::train::Score;

/// Wavelengths of the spectra of benchmarks: those of ExoGAN's training set.
const BENCHMARK_GRID: &str = "exogan";

/// Encoding of spectra as images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum CodecSection {
    /// The array of spectrum and parameters of ExoGAN (Zingales and Waldmann 2018): sections of the spectrum, each
    /// normalised by its own least and greatest depth, beside stripes that hold these and the parameters of the
    /// atmosphere.
    Aspa(AspaSettings),
}

impl Default for CodecSection {
    fn default() -> Self {
        Self::Aspa(AspaSettings::default())
    }
}

gan_section! {
    /// A generator and a discriminator of encoded spectra.
    pub struct Settings {
        /// Encoding of spectra as images, for `spectra_gan` only.
        #[serde(default)]
        #[schemars(extend("unset" = "`kind = \"aspa\"` with its defaults"))]
        pub codec: CodecSection,
    }
}

impl Settings {
    /// The codec for these wavelengths; the error says what is wrong.
    fn codec(&self, wavelength_um: &[f64]) -> Result<Encoding, String> {
        let CodecSection::Aspa(settings) = &self.codec;
        let aspa = Aspa::new(settings.clone(), wavelength_um)?;
        Ok(Encoding::Codec(Arc::new(aspa)))
    }
}

/// The codec of the only modality.
fn aspa_of(encodings: &[Encoding]) -> Arc<Aspa> {
    encodings[0].codec().expect("spectra are encoded by this codec")
}

impl OfKind for Settings {
    const NETWORKS: &'static [&'static str] = &GanSection::NETWORKS;
    const SCORES: &'static [Score] = &[];
    const EVALUATORS: Evaluators = evaluate::EVALUATORS;

    fn takes(modalities: &[Modality]) -> bool {
        modality::only(modalities, Kind::Spectrum).is_ok()
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
        let CodecSection::Aspa(aspa) = &self.codec;
        if let Some((key, have, wanted)) = aspa.fault() {
            return Err(SettingFault::new(format!("family.codec.{key}"), &have, wanted));
        }
        if self.side != aspa.side as i64 {
            let wanted = format!("`family.codec.side`: {}", aspa.side);
            return Err(SettingFault::new("family.side", &self.side, wanted));
        }
        if self.output != Output::Sigmoid {
            let wanted = "\"sigmoid\", since the pixels of a codec are in [0, 1]";
            return Err(SettingFault::new("family.output", &"tanh", wanted));
        }
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
        let spectra = modality::only(modalities, Kind::Spectrum).map_err(Mismatch::Data)?;
        if transform.is_some() {
            let wanted = "not set, since the dataset holds spectra";
            return Err(SettingFault::new("data.transform", &"set", wanted).into());
        }
        let axis = spectra.spectral_axis().expect("spectra have an axis");
        let wanted = |fault| format!("a codec for the wavelengths of the data: {fault}");
        let wrong = |fault| SettingFault::new("family.codec", &"set", wanted(fault));
        let encoding = self.codec(&axis.wavelength_um).map_err(wrong)?;
        encoding.check(spectra, labels).map_err(Mismatch::Data)?;
        shared::check_side(&encoding, &spectra.shape, self.side)?;
        Ok(vec![encoding])
    }

    fn check_records(&self, manifest: &Manifest, _: &[Modality], encodings: &[Encoding]) -> Result<(), String> {
        observation::check(manifest, &aspa_of(encodings))
    }

    fn build(&self, build: Build) -> Box<dyn Objective> {
        let aspa = aspa_of(build.encodings);
        let masking = |settings: &EmbedderSettings| {
            Box::new(SpectrumMasking::new(&aspa, settings, build.device)) as Box<dyn Masking>
        };
        Box::new(self.gan().build(build.precision, masking, build.seed, build.device))
    }

    fn open(&self, opening: Opening) -> Result<Box<dyn TrainedModel>, CheckpointError> {
        let aspa = aspa_of(opening.encodings);
        let depths = AspaTensors::new(&aspa, opening.device);
        let networks = shared::open_gan(&self.gan(), opening, Some(Box::new(depths)))?;
        Ok(Box::new(TrainedSpectraGan { networks, aspa }))
    }

    fn benchmark_encodings(&self, _: Option<Transform>) -> Result<Vec<Encoding>, SettingFault> {
        let grid = named_grid(BENCHMARK_GRID).expect("the grid is built in");
        let wanted = |fault| format!("a codec for the grid {BENCHMARK_GRID}: {fault}");
        let encoding = self.codec(&grid).map_err(|fault| SettingFault::new("family.codec", &"set", wanted(fault)))?;
        Ok(vec![encoding])
    }

    fn benchmark_records(&self, encodings: &[Encoding], count: usize, mut chance: Chance) -> Vec<Tensor> {
        let aspa = aspa_of(encodings);
        let pixels = aspa.side().pow(2);
        let mut images = vec![0.0; count * pixels];
        let (least, greatest) = (aspa.settings().depth_min, aspa.settings().depth_max);
        for image in images.chunks_exact_mut(pixels) {
            let depths: Vec<f32> =
                (0..aspa.points()).map(|_| (least + (greatest - least) * chance.uniform()) as f32).collect();
            let parameters = aspa.settings().full_scale.all().map(|scale| (scale * chance.uniform()) as f32);
            aspa.encode(&depths, &parameters, image).expect("depths and parameters lie in the range of the codec");
        }
        let side = aspa.side() as i64;
        vec![Tensor::from_slice(&images).view([count as i64, 1, side, side])]
    }
}
