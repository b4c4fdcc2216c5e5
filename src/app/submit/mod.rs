//! `skyforge submit`: a campaign's stages as batch jobs that follow one another.

mod check;
mod stage_command;
mod tell;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

pub use stage_command::{Ahead, StageCommand};

use self::stage_command::ReadStage;
use super::{CommandError, proof};
use crate::exit::Exit;
use crate::files;
use crate::launch::campaign::{Pending, Submitted};
use crate::launch::slurm::{self, Batch, JobId, Queued};
use crate::launch::{Campaign, Job, Kind, LaunchError, Planned, Site, quote, script};
use crate::train::RunLock;

/// A campaign to submit.
#[derive(Clone, Debug)]
pub struct Request {
    pub job: PathBuf,
    /// A site's file, or the name of one that the program has.
    pub site: String,
    pub folder: Option<PathBuf>,
    pub dry_run: bool,
    /// A stage that is done anew with all that need it, or alone.
    pub from: Option<String>,
    pub only: Option<String>,
    pub json: bool,
}

/// Where a stage stands before anything is submitted.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Standing {
    Done,
    /// Jobs of it that are in the queue, and must end before it can be done.
    Queued(Vec<u64>),
    /// To be submitted.
    Wanted,
    /// Neither done nor asked for.
    Left,
}

/// Submits the campaign; `read` reads the words of its stages.
pub fn run(request: &Request, read: ReadStage) -> Result<Exit, CommandError> {
    submit(request, read)?;
    Ok(Exit::Done)
}

fn submit(request: &Request, read: ReadStage) -> Result<(), CommandError> {
    let (job, site) = (Job::load(&request.job)?, site(&request.site)?);
    let here = std::env::current_dir().map_err(CommandError::io("."))?;
    let folder = folder(request, &job, &site, &here)?;
    let known = Campaign::read(&folder)?;
    let has_slurm = slurm::is_here();
    let queue = match &known {
        Some(known) if has_slurm => slurm::queue(&known.clusters())?,
        _ => BTreeMap::new(),
    };
    let standings = standings(request, &job, &folder, known.as_ref(), &queue)?;

    let mut planned = Vec::new();
    let mut told = Vec::new();
    if let Some(known) = known.as_ref().filter(|_| has_slurm) {
        told.extend(settle_pending(known, &folder)?);
    }
    for (stage, standing) in job.stages.iter().zip(&standings) {
        let found = match standing {
            Standing::Wanted => check::check(&job, stage, &folder, read)?,
            Standing::Done | Standing::Queued(_) | Standing::Left => check::Found::default(),
        };
        planned.push(Planned::new(stage, &site, found.threads)?);
        told.extend(found.told.into_iter().map(|what| format!("{}: {what}", stage.name)));
    }

    let lock = RunLock::take(&folder)?;
    let scripts = write_scripts(&planned, &standings, &site, &job.name, &folder, &here)?;
    let limit = if has_slurm { slurm::max_array_size() } else { u32::MAX };
    if has_slurm {
        for (planned, path) in
            planned.iter().zip(&scripts).filter_map(|(planned, path)| Some((planned, path.as_ref()?)))
        {
            let array = array(planned.arrays(limit)[0], 0);
            match (Batch { script: path, link: 1, array, dependency: None }.test()) {
                Err(LaunchError::Silent { said, .. }) if request.dry_run => {
                    told.push(format!("sbatch was not asked: {said}"));
                    break;
                }
                Err(error) => return Err(at_stage(&planned.stage.name)(error.into())),
                Ok(()) => {}
            }
        }
    } else if !request.dry_run {
        let fault = "sbatch is not here: expected SLURM's programs, or --dry-run";
        return Err(CommandError::Usage(fault.into()));
    }
    let mut campaign = Campaign {
        site: request.site.clone(),
        working_directory: here,
        job: job.clone(),
        jobs: known.map_or_else(Vec::new, |known| known.jobs),
        pending: None,
    };
    let given = if request.dry_run {
        BTreeMap::new()
    } else {
        give(&planned, &standings, &scripts, limit, &folder, &mut campaign)?
    };
    drop(lock);
    let free = super::doctor::free_bytes(&folder)?;
    tell::tell(request, &site, &folder, &planned, &standings, &given, free, &told)
}

