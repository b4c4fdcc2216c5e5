//! `skyforge train`: from a configuration and a dataset to checkpoints.
//!
//! request -> plan (checked: configuration, dataset, schedule) -> place (threads, device, lock, copy of the dataset) -> loop

mod place;
mod plan;

use std::path::PathBuf;
use std::time::Duration;

use super::objective::objective;
use super::session::Session;
use super::staging::Scratch;
use super::{CommandError, logging, provenance};
use crate::comm::{Terms, alarm};
use crate::data::Sameness;
use crate::exit::Exit;
use crate::files;
use crate::train::{Drill, Outcome, Run, Status};
use place::Place;
use plan::Plan;

pub use plan::{check_ahead, schedule, suited};

/// What to train, and how this start of it differs from others.
#[derive(Clone, Debug)]
pub struct Request {
    pub config: PathBuf,
    pub run: PathBuf,
    /// Wins over `data.path` of the configuration.
    pub data: Option<PathBuf>,
    pub scratch: Scratch,
    pub max_wall_minutes: Option<f64>,
    pub drills: Vec<Drill>,
    /// `KEY=VALUE`, of the configuration.
    pub sets: Vec<String>,
}

/// Minutes of the command line.
pub fn minutes(text: &str) -> Result<f64, String> {
    let legal = |minutes: &f64| *minutes >= 0.0 && *minutes < 1e9;
    text.parse().ok().filter(legal).ok_or_else(|| "expected minutes, as in 55 or 0.5".into())
}

/// Trains on this rank, together with the others.
pub fn run(session: &Session, request: &Request) -> Result<Exit, CommandError> {
    let plan = session.agree(Plan::make(request, session.rank(), session.ranks()))?;
    let seen = if session.rank() == 0 { look_at_records(&plan) } else { Ok(()) };
    session.agree(seen)?;
    let place = Place::take(session, &plan)?;
    let objective = objective(&plan.config, &plan.encodings, place.device);
    let validator = || plan.validator(session.comm(), &place.staged.dataset, place.device);
    let training = place.training(session.comm(), &plan, &validator);
    let started = Run::start(&training, objective.as_ref(), |network| plan.config.adam(network));
    let mut run = started.inspect_err(|error| place.give_up(&plan.folder, error))?;
    let (step, steps) = (run.step(), plan.schedule.steps);
    if step >= steps {
        session.agree(refuse_failed(&plan))?;
        log::info!("nothing to do: {step} of {steps} steps are made");
        return Ok(Exit::Done);
    }
    session.agree(prepare(session, &plan))?;
    if let Some((bytes, seconds)) = place.staged.told {
        run.note([("staged_bytes", bytes as f64), ("staged_seconds", seconds)]);
    }
    run.watch(session.comm().watch(Terms {
        record: plan.folder.join("log").join(format!("communication-rank-{:04}.txt", session.rank())),
        limit: Duration::from_secs_f64(plan.config.sections().trainer.hang_seconds),
        key: "trainer.hang_seconds",
    }));
    announce(session, &plan, &run);
    let outcome = run.train()?;
    let (word, exit) = match outcome.status {
        Status::Done => ("done", Exit::Done),
        _ => ("stopped", Exit::Stopped),
    };
    log::info!(
        "{word} after step {} of {}: {} samples a second, checkpoint {} ({})",
        outcome.step,
        outcome.steps,
        outcome.samples_per_second.round(),
        outcome.checkpoint,
        outcome.checksum
    );
    Ok(exit)
}

/// Warns where records hold little to learn.
///
/// # Errors
/// Where all values of the split are equal.
fn look_at_records(plan: &Plan) -> Result<(), CommandError> {
    let name = &plan.config.sections().data.split;
    let path = plan.dataset.folder();
    // A block that cannot be read is met again by the loader, which knows what `data.damaged` asks for.
    match plan.dataset.sameness(plan.dataset.split(name)?).ok().flatten() {
        None => Ok(()),
        Some(Sameness::Partial(told)) => {
            log::warn!("{}: split `{name}`: {told}", path.display());
            Ok(())
        }
        Some(Sameness::Total(value)) => Err(CommandError::Wrong {
            path: path.to_owned(),
            fault: format!(
                "all values of split `{name}` are {value}, expected values that differ: nothing can be learned"
            ),
        }),
    }
}

/// Says once more why a run that made all its steps is not done: its last validation gave no number.
fn refuse_failed(plan: &Plan) -> Result<(), CommandError> {
    let failed = |known: &Outcome| known.status == Status::Failed && known.exit_code == Some(Exit::Data as u8);
    match Outcome::read(&plan.folder).filter(|known| failed(known) && known.step >= known.steps) {
        Some(known) => Err(CommandError::Wrong { path: plan.folder.clone(), fault: known.reason }),
        None => Ok(()),
    }
}

/// Says in the log what is going to be done, and what works badly.
fn announce(session: &Session, plan: &Plan, run: &Run) {
    let (cut, steps) = (plan.config.cut(), plan.schedule.steps);
    if let Some((name, checksum)) = run.newest() {
        let life = session.allocation().life().map_or_else(String::new, |life| format!(", {life}"));
        log::info!("RESUMED after step {} of {steps} from {name} ({checksum}){life}", run.step());
    }
    log::info!(
        "{} steps of {} records in {} microbatches on {} {}, into {}",
        steps - run.step(),
        cut.global,
        cut.microbatches,
        session.ranks(),
        if session.ranks() == 1 { "rank" } else { "ranks" },
        plan.folder.display()
    );
    if let Some(advice) = plan.config.sections().family.advice(cut.microbatch()) {
        log::warn!("{advice}");
    }
}

/// The run folder, with what the run is and where it came from.
fn prepare(session: &Session, plan: &Plan) -> Result<(), CommandError> {
    let run = &plan.folder;
    files::create_folder(run).map_err(CommandError::io(run))?;
    logging::to_file(run, session.rank()).map_err(CommandError::io(run.join("log")))?;
    let (told, rank) = (run.clone(), session.rank());
    alarm::on_alarm(move |alarm| {
        if rank == alarm.speaker {
            Outcome::fail(&told, alarm.exit, &alarm.cause);
        }
    });
    if session.rank() == 0 {
        let path = run.join("config.toml");
        files::write_whole(&path, plan.config.to_toml().as_bytes()).map_err(CommandError::io(path))?;
        provenance::record_start(run, session.ranks(), &plan.config, &plan.dataset)?;
    }
    Ok(())
}
