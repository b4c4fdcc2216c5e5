//! A trained run as verbs find it: which checkpoint, which weights, and what the networks learned from.

use std::path::Path;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use tch::Device;

use super::CommandError;
use super::session::Session;
use crate::checkpoint::{self, Checkpoint, CheckpointError};
use crate::config::{CodecSection, RunDescription};
use crate::data::{Encoding, Label, Modality};
use crate::family::spectra_gan::{Aspa, AspaTensors};
use crate::files;
use crate::infer::Networks;
use crate::infer::networks::Measurement;
use crate::nn::Precision;
use crate::nn::dcgan::DcganSettings;
use crate::nn::embedder::EmbedderSize;

/// Which weights of a run.
#[derive(Debug, Args)]
pub struct Which {
    /// Which checkpoint, as in step-0001000, or best: that of the best measured score; the newest whole one where it
    /// is not given
    #[arg(long)]
    pub checkpoint: Option<String>,
    /// Which of the networks' weights
    #[arg(long, value_enum, default_value_t = Weights::Auto)]
    pub weights: Weights,
}

/// Which of the networks' weights are put to work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Weights {
    /// Averaged ones where the run kept them.
    Auto,
    /// Averaged over the steps.
    Ema,
    /// As they were at the step.
    Live,
}

/// A checkpoint, chosen.
pub struct Trained {
    /// The same on all ranks.
    pub checkpoint: Checkpoint,
    /// What it says of itself.
    pub facts: Facts,
    /// Whether averaged weights are taken.
    pub averaged: bool,
}

impl Trained {
    /// That of `run` which `which` asks for.
    pub fn open(session: &Session, run: &Path, which: &Which) -> Result<Self, CommandError> {
        let checkpoint = choose(session, run, which)?;
        let facts = session.agree(Facts::of(&checkpoint))?;
        let has_average = session.agree(checkpoint.has_average("generator"))?;
        if which.weights == Weights::Ema && !has_average {
            let run = run.display();
            return Err(CommandError::Usage(format!(
                "--weights is ema, but {run} kept no average, expected auto or live"
            )));
        }
        Ok(Self { checkpoint, facts, averaged: has_average && which.weights != Weights::Live })
    }

    /// Its networks on `device`, for fits in `precision`.
    pub fn networks(&self, device: Device, precision: Precision) -> Result<Networks, CheckpointError> {
        let Facts { model, embedder, encoding, .. } = &self.facts;
        let aspa = encoding.codec::<Aspa>();
        let measurement = aspa.map(|aspa| Box::new(AspaTensors::new(&aspa, device)) as Box<dyn Measurement>);
        Networks::open(&self.checkpoint, self.averaged, model, embedder.as_ref(), measurement, device, precision)
    }
}

/// The checkpoint that is asked for, or the newest whole one: rank 0 chooses, since training may add one meanwhile.
fn choose(session: &Session, run: &Path, which: &Which) -> Result<Checkpoint, CommandError> {
    let chosen = if session.rank() == 0 { open_checkpoint(run, which).map(Some) } else { Ok(None) };
    let chosen = session.agree(chosen)?;
    let folder = chosen.as_ref().map_or(Vec::new(), |chosen| chosen.folder().as_os_str().as_encoded_bytes().to_vec());
    let folder = session.comm().broadcast(&folder);
    let mine = chosen.map_or_else(|| Checkpoint::open(Path::new(&*String::from_utf8_lossy(&folder))), Ok);
    session.agree(mine)
}

fn open_checkpoint(run: &Path, which: &Which) -> Result<Checkpoint, CommandError> {
    files::expect_folder(run, "the folder of a run").map_err(CommandError::io(run))?;
    let folder = run.join("checkpoints");
    let none = || CommandError::Wrong {
        path: run.to_owned(),
        fault: "has no whole checkpoint, expected the folder of a run that was trained".into(),
    };
    let Some(name) = &which.checkpoint else {
        let (found, damaged) = checkpoint::newest(&folder)?;
        for (_, fault) in &damaged {
            log::warn!("{fault}: not used");
        }
        return found.ok_or_else(none);
    };
    if name == "best" {
        return checkpoint::best(&folder)?.ok_or_else(|| CommandError::Wrong {
            path: run.to_owned(),
            fault: "has no checkpoint with a measured score, expected a run with validation.every".into(),
        });
    }
    let mut known = Vec::new();
    for (folder, opened) in checkpoint::all(&folder)? {
        let have = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if have == *name {
            return Ok(opened?);
        }
        known.push(have);
    }
    match (known.first(), known.last()) {
        (Some(newest), Some(oldest)) => Err(CommandError::Usage(format!(
            "{} has no checkpoint `{name}`, expected best or one of its {}, from {oldest} to {newest}",
            run.display(),
            known.len()
        ))),
        _ => Err(none()),
    }
}

/// What a checkpoint says of the data its networks learned from.
pub struct Facts {
    pub model: DcganSettings,
    /// Of an embedder, where one was trained.
    pub embedder: Option<EmbedderSize>,
    /// Of a dataset of samples.
    pub modality: Modality,
    /// Of a dataset of samples.
    pub labels: Vec<Label>,
    pub encoding: Encoding,
    pub threads: usize,
}

impl Facts {
    fn of(checkpoint: &Checkpoint) -> Result<Self, CommandError> {
        let wrong = |fault: String| CommandError::Wrong { path: checkpoint.folder().join("state.toml"), fault };
        let RunDescription { family, dataset, trainer, .. } =
            RunDescription::from_state(&checkpoint.state.run).map_err(wrong)?;
        let [modality] = <[Modality; 1]>::try_from(dataset.modalities)
            .map_err(|all| wrong(format!("`run.dataset.modalities` has {}, expected 1", all.len())))?;
        let encoding = match (family.codec(), modality.spectral_axis()) {
            (Some(CodecSection::Aspa(settings)), Some(axis)) => {
                let aspa = Aspa::new(settings.clone(), &axis.wavelength_um);
                Encoding::Codec(Arc::new(aspa.map_err(|fault| wrong(format!("`run.family.codec`: {fault}")))?))
            }
            (None, None) => Encoding::Transform(modality.transform),
            _ => {
                return Err(wrong(
                    "`run.family.codec` does not fit the data, expected a codec for spectra and none for maps".into(),
                ));
            }
        };
        Ok(Self {
            model: family.dcgan(),
            embedder: family.gan().embedder.as_ref().map(|embedder| EmbedderSize { hidden: embedder.hidden }),
            modality,
            labels: dataset.labels,
            encoding,
            threads: trainer.threads_per_rank,
        })
    }
}
