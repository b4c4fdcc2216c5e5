//! SLURM's own programs: what is submitted, and what they say of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Output};

use serde::Serialize;

use super::LaunchError;

/// A batch job that is to be submitted.
#[derive(Clone, Debug)]
pub struct Batch<'a> {
    /// Its script.
    pub script: &'a Path,
    /// What the script is given: the number of the link.
    pub link: u32,
    /// Which array it is, as in `0-15%4`.
    pub array: Option<String>,
    /// What must have ended before, as in `afterok:12`.
    pub dependency: Option<String>,
}

impl Batch<'_> {
    fn arguments(&self) -> Vec<String> {
        let options = [("array", &self.array), ("dependency", &self.dependency)];
        let mut words: Vec<String> =
            options.iter().filter_map(|(key, value)| Some(format!("--{key}={}", value.as_ref()?))).collect();
        words.extend([self.script.display().to_string(), self.link.to_string()]);
        words
    }

    /// Gives it to SLURM under the job name of its script, `name`, by which it is found where the answer has no number.
    pub fn submit(&self, name: &str) -> Result<JobId, LaunchError> {
        let words = [vec!["--parsable".to_owned()], self.arguments()].concat();
        let said = ask("sbatch", &words)?;
        read_submitted(&said).ok_or_else(|| LaunchError::Unnumbered { name: name.to_owned(), said: lines(&said) })
    }

    /// Whether SLURM would take it, by itself.
    pub fn test(&self) -> Result<(), LaunchError> {
        let alone = Self { dependency: None, ..self.clone() };
        ask("sbatch", &[vec!["--test-only".to_owned()], alone.arguments()].concat()).map(drop)
    }
}

/// A job as SLURM knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobId {
    /// Its number.
    pub number: u64,
    /// Its cluster, where sbatch names one, as it does at sites with several.
    pub cluster: Option<String>,
}

/// The job that an answer of `sbatch --parsable` names: the last line that is NUMBER or NUMBER;CLUSTER. Sites print other lines around it.
pub fn read_submitted(said: &str) -> Option<JobId> {
    said.lines().rev().find_map(|line| {
        let (number, cluster) = line.trim().split_once(';').map_or((line.trim(), None), |(a, b)| (a, Some(b)));
        let is_number = number.bytes().all(|digit| digit.is_ascii_digit());
        let is_name = |name: &str| !name.is_empty() && !name.contains(|sign: char| sign.is_whitespace() || sign == ';');
        let number = number.parse().ok().filter(|&number| is_number && number > 0)?;
        cluster.is_none_or(is_name).then(|| JobId { number, cluster: cluster.map(str::to_owned) })
    })
}

/// Lines of text in one line.
fn lines(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(", ")
}

/// Numbers of one's own jobs in the queue that are called `name` and run `script`; also those whose script the queue does not tell.
pub fn find(name: &str, script: &Path) -> Result<Vec<u64>, LaunchError> {
    let said = ask("squeue", &["--me", "--noheader", &format!("--name={name}"), "--format=%F|%o"])?;
    Ok(read_found(&said, script))
}

/// The same from squeue's answer: number, and script with its arguments.
pub fn read_found(said: &str, script: &Path) -> Vec<u64> {
    let script = script.display().to_string();
    let is_it = |command: &str| ["", "(null)", "N/A"].contains(&command) || command.starts_with(&script);
    let rows = said.lines().filter_map(|line| line.trim().split_once('|'));
    let found = rows.filter(|(_, command)| is_it(command.trim())).filter_map(|(number, _)| number.parse().ok());
    found.collect::<BTreeSet<u64>>().into_iter().collect()
}

/// Whether SLURM's programs are here at all.
pub fn is_here() -> bool {
    Command::new("sbatch").arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Indices of arrays are below this; what is usual where SLURM does not say.
pub fn max_array_size() -> u32 {
    let said = ask("scontrol", &["show", "config"]).unwrap_or_default();
    let line = said.lines().find_map(|line| line.strip_prefix("MaxArraySize")?.split_once('='));
    line.and_then(|(_, number)| number.trim().parse().ok()).unwrap_or(1001)
}

/// What the queue says of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Queued {
    /// How many of its tasks are in which state, as in RUNNING; a job that is no array is one task.
    pub states: BTreeMap<String, u32>,
    /// Why it waits, or the nodes that it is on.
    pub places: Vec<String>,
    /// The longest that one of its tasks may still run, as in 1:02:03.
    pub left: String,
}

/// The option that names a cluster; none for the one that SLURM's programs ask by themselves.
fn of_cluster(cluster: Option<&str>) -> Option<String> {
    cluster.map(|cluster| format!("--clusters={cluster}"))
}

