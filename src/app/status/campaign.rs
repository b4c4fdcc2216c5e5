//! The stages of a campaign: what is done, what SLURM does, what failed and why.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::progress::{self, Progress};
use crate::app::{CommandError, proof};
use crate::files;
use crate::launch::campaign::Pending;
use crate::launch::job::in_folder;
use crate::launch::slurm::{self, Queued};
use crate::launch::{Campaign, Stage};
use crate::ledger;

/// A campaign as it stands.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub name: String,
    pub site: String,
    /// Why SLURM does not answer, where it does not.
    pub silence: String,
    /// What may have been submitted and has no number, in words; nothing where there is none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub pending: String,
    pub stages: Vec<StageReport>,
}

/// A stage as it stands.
#[derive(Debug, Serialize)]
pub(super) struct StageReport {
    pub stage: String,
    /// done, running, waiting, failed, ended (not done, and nothing in the queue goes on), submitted (where the queue is not known), to do.
    pub state: &'static str,
    pub jobs: Vec<u64>,
    /// What the queue says of those that are in it.
    pub queue: BTreeMap<u64, Queued>,
    /// How those ended that are not.
    pub ended: BTreeMap<u64, String>,
    pub progress: Option<Progress>,
    /// Why it failed, and the last error in its logs.
    pub reason: String,
}

impl Report {
    pub fn look(folder: &Path) -> Result<Self, CommandError> {
        let campaign = Campaign::read(folder)?.expect("its page was seen");
        let (queue, silence) = match slurm::queue(&campaign.clusters()) {
            Ok(queue) => (Some(queue), String::new()),
            Err(error) => (None, error.to_string()),
        };
        let stages =
            campaign.job.stages.iter().map(|stage| StageReport::look(folder, &campaign, stage, queue.as_ref()));
        let stages = stages.collect::<Result<_, _>>()?;
        let pending = campaign.pending.map_or(String::new(), |pending| {
            let Pending { stage, job_name, .. } = pending;
            format!("stage `{stage}` may have been submitted without a number: see `squeue --me --name={job_name}`")
        });
        Ok(Self { name: campaign.job.name, site: campaign.site, silence, pending, stages })
    }

    /// Whether nothing goes on any more; where the queue is not known, whether nothing can.
    pub fn is_over(&self) -> bool {
        !self.stages.iter().any(|stage| ["running", "waiting", "submitted"].contains(&stage.state))
    }

    pub fn lines(&self) -> String {
        let mut lines = vec![format!("campaign {}, site {}", self.name, self.site)];
        if !self.silence.is_empty() {
            lines.push(format!("the queue is not known ({})", self.silence));
        }
        let widest = self.stages.iter().map(|stage| stage.stage.len()).max().unwrap_or(0);
        lines.extend(Some(&self.pending).filter(|pending| !pending.is_empty()).cloned());
        lines.extend(self.stages.iter().map(|stage| format!("{:<widest$}  {}", stage.stage, stage.line())));
        lines.join("\n")
    }
}

impl StageReport {
    fn look(
        folder: &Path,
        campaign: &Campaign,
        stage: &Stage,
        queue: Option<&BTreeMap<u64, Queued>>,
    ) -> Result<Self, CommandError> {
        let last = campaign.last_of(&stage.name);
        let jobs: Vec<u64> = last.iter().map(|job| job.id).collect();
        let is_queued = |id: &u64| queue.is_some_and(|queue| queue.contains_key(id));
        let (queued, over): (Vec<u64>, Vec<u64>) = jobs.iter().partition(|id| is_queued(id));
        let queued: BTreeMap<u64, Queued> =
            queued.into_iter().filter_map(|id| Some((id, queue?.get(&id)?.clone()))).collect();
        let path = PathBuf::from(in_folder(&stage.produces, folder));
        let done = proof::is_done(&path)?;
        let failed = fs::read_to_string(folder.join("failed").join(&stage.name)).unwrap_or_default().trim().to_owned();
        let running = queued.values().any(|job| job.states.keys().any(|state| state != "PENDING"));
        let state = match (done, running, !queued.is_empty()) {
            (_, true, _) => "running",
            // Others of an array may have done what one has failed at; else the last attempt counts, as of a table that is there and is refused.
            (true, ..) if failed.is_empty() || stage.array > 0 => "done",
            (false, _, true) => "waiting",
            (..) if !failed.is_empty() => "failed",
            // Without the queue nobody knows.
            (..) if !jobs.is_empty() => {
                if queue.is_some() {
                    "ended"
                } else {
                    "submitted"
                }
            }
            (..) => "to do",
        };
        let over = last.iter().filter(|job| over.contains(&job.id)).map(|job| (job.id, job.cluster.as_deref()));
        let ended =
            if queue.is_some() && state != "done" { slurm::ends(&over.collect::<Vec<_>>()) } else { BTreeMap::new() };
        let reason = if ["failed", "ended"].contains(&state) {
            [failed, last_error(folder, &stage.name)]
                .into_iter()
                .filter(|part| !part.is_empty())
                .collect::<Vec<_>>()
                .join(": ")
        } else {
            String::new()
        };
        Ok(Self { stage: stage.name.clone(), state, jobs, queue: queued, ended, progress: of(&path)?, reason })
    }

