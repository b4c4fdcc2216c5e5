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
    let place = Place::take(session, &plan)?;
    let objective = objective(&plan.config, &plan.encodings, place.device);
    let validator = || plan.validator(session.comm(), &place.staged.dataset, place.device);
    let training = place.training(session.comm(), &plan, &validator);
    let started = Run::start(&training, objective.as_ref(), |network| plan.config.adam(network));
    let mut run = started.inspect_err(|error| place.give_up(&plan.folder, error))?;
    let (step, steps) = (run.step(), plan.schedule.steps);
    if step >= steps {
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