/// All of one's own jobs on `clusters` that are not over, by number.
pub fn queue(clusters: &BTreeSet<Option<&str>>) -> Result<BTreeMap<u64, Queued>, LaunchError> {
    let mut jobs = BTreeMap::new();
    for cluster in clusters {
        let words = ["--me", "--noheader", "--format=%F|%K|%T|%R|%L"].map(str::to_owned);
        jobs.extend(read_queue(&ask("squeue", &words.into_iter().chain(of_cluster(*cluster)).collect::<Vec<_>>())?));
    }
    Ok(jobs)
}

/// The same from squeue's answer: number, array index or indices, state, reason or nodes, time left.
pub fn read_queue(said: &str) -> BTreeMap<u64, Queued> {
    let mut jobs: BTreeMap<u64, Queued> = BTreeMap::new();
    for line in said.lines() {
        let [number, index, state, place, left] = line.split('|').collect::<Vec<_>>()[..] else { continue };
        let Ok(number) = number.parse() else { continue };
        let job = jobs.entry(number).or_default();
        *job.states.entry(state.to_owned()).or_default() += tasks(index);
        if !job.places.iter().any(|known| known == place) {
            job.places.push(place.to_owned());
        }
        if job.left.is_empty() {
            left.clone_into(&mut job.left);
        }
    }
    jobs
}

/// How many tasks an index stands for: `N/A` and `3` are one, `0-3,7%2` are five.
fn tasks(index: &str) -> u32 {
    let ranges = index.split('%').next().unwrap_or_default().split(',');
    let count = |range: &str| -> Option<u32> {
        let (first, last) = range.split_once('-')?;
        (last.parse::<u32>().ok()? + 1).checked_sub(first.parse().ok()?)
    };
    ranges.map(|range| count(range).unwrap_or(1)).sum()
}

/// How jobs that are over have ended, by number: the state's word, as in COMPLETED or NODE_FAIL. What accounting does not know is asked of
/// the controller, which remembers for some minutes; what that does not know either is missing.
///
/// - `jobs`: number, and cluster where it is known
pub fn ends(jobs: &[(u64, Option<&str>)]) -> BTreeMap<u64, String> {
    let mut found = BTreeMap::new();
    for cluster in jobs.iter().map(|(_, cluster)| *cluster).collect::<BTreeSet<_>>() {
        let numbers: Vec<String> =
            jobs.iter().filter(|(_, of)| *of == cluster).map(|(number, _)| number.to_string()).collect();
        let words = ["-X", "-n", "-P", "-o", "JobID,State", "-j", &numbers.join(",")].map(str::to_owned);
        let said = ask("sacct", &words.into_iter().chain(of_cluster(cluster)).collect::<Vec<_>>());
        found.extend(said.map_or_else(|_| BTreeMap::new(), |said| read_ends(&said)));
    }
    for (number, cluster) in jobs {
        if !found.contains_key(number) {
            let words = ["show", "job", "--oneliner", &number.to_string()].map(str::to_owned);
            if let Ok(said) = ask("scontrol", &of_cluster(*cluster).into_iter().chain(words).collect::<Vec<_>>()) {
                found.extend(state_word(&said).map(|state| (*number, state)));
            }
        }
    }
    found
}

/// From sacct's answer: number, perhaps with `_INDEX`, and state; of an array's tasks the worst one counts.
pub fn read_ends(said: &str) -> BTreeMap<u64, String> {
    let mut found: BTreeMap<u64, String> = BTreeMap::new();
    for line in said.lines() {
        let Some((number, state)) = line.split_once('|') else { continue };
        let number = number.split(['_', '.']).next().and_then(|number| number.parse().ok());
        let (Some(number), Some(state)) = (number, state.split_whitespace().next()) else { continue };
        let known = found.entry(number).or_insert_with(|| state.to_owned());
        if known == "COMPLETED" {
            state.clone_into(known);
        }
    }
    found
}

fn state_word(said: &str) -> Option<String> {
    let all = said
        .lines()
        .filter_map(|line| line.split_whitespace().find_map(|word| word.strip_prefix("JobState=").map(str::to_owned)));
    let all: Vec<String> = all.collect();
    all.iter().find(|state| *state != "COMPLETED").or(all.first()).cloned()
}

/// Asks one of SLURM's programs.
fn ask(program: &str, words: &[impl AsRef<std::ffi::OsStr>]) -> Result<String, LaunchError> {
    let silent = |said: String| LaunchError::Silent { command: program.into(), said };
    let output: Output = Command::new(program).args(words).output().map_err(|error| silent(error.to_string()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let said = lines(&text);
    if output.status.code().is_none() {
        return Err(silent(format!("{}{}{said}", output.status, if said.is_empty() { "" } else { ", " })));
    }
    // What may go better in a minute is no fault of the script.
    let away = ["contact", "timed out", "not responding", "SLURM_CONF", "DNS SRV", "fatal:"];
    if away.iter().any(|word| text.contains(word)) {
        Err(silent(said))
    } else {
        Err(LaunchError::Refused { command: program.into(), said })
    }
}