/// The site, with the program that submits where it names none.
fn site(name: &str) -> Result<Site, CommandError> {
    let mut site = Site::load(name)?;
    if site.program.is_none() {
        let program = std::env::current_exe().map_err(CommandError::io("/proc/self/exe"))?;
        site.program = Some(program.display().to_string());
    }
    Ok(site)
}

/// The campaign's folder, whole.
fn folder(request: &Request, job: &Job, site: &Site, here: &Path) -> Result<PathBuf, CommandError> {
    let place = match (&request.folder, &site.scratch) {
        (Some(folder), _) => folder.clone(),
        (None, None) => Path::new("runs").join(&job.name),
        (None, Some(scratch)) => scratch_of(site, scratch)?.join(&job.name),
    };
    let whole = here.join(place);
    let wrong = |what: &str, path: &Path, wanted: &str| {
        Err(CommandError::Usage(format!(
            "{what} is {:?}, expected a path in UTF-8 {wanted}",
            path.display().to_string()
        )))
    };
    let refused = |path: &Path, why: fn(&str) -> Option<&'static str>| path.to_str().map_or(Some(""), why);
    if let Some(wanted) = refused(&whole, quote::refused_in_pattern) {
        return wrong("--folder", &whole, wanted);
    }
    if let Some(wanted) = refused(here, quote::refused_folder) {
        return wrong("the working directory", here, wanted);
    }
    Ok(whole)
}

/// The place of a site that may be the value of a variable.
fn scratch_of(site: &Site, scratch: &str) -> Result<PathBuf, CommandError> {
    let place = scratch.strip_prefix('$').map_or(Some(scratch.into()), std::env::var_os);
    let fault = || format!("`scratch` of site {} is {scratch}, which is not set, expected --folder", site.name);
    place.map(PathBuf::from).ok_or_else(|| CommandError::Usage(fault()))
}

/// Where each stage stands.
fn standings(
    request: &Request,
    job: &Job,
    folder: &Path,
    known: Option<&Campaign>,
    queue: &BTreeMap<u64, Queued>,
) -> Result<Vec<Standing>, CommandError> {
    for (option, name) in [("--from", &request.from), ("--only", &request.only)] {
        if let Some(name) = name.as_ref().filter(|name| job.stage(name).is_none()) {
            let names: Vec<&str> = job.stages.iter().map(|stage| stage.name.as_str()).collect();
            return Err(CommandError::Usage(format!(
                "{option} {name}, expected one of the stages {}",
                names.join(", ")
            )));
        }
    }
    let asked: Option<BTreeSet<&str>> = match (&request.from, &request.only) {
        (Some(from), _) => Some(job.from(from)),
        (None, Some(only)) => Some(BTreeSet::from([only.as_str()])),
        (None, None) => None,
    };
    let mut standings: BTreeMap<&str, Standing> = BTreeMap::new();
    for stage in &job.stages {
        let name = stage.name.as_str();
        let queued: Vec<u64> = known
            .iter()
            .flat_map(|known| known.last_of(name))
            .map(|job| job.id)
            .filter(|id| queue.contains_key(id))
            .collect();
        let proof = PathBuf::from(crate::launch::job::in_folder(&stage.produces, folder));
        let asked_for = asked.as_ref().is_some_and(|asked| asked.contains(name));
        // What was made from something that is made anew is no proof.
        let done = || {
            Ok::<bool, CommandError>(
                stage.after.iter().all(|before| standings[before.as_str()] == Standing::Done)
                    && proof::is_done(&proof)?,
            )
        };
        let standing = match (queued.is_empty(), asked_for) {
            (false, true) => {
                let (ids, word) = (ids(&queued, ", "), if queued.len() == 1 { "job" } else { "jobs" });
                let fault = format!(
                    "stage `{name}` is in the queue, expected `scancel {}` before it is done again ({word} {ids})",
                    ids.replace(',', "")
                );
                return Err(CommandError::Usage(fault));
            }
            (false, false) => Standing::Queued(queued),
            (true, true) => Standing::Wanted,
            (true, false) if done()? => Standing::Done,
            (true, false) if asked.is_none() => Standing::Wanted,
            (true, false) => Standing::Left,
        };
        if standing == Standing::Wanted
            && let Some(before) = stage.after.iter().find(|before| standings[before.as_str()] == Standing::Left)
        {
            return Err(CommandError::Usage(format!(
                "stage `{name}` needs `{before}`, which is not done: expected --from {before}, or neither --from nor --only"
            )));
        }
        standings.insert(name, standing);
    }
    Ok(job.stages.iter().map(|stage| standings[stage.name.as_str()].clone()).collect())
}

