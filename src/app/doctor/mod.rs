//! `skyforge doctor`: what a run needs, looked at on all ranks before it begins.

mod facts;
mod finding;
mod folder;
mod judge;
mod plural;
mod wanted;

use std::io;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::CommandError;
use super::bench::allreduce::KnownSum;
use super::bench::median;
use super::output::say;
use super::session::{Session, check_ranks};
use crate::config::RunConfig;
use crate::exit::{Ends, Exit};
use facts::Facts;
use finding::{Finding, Verdict};
use wanted::Wanted;

/// What to look at.
#[derive(Clone, Debug)]
pub struct Request {
    /// The current folder where it is not given.
    pub run: Option<PathBuf>,
    pub config: Option<PathBuf>,
    /// `data.path` of the configuration where it is not given.
    pub data: Option<PathBuf>,
    pub json: bool,
}

/// Numbers that are summed over ranks.
const NUMBERS: usize = 1_000_000;
/// How often, after one sum that warms up.
const ROUNDS: usize = 5;

/// Whether there is room where `run` is or will be, for what a training of `config` on `data` keeps; the line that says so.
pub(super) fn room(run: &Path, config: RunConfig, data: PathBuf) -> Result<String, CommandError> {
    let place = folder::nearest(run);
    let free = folder::free(&place).map_err(CommandError::io(&place))?;
    let wanted = Wanted { folder: run, config_path: None, config: Some(Ok(config)), data: Some(data) };
    let finding = folder::space(free, &wanted);
    match finding.verdict {
        Verdict::Fault => Err(CommandError::io(place)(io::Error::new(io::ErrorKind::StorageFull, finding.found))),
        Verdict::Ok | Verdict::Warning => Ok(finding.line()),
    }
}

/// What the file system has left where `folder` is or will be.
pub(super) fn free_bytes(folder: &Path) -> Result<u64, CommandError> {
    let place = folder::nearest(folder);
    folder::free(&place).map_err(CommandError::io(place))
}

/// Looks on all ranks, tells on the first.
pub fn run(session: &Session, request: &Request) -> Result<Exit, CommandError> {
    let folder = request.run.as_deref().unwrap_or(Path::new("."));
    let wanted = Wanted::new(folder, request.config.as_deref(), request.data.as_deref());
    let facts = Facts::see(session, &wanted);
    let facts = session.comm().gather(&serde_json::to_vec(&facts).expect("facts are JSON"));
    let facts: Vec<Facts> =
        facts.iter().map(|bytes| serde_json::from_slice(bytes).expect("ranks sent their facts")).collect();

    let mut findings = vec![launcher(session)];
    findings.extend(library(session));
    findings.extend([
        judge::allocation(&facts),
        judge::hosts(&facts),
        judge::binary(&facts),
        judge::clocks(&facts),
        judge::processors(&facts),
        judge::limits(&facts),
        judge::libtorch(&facts),
        judge::device(&facts),
        sum(session),
        judge::folder(&facts, &folder::nearest(folder).display().to_string()),
    ]);
    findings.extend(folder::lock(session, folder));
    findings.extend(judge::input("config", facts.iter().map(|facts| facts.config.as_ref())));
    findings.extend(judge::input("data", facts.iter().map(|facts| facts.data.as_ref())));
    if session.is_first_task() {
        findings.extend(wanted.known_config().and_then(|config| {
            let error = check_ranks(session.ranks(), config.cut().microbatches).err()?;
            Some(Finding::fault("ranks", error.exit(), error.to_string(), "start fewer ranks, or cut the batch finer"))
        }));
        findings.extend(facts[0].folder.as_ref().ok().map(|written| folder::space(written.free_bytes, &wanted)));
    }
    let exit = findings.iter().find(|finding| finding.verdict == Verdict::Fault).map_or(Exit::Done, |fault| fault.exit);
    let exit = session.comm().broadcast(&[exit as u8]);
    if session.is_first_task() {
        tell(&findings, facts.len(), request.json)?;
    }
    Ok(Exit::from_code(exit[0]))
}

fn tell(findings: &[Finding], ranks: usize, json: bool) -> Result<(), CommandError> {
    if json {
        let worst = findings.iter().map(|finding| finding.verdict).max();
        return say(&json!({ "verdict": worst, "ranks": ranks, "findings": findings }).to_string());
    }
    say(&findings.iter().map(Finding::line).collect::<Vec<_>>().join("\n"))
}

/// Whether the launcher and the program speak the same language.
fn launcher(session: &Session) -> Finding {
    match session.check_world() {
        Ok(()) if session.ranks() == 1 => Finding::ok("launcher", "one rank, alone"),
        Ok(()) => Finding::ok("launcher", format!("{} ranks that know each other", session.ranks())),
        Err(error) => {
            let found = match &error {
                CommandError::Alone { tasks, .. } => {
                    format!("{tasks} tasks were started that do not know of each other")
                }
                other => other.to_string(),
            };
            let remedy = if cfg!(feature = "mpi") {
                "start it with the MPI it was built with: its own mpirun, or srun --mpi=pmix or pmi2 (srun --mpi=list)"
            } else {
                "build it with MPI, without --no-default-features"
            };
            Finding::fault("launcher", error.exit(), found, remedy)
        }
    }
}

/// The library of the ranks, where a launcher started any.
fn library(session: &Session) -> Option<Finding> {
    let library = session.comm().library()?;
    let found = format!("{}, threads {}", library.version, library.threads);
    if library.threads == "single" {
        return Some(Finding::warning("mpi", found, "use an MPI that was built with threads (at least funneled)"));
    }
    Some(Finding::ok("mpi", found))
}

/// A sum over ranks with a known answer, and how fast it is.
fn sum(session: &Session) -> Finding {
    if session.ranks() == 1 {
        return Finding::ok("sum", "one rank has nobody to sum with");
    }
    let mut sum = KnownSum::new(session.comm(), NUMBERS);
    let mut seconds = Vec::new();
    for round in 0..=ROUNDS {
        match sum.make(session.comm()) {
            Ok(taken) if round > 0 => seconds.push(taken),
            Ok(_) => {}
            Err(error) => {
                let remedy =
                    "take the nodes of these ranks out of the job one by one: memory, network or library is broken";
                return Finding::fault("sum", error.exit(), error.to_string(), remedy);
            }
        }
    }
    let middle = median(&seconds);
    let rate = 4e-9 * NUMBERS as f64 / middle;
    let found =
        format!("{NUMBERS} numbers over {} ranks are right, {:.2} ms, {rate:.2} GB/s", session.ranks(), 1e3 * middle);
    Finding::ok("sum", found)
}
