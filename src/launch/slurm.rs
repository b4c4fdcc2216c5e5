//! SLURM's own programs: what is submitted, and what they say of it.

use std::collections::BTreeMap;
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

    /// Gives it to SLURM; its number there.
    pub fn submit(&self) -> Result<u64, LaunchError> {
        let words = [vec!["--parsable".to_owned()], self.arguments()].concat();
        let said = ask("sbatch", &words)?;
        // NUMBER, or NUMBER;CLUSTER
        let number = said.trim().split(';').next().and_then(|number| number.parse().ok());
        number.ok_or_else(|| LaunchError::Silent { command: "sbatch".into(), said: format!("`{}`", said.trim()) })
    }

    /// Whether SLURM would take it, by itself.
    pub fn test(&self) -> Result<(), LaunchError> {
        let alone = Self { dependency: None, ..self.clone() };
        ask("sbatch", &[vec!["--test-only".to_owned()], alone.arguments()].concat()).map(drop)
    }
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

/// All of one's own jobs that are not over, by number.
pub fn queue() -> Result<BTreeMap<u64, Queued>, LaunchError> {
    Ok(read_queue(&ask("squeue", &["--me", "--noheader", "--format=%F|%K|%T|%R|%L"])?))
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
pub fn ends(jobs: &[u64]) -> BTreeMap<u64, String> {
    if jobs.is_empty() {
        return BTreeMap::new();
    }
    let numbers: Vec<String> = jobs.iter().map(u64::to_string).collect();
    let asked = ask("sacct", &["-X", "-n", "-P", "-o", "JobID,State", "-j", &numbers.join(",")]);
    let mut found = asked.map_or_else(|_| BTreeMap::new(), |said| read_ends(&said));
    for job in jobs {
        if !found.contains_key(job)
            && let Ok(said) = ask("scontrol", &["show", "job", "--oneliner", &job.to_string()])
        {
            found.extend(state_word(&said).map(|state| (*job, state)));
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
    let said: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let said = said.join(", ");
    // What may go better in a minute is no fault of the script.
    let away = ["contact", "timed out", "not responding", "SLURM_CONF", "DNS SRV", "fatal:"];
    if away.iter().any(|word| text.contains(word)) {
        Err(silent(said))
    } else {
        Err(LaunchError::Refused { command: program.into(), said })
    }
}