    fn line(&self) -> String {
        let mut parts = vec![self.state.to_owned()];
        for (id, job) in &self.queue {
            let states: Vec<String> =
                job.states.iter().map(|(state, tasks)| format!("{tasks} {}", state.to_lowercase())).collect();
            parts.push(format!("job {id}: {} {}", states.join(", "), job.places.join(" ")));
        }
        let ended = self.ended.iter().filter(|_| self.queue.is_empty());
        parts.extend(ended.map(|(id, state)| format!("job {id} {}", state.to_lowercase())));
        if !self.reason.is_empty() {
            parts.push(self.reason.clone());
        }
        parts.extend(self.progress.iter().map(|progress| progress.line_beside(&self.reason)));
        parts.join("; ")
    }
}

/// How far what a stage makes is, where it says so before it is done.
fn of(proof: &Path) -> Result<Option<Progress>, CommandError> {
    let folder = proof.parent().unwrap_or(Path::new("."));
    match files::name_of(proof).as_str() {
        "outcome.toml" => Ok(progress::of_run(folder)),
        ledger::FILE_NAME if proof.is_file() => progress::of_ledger(folder).map(Some),
        _ => Ok(None),
    }
}

/// The last line of a stage's logs that tells of an error.
fn last_error(folder: &Path, stage: &str) -> String {
    let logs = fs::read_dir(folder.join("log")).into_iter().flatten().flatten();
    let own = logs.map(|entry| entry.path()).filter(|path| {
        let name = files::name_of(path);
        name.strip_suffix(".log").and_then(|name| name.strip_prefix(stage)).is_some_and(|rest| {
            rest.is_empty() || rest.strip_prefix('-').is_some_and(|task| task.parse::<u32>().is_ok())
        })
    });
    let newest = own.filter_map(|path| {
        let text = fs::read(&path).ok()?;
        let text = String::from_utf8_lossy(&text).into_owned();
        // The program's own word before that of its launcher.
        let find = |is_it: fn(&str) -> bool| text.lines().rev().find(|line| is_it(line));
        let line = find(|line| line.starts_with("error: "))
            .or_else(|| find(|line| line.contains("error: ")))?
            .trim()
            .to_owned();
        Some((fs::metadata(&path).ok()?.modified().ok()?, line))
    });
    newest.max().map_or(String::new(), |(_, line)| line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(state: &'static str) -> StageReport {
        let (queue, ended) = (BTreeMap::new(), BTreeMap::new());
        StageReport { stage: "train".into(), state, jobs: vec![7], queue, ended, progress: None, reason: String::new() }
    }

    #[test]
    fn what_is_done_is_over_though_the_queue_is_silent() {
        let over = |silence: &str, states: &[&'static str]| {
            let stages = states.iter().map(|state| stage(state)).collect();
            Report { name: "a".into(), site: "b".into(), silence: silence.into(), pending: String::new(), stages }
                .is_over()
        };
        assert!(over("no squeue", &["done", "done"]) && over("", &["done", "failed", "ended"]));
        assert!(!over("no squeue", &["done", "submitted"]) && !over("", &["done", "waiting"]));
    }

    #[test]
    fn a_reason_is_told_once() {
        let why = "rank 1: panicked";
        let progress = Progress {
            state: "failed",
            unit: "steps",
            done: 3,
            total: 40,
            rate: None,
            left: None,
            reason: why.into(),
            workers: Vec::new(),
            quarantined: Vec::new(),
        };
        let failed =
            StageReport { progress: Some(progress), reason: format!("exit code 70: {why}"), ..stage("failed") };
        assert_eq!(failed.line(), format!("failed; exit code 70: {why}; failed 3 of 40 (7.5 %) steps"));
        let stopped = StageReport { reason: String::new(), ..failed };
        assert!(stopped.line().ends_with(&format!("steps, {why}")));
    }

    #[test]
    fn the_last_attempt_counts_where_what_it_was_to_make_is_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let page = "site = 'b'\nworking_directory = '/'\n[job]\nname = 'a'\n[[job.stage]]\nname = 'merge'\ncommand = 'ledger merge l --out t --strict'\n\
                    produces = '$CAMPAIGN/t'\ntime = '00:10:00'\n";
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("the disk has room");
        fs::create_dir(folder.path().join("failed")).expect("the disk has room");
        write(crate::launch::campaign::FILE_NAME, page);
        write("t", "");
        let campaign = Campaign::read(folder.path()).expect("ours").expect("it is there");
        let look = || StageReport::look(folder.path(), &campaign, &campaign.job.stages[0], None).expect("ours");
        assert_eq!(look().state, "done");
        write("failed/merge", "exit code 65, would be so again, not requeued");
        assert!(look().line().starts_with("failed; exit code 65"), "{}", look().line());
    }
}