/// Looks whether the job for which sbatch gave no number is in the queue: what is worth saying where it is not.
///
/// # Errors
/// Where it is: another one of the same stage would work in the same folders.
fn settle_pending(known: &Campaign, folder: &Path) -> Result<Option<String>, CommandError> {
    let Some(pending) = &known.pending else { return Ok(None) };
    let stage = &pending.stage;
    let mut found = slurm::find(&pending.job_name, &script_of(folder, stage))?;
    found.retain(|number| known.jobs.iter().all(|job| job.id != *number));
    if found.is_empty() {
        return Ok(Some(format!(
            "{stage}: sbatch gave no number when it was submitted last, and no job of it without one is in the queue"
        )));
    }
    Err(CommandError::Usage(format!(
        "stage `{stage}` was submitted without a number and is in the queue, expected `scancel {}` before it is submitted again",
        ids(&found, " ")
    )))
}

/// The batch script of a stage.
fn script_of(folder: &Path, stage: &str) -> PathBuf {
    folder.join("slurm").join(format!("{stage}.sbatch"))
}

/// Says of which stage an error is.
fn at_stage(stage: &str) -> impl FnOnce(CommandError) -> CommandError {
    let stage = stage.to_owned();
    move |error| CommandError::Stage { stage, error: Box::new(error) }
}

/// Numbers of jobs in a row.
fn ids(numbers: &[u64], between: &str) -> String {
    numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(between)
}

/// The scripts of the stages that are wanted.
fn write_scripts(
    planned: &[Planned],
    standings: &[Standing],
    site: &Site,
    name: &str,
    folder: &Path,
    here: &Path,
) -> Result<Vec<Option<PathBuf>>, CommandError> {
    for part in ["slurm", "log", "failed"] {
        let part = folder.join(part);
        files::create_folder(&part).map_err(CommandError::io(&part))?;
    }
    let write = |planned: &Planned| {
        let path = script_of(folder, &planned.stage.name);
        let text = script::render(planned, site, name, folder, here);
        files::write_whole(&path, text.as_bytes()).map_err(CommandError::io(&path))?;
        Ok(path)
    };
    let wanted = planned.iter().zip(standings);
    wanted.map(|(planned, standing)| (*standing == Standing::Wanted).then(|| write(planned)).transpose()).collect()
}

