//! A trained run as commands find it: which checkpoint, which weights, and what the networks learned from.

use std::path::Path;

use tch::Device;

use super::CommandError;
use super::session::Session;
use crate::checkpoint::{self, Checkpoint, CheckpointError};
use crate::config::RunDescription;
use crate::data::{Dataset, Encoding, Label, Modality};
use crate::family::{FamilySettings, Mismatch, Opening, SettingFault};
use crate::files;
use crate::infer::TrainedModel;
use crate::nn::Precision;

/// Which checkpoint of a run, and which weights of it.
#[derive(Clone, Debug)]
pub struct Which {
    /// Its name, or `best`; the newest whole one where it is not given.
    pub checkpoint: Option<String>,
    /// Which of the networks' weights.
    pub weights: Weights,
}

/// Which of the networks' weights are put to work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
        let has_average = session.agree(has_average(&checkpoint, &facts))?;
        if which.weights == Weights::Ema && !has_average {
            let run = run.display();
            return Err(CommandError::Usage(format!(
                "--weights is ema, but {run} kept no average, expected auto or live"
            )));
        }
        Ok(Self { checkpoint, facts, averaged: has_average && which.weights != Weights::Live })
    }

    /// Its model on `device`, for fits in `precision`.
    pub fn model(&self, device: Device, precision: Precision) -> Result<Box<dyn TrainedModel>, CheckpointError> {
        let Self { checkpoint, facts, averaged } = self;
        let encodings = &facts.encodings;
        facts.family.open(Opening { checkpoint, averaged: *averaged, precision, device, encodings })
    }

    /// The dataset in `folder`, if its records are such as the networks learned from.
    pub fn dataset(&self, folder: &Path) -> Result<Dataset, CommandError> {
        let dataset = Dataset::open(folder)?;
        let Facts { family, modality, encodings, .. } = &self.facts;
        match family.check_records(dataset.manifest(), std::slice::from_ref(modality), encodings) {
            Ok(()) => Ok(dataset),
            Err(fault) => Err(CommandError::Wrong { path: folder.to_owned(), fault }),
        }
    }

    /// That `run` cannot do what a command asks of it: `wanted` says what can.
    pub fn cannot(&self, run: &Path, what: &str, wanted: &str) -> CommandError {
        let kind = self.facts.family.kind();
        CommandError::Wrong {
            path: run.to_owned(),
            fault: format!("is of kind \"{kind}\", which {what}, expected {wanted}"),
        }
    }
}

/// Whether any network has averaged weights.
fn has_average(checkpoint: &Checkpoint, facts: &Facts) -> Result<bool, CheckpointError> {
    for network in facts.family.networks() {
        if checkpoint.has_average(network)? {
            return Ok(true);
        }
    }
    Ok(false)
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
        return checkpoint::best(&folder)?
            .ok_or_else(|| CommandError::Wrong { path: run.to_owned(), fault: no_best(&folder) });
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

/// Why none of the checkpoints in `folder` is the best.
fn no_best(folder: &Path) -> String {
    let known = checkpoint::all(folder).into_iter().flatten();
    let whole: Vec<Checkpoint> = known.filter_map(|(_, opened)| opened.ok()).collect();
    match (whole.iter().find_map(|checkpoint| checkpoint.state.best.as_ref()), whole.len()) {
        (_, 0) => "has no whole checkpoint, expected the folder of a run that was trained".into(),
        (None, _) => "has no checkpoint with a measured score, expected a run with validation.every".into(),
        (Some(best), count) => format!(
            "none of its checkpoints ({count}) has a finite score `{}`, expected one, or --checkpoint NAME",
            best.score
        ),
    }
}

/// What a checkpoint says of its networks and of the data that they learned from.
pub struct Facts {
    /// The family, with its settings.
    pub family: FamilySettings,
    /// Of a dataset of samples.
    pub modality: Modality,
    /// Of a dataset of samples.
    pub labels: Vec<Label>,
    /// One a modality.
    pub encodings: Vec<Encoding>,
    /// Threads of a rank of the run.
    pub threads: usize,
}

impl Facts {
    fn of(checkpoint: &Checkpoint) -> Result<Self, CommandError> {
        let wrong = |fault: String| CommandError::Wrong { path: checkpoint.folder().join("state.toml"), fault };
        let RunDescription { family, dataset, trainer, .. } =
            RunDescription::from_state(&checkpoint.state.run).map_err(wrong)?;
        let encodings = family.encodings(&dataset.modalities, &dataset.labels, None).map_err(|mismatch| {
            wrong(match mismatch {
                Mismatch::Setting(SettingFault { key, value, wanted }) => {
                    format!("`run.{key}` is {value}, expected {wanted}")
                }
                Mismatch::Data(fault) => format!("`run.dataset` {fault}"),
            })
        })?;
        let [modality] = <[Modality; 1]>::try_from(dataset.modalities)
            .map_err(|all| wrong(format!("`run.dataset.modalities` has {}, expected 1", all.len())))?;
        Ok(Self { family, modality, labels: dataset.labels, encodings, threads: trainer.threads_per_rank })
    }

    /// Whether there is a network that estimates latent vectors.
    pub fn has_embedder(&self) -> bool {
        self.family.networks().contains(&"embedder")
    }

    /// How the only modality comes to the networks.
    pub fn encoding(&self) -> &Encoding {
        &self.encodings[0]
    }
}
