//! What a stage's words mean, and what is wrong with them: found out by the code that would refuse them after the queue.

use std::path::{Path, PathBuf};

use super::stage_command::{Ahead, ReadStage};
use crate::app::{CommandError, doctor, simulate, train};
use crate::launch::job::in_folder;
use crate::launch::{Job, Stage};
use crate::ledger;

/// What was found out.
#[derive(Debug, Default)]
pub struct Found {
    /// Threads that a rank runs.
    pub threads: Option<u32>,
    /// What is worth saying.
    pub told: Vec<String>,
}

/// Checks one stage of `job` whose campaign is in `folder`.
pub fn check(job: &Job, stage: &Stage, folder: &Path, read: ReadStage) -> Result<Found, CommandError> {
    check_command(job, stage, folder, read).map_err(super::at_stage(&stage.name))
}

fn check_command(job: &Job, stage: &Stage, folder: &Path, read: ReadStage) -> Result<Found, CommandError> {
    let command = read(&stage.words(folder)).map_err(CommandError::Usage)?;
    let proof = PathBuf::from(in_folder(&stage.produces, folder));
    let produces = |wanted: PathBuf| {
        let fault = format!("`produces` is {}, expected {}", proof.display(), wanted.display());
        if proof == wanted { Ok(()) } else { Err(CommandError::Usage(fault)) }
    };
    // What stages before it leave: the folder of what proves them done, and all in it.
    let before: Vec<PathBuf> = job
        .up_to(&stage.name)
        .iter()
        .filter_map(|name| job.stage(name).filter(|before| before.name != stage.name))
        .map(|before| PathBuf::from(in_folder(&before.produces, folder)))
        .collect();
    let promised =
        |path: &Path| before.iter().any(|proof| proof.parent().is_some_and(|parent| path.starts_with(parent)));
    expect_inputs(&command.inputs, &promised)?;

    if stage.array > 0 {
        let Some(ledger) = &command.ledger else {
            return Err(CommandError::Usage(format!(
                "`array` is {}, expected a command that works on a --ledger",
                stage.array
            )));
        };
        produces(ledger.join(ledger::FILE_NAME))?;
    }
    if ["simulate", "ingest"].contains(&command.name.as_str()) && proof.exists() {
        let folder = proof.parent().unwrap_or(&proof).display();
        let fault = format!("{folder} already holds a dataset, expected none: move it away to have it made anew");
        return Err(CommandError::Usage(fault));
    }
    match command.ahead {
        Ahead::Train(request) => {
            produces(request.run.join("outcome.toml"))?;
            let (config, data) = train::check_ahead(&request, stage.ranks() as usize, promised)?;
            let threads = config.sections().trainer.threads_per_rank as u32;
            Ok(Found { threads: Some(threads), told: vec![doctor::room(&request.run, config, data)?] })
        }
        Ahead::Simulate(sky) => simulate::check_ahead(&sky, promised).map(|()| Found::default()),
        Ahead::Retrieve(request) => request.check_ahead().map(|()| Found::default()),
        Ahead::Nothing => Ok(Found::default()),
    }
}

/// Whether everything that a command reads is there, or will be.
fn expect_inputs(inputs: &[PathBuf], promised: &impl Fn(&Path) -> bool) -> Result<(), CommandError> {
    match inputs.iter().find(|path| !path.exists() && !promised(path)) {
        None => Ok(()),
        Some(path) => Err(CommandError::Usage(format!(
            "{} is not there, and no stage before it makes it: expected a path, or a name in `after`",
            path.display()
        ))),
    }
}