/// Gives the wanted stages to SLURM, and writes down each job as it is taken; the jobs of each stage.
fn give<'a>(
    planned: &[Planned<'a>],
    standings: &[Standing],
    scripts: &[Option<PathBuf>],
    limit: u32,
    folder: &Path,
    campaign: &mut Campaign,
) -> Result<BTreeMap<&'a str, Vec<u64>>, CommandError> {
    let submission = campaign.next_submission();
    campaign.write(folder)?;
    let mut given: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
    // What those that need a stage wait for.
    let mut waits: BTreeMap<&str, String> = BTreeMap::new();
    for ((planned, standing), path) in planned.iter().zip(standings).zip(scripts) {
        let (stage, name) = (planned.stage, planned.stage.name.as_str());
        let Some(path) = path else {
            if let Standing::Queued(jobs) = standing {
                waits.insert(name, waits_for(planned.kind, &last_link(campaign, name, jobs)));
            }
            continue;
        };
        let failed = folder.join("failed").join(name);
        if failed.exists() {
            fs::remove_file(&failed).map_err(CommandError::io(&failed))?;
        }
        // Since when what proves the stage done may be of these jobs.
        let since = folder.join("log").join(format!("{name}.given"));
        fs::write(&since, "").map_err(CommandError::io(&since))?;
        let needs: Vec<&str> =
            stage.after.iter().filter_map(|before| waits.get(before.as_str()).map(String::as_str)).collect();
        let first = (!needs.is_empty()).then(|| needs.join(","));
        let mut dependency = first.clone();
        let arrays = planned.arrays(limit);
        // Of all arrays together, but at least one task of each.
        let at_once = if stage.max_running == 0 { 0 } else { (stage.max_running / arrays.len() as u32).max(1) };
        for link in 1..=stage.chain_length {
            let mut jobs = Vec::new();
            for &tasks in &arrays {
                let batch = Batch { script: path, link, array: array(tasks, at_once), dependency: dependency.clone() };
                let job_name = script::job_name(&campaign.job.name, name);
                // Before SLURM is asked: whatever becomes of this program, the next one knows of the job.
                campaign.pending = Some(Pending { stage: name.to_owned(), link, job_name: job_name.clone() });
                campaign.write(folder)?;
                let answer = batch.submit(&job_name);
                if matches!(answer, Ok(_) | Err(LaunchError::Refused { .. })) {
                    campaign.pending = None;
                }
                if let Ok(JobId { number, cluster }) = &answer {
                    let (id, cluster) = (*number, cluster.clone());
                    campaign.jobs.push(Submitted { id, cluster, submission, stage: name.to_owned(), link, tasks });
                }
                campaign.write(folder)?;
                let id = answer.map_err(|error| at_stage(name)(error.into()))?.number;
                jobs.push(id);
            }
            // A link goes on however the one before it ended, if that could begin at all.
            let before = format!("afterany:{}", ids(&jobs, ":"));
            dependency = Some(first.iter().cloned().chain([before]).collect::<Vec<_>>().join(","));
            // Who comes after an array comes after all that the array needed too: if that fails, both are cancelled.
            let inherited = first.iter().filter(|_| planned.kind == Kind::Array).cloned();
            waits.insert(name, inherited.chain([waits_for(planned.kind, &jobs)]).collect::<Vec<_>>().join(","));
            given.entry(name).or_default().extend(jobs);
        }
    }
    Ok(given)
}

/// The jobs of a queued stage after which it is done or has failed: those of its last link.
fn last_link(campaign: &Campaign, stage: &str, queued: &[u64]) -> Vec<u64> {
    let jobs = campaign.last_of(stage);
    let queued: Vec<_> = jobs.into_iter().filter(|job| queued.contains(&job.id)).collect();
    let last = queued.iter().map(|job| job.link).max();
    queued.iter().filter(|job| Some(job.link) == last).map(|job| job.id).collect()
}

/// What those wait for who need a stage. A worker of an array may be lost and all objects be done: who comes after it knows by the ledger.
fn waits_for(kind: Kind, jobs: &[u64]) -> String {
    let how = if kind == Kind::Array { "afterany" } else { "afterok" };
    format!("{how}:{}", ids(jobs, ":"))
}

/// How sbatch is told of so many tasks, of which so many run at once (0 for all).
fn array(tasks: u32, at_once: u32) -> Option<String> {
    let throttle = if at_once > 0 { format!("%{at_once}") } else { String::new() };
    (tasks > 0).then(|| format!("0-{}{throttle}", tasks - 1))
}
