//! What a stage's words mean, and what is wrong with them: found out by the code that would refuse them after the queue.

use std::path::{Path, PathBuf};

use clap::{ArgMatches, FromArgMatches};

use crate::app::end::unreadable;
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

/// What verbs read, by the names of their arguments, where it must be there before they begin.
const READS: [(&str, &[&str]); 10] = [
    ("embed", &["run", "dataset"]),
    ("predict", &["run", "dataset"]),
    ("restore", &["run", "dataset"]),
    ("evaluate", &["records", "against"]),
    ("inpaint", &["run", "dataset"]),
    ("report", &["run"]),
    ("retrieve", &["run", "spectra", "calibrate"]),
    ("sample", &["run"]),
    ("merge", &["ledger"]),
    ("retry", &["ledger"]),
];

/// Checks one stage of `job` whose campaign is in `folder`.
pub fn check(job: &Job, stage: &Stage, folder: &Path, line: &clap::Command) -> Result<Found, CommandError> {
    check_words(job, stage, folder, line).map_err(super::at_stage(&stage.name))
}

fn check_words(job: &Job, stage: &Stage, folder: &Path, line: &clap::Command) -> Result<Found, CommandError> {
    let words = stage.words(folder);
    let parsed = line.clone().no_binary_name(true).try_get_matches_from(&words);
    let parsed = parsed.map_err(|error| CommandError::Usage(unreadable(&error, line.clone(), &words)))?;
    let (verb, matches) = parsed.subcommand().expect("a verb is wanted");
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
    expect_inputs(verb, matches, &promised)?;

    if stage.array > 0 {
        let ledger = matches.try_get_one::<PathBuf>("ledger").ok().flatten();
        let Some(ledger) = ledger.filter(|_| verb != "ledger") else {
            return Err(CommandError::Usage(format!(
                "`array` is {}, expected a verb that works on a --ledger",
                stage.array
            )));
        };
        produces(ledger.join(ledger::FILE_NAME))?;
    }
    if ["simulate", "ingest"].contains(&verb) && proof.exists() {
        let folder = proof.parent().unwrap_or(&proof).display();
        let fault = format!("{folder} already holds a dataset, expected none: move it away to have it made anew");
        return Err(CommandError::Usage(fault));
    }
    match verb {
        "train" => {
            let arguments = read::<train::Arguments>(matches);
            produces(arguments.run().join("outcome.toml"))?;
            let (config, data) = arguments.check_ahead(stage.ranks() as usize, promised)?;
            let threads = config.sections().trainer.threads_per_rank as u32;
            Ok(Found { threads: Some(threads), told: vec![doctor::room(arguments.run(), config, data)?] })
        }
        "retrieve" => {
            read::<crate::cli::retrieve::Arguments>(matches).request().check_ahead().map(|()| Found::default())
        }
        "simulate" => read::<simulate::What>(matches).check_ahead(promised).map(|()| Found::default()),
        _ => Ok(Found::default()),
    }
}

/// Arguments that were parsed already.
fn read<T: FromArgMatches>(matches: &ArgMatches) -> T {
    T::from_arg_matches(matches).expect("the same command line was read before")
}

/// Whether everything that a verb reads is there, or will be.
fn expect_inputs(verb: &str, matches: &ArgMatches, promised: &impl Fn(&Path) -> bool) -> Result<(), CommandError> {
    let (verb, matches) = matches.subcommand().filter(|_| verb == "ledger").unwrap_or((verb, matches));
    let names = READS.iter().find(|(reads, _)| *reads == verb).map_or(&[][..], |(_, names)| names);
    for name in names {
        let Some(path) = matches.try_get_one::<PathBuf>(name).ok().flatten() else { continue };
        if !path.exists() && !promised(path) {
            let path = path.display();
            return Err(CommandError::Usage(format!(
                "{path} is not there, and no stage before it makes it: expected a path, or a name in `after`"
            )));
        }
    }
    Ok(())
}
