//! A job file: what is wanted, in stages.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{LaunchError, Memory, Wall};

/// The word that stands for the campaign's folder in a stage's words.
pub const FOLDER: &str = "$CAMPAIGN";

/// What is wanted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// Its name, which names the campaign's folder and its batch jobs.
    pub name: String,
    /// What is done, each after those that it needs.
    #[serde(rename = "stage")]
    pub stages: Vec<Stage>,
}

/// One command of the program, as one or more batch jobs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Its name.
    pub name: String,
    /// The command and its arguments; `$CAMPAIGN` is the campaign's folder, other paths are seen from where `submit` is called.
    pub command: String,
    /// The file that is there when the stage is done: of a dataset its manifest.toml, of a training its outcome.toml (which must
    /// say so), of an array its ledger.toml (whose ledger must be finished).
    pub produces: String,
    /// Stages that must be done before.
    #[serde(default)]
    pub after: Vec<String>,
    /// Nodes of a job.
    #[serde(default = "one")]
    pub nodes: u32,
    /// Ranks on each of them.
    #[serde(default = "one")]
    pub ranks_per_node: u32,
    /// CPUs of each rank; of a training its `trainer.threads_per_rank` where it is not given, else 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpus_per_rank: Option<u32>,
    /// GPUs of each node.
    #[serde(default)]
    pub gpus_per_node: u32,
    /// Memory of each node; what the site gives where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
    /// The longest that a job may take.
    pub time: Wall,
    /// Time before the end of `time` at which a job stops by itself; a twentieth of the time, 2 to 10 minutes, where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_before: Option<Wall>,
    /// Workers of an array; 0 for no array.
    #[serde(default)]
    pub array: u32,
    /// Most workers of an array that run at the same time; 0 for all.
    #[serde(default)]
    pub max_running: u32,
    /// Jobs of a chain, each of which resumes where the one before stopped; 1 is requeued instead.
    #[serde(default = "one")]
    pub chain_length: u32,
    /// Most starts of one job, requeues counted.
    #[serde(default = "ten")]
    pub max_starts: u32,
}

fn one() -> u32 {
    1
}

fn ten() -> u32 {
    10
}

impl Job {
    /// Reads and checks a job file.
    pub fn load(path: &Path) -> Result<Self, LaunchError> {
        let job: Self = super::read(path, "a job, TOML")?;
        job.check().map_err(|fault| LaunchError::Text { path: path.to_owned(), fault })?;
        Ok(job)
    }

    /// The stage of that name.
    pub fn stage(&self, name: &str) -> Option<&Stage> {
        self.stages.iter().find(|stage| stage.name == name)
    }

    /// Stage `name`, and all that need it.
    pub fn from(&self, name: &str) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        for stage in &self.stages {
            if stage.name == name || stage.after.iter().any(|before| found.contains(before.as_str())) {
                found.insert(stage.name.as_str());
            }
        }
        found
    }

    /// All that stage `name` needs, itself among them.
    pub fn up_to(&self, name: &str) -> BTreeSet<&str> {
        let mut needed = BTreeSet::from([name]);
        for stage in self.stages.iter().rev() {
            if needed.contains(stage.name.as_str()) {
                needed.extend(stage.after.iter().map(String::as_str));
            }
        }
        // Names of the argument's lifetime and of ours are the same names; ours outlive this call.
        self.stages.iter().map(|stage| stage.name.as_str()).filter(|stage| needed.contains(stage)).collect()
    }

    fn check(&self) -> Result<(), String> {
        let plain = |name: &str| {
            !name.is_empty() && name.chars().all(|sign| sign.is_ascii_alphanumeric() || sign == '_' || sign == '-')
        };
        if !plain(&self.name) {
            return Err(format!("`name` is \"{}\", expected letters, digits, - and _", self.name));
        }
        if self.stages.is_empty() {
            return Err("`stage` is missing, expected one or more [[stage]]".into());
        }
        let mut known = BTreeSet::new();
        for stage in &self.stages {
            let wrong = |key: &str, value: &dyn std::fmt::Display, wanted: &str| {
                Err(format!("stage `{}`: `{key}` is {value}, expected {wanted}", stage.name))
            };
            if !plain(&stage.name) {
                return Err(format!("`stage.name` is \"{}\", expected letters, digits, - and _", stage.name));
            }
            if let Some(before) = stage.after.iter().find(|before| !known.contains(before.as_str())) {
                return wrong("after", before, "names of stages above it");
            }
            if !known.insert(stage.name.as_str()) {
                return Err(format!("two stages are named `{}`, expected a name each", stage.name));
            }
            for (key, count) in [
                ("nodes", stage.nodes),
                ("ranks_per_node", stage.ranks_per_node),
                ("cpus_per_rank", stage.cpus_per_rank.unwrap_or(1)),
                ("chain_length", stage.chain_length),
                ("max_starts", stage.max_starts),
            ] {
                if count == 0 {
                    return wrong(key, &0, "1 or more");
                }
            }
            for (key, text) in [("command", &stage.command), ("produces", &stage.produces)] {
                if text.replace(FOLDER, "").contains(['$', '`', '"', '\\', '\n']) || text.trim().is_empty() {
                    return wrong(
                        key,
                        &format!("`{text}`"),
                        "words without $ (but for $CAMPAIGN), quotes and backslashes",
                    );
                }
            }
            if let Some(lead) = stage.stop_before.filter(|lead| *lead >= stage.time) {
                return wrong("stop_before", &lead, &format!("less than `time`: {}", stage.time));
            }
            if stage.array > 0 && stage.nodes > 1 {
                return wrong("nodes", &stage.nodes, "1, since a worker of an array is on one node");
            }
        }
        Ok(())
    }
}

impl Stage {
    /// Its words, with the campaign's folder in its place.
    pub fn words(&self, folder: &Path) -> Vec<String> {
        self.command.split_whitespace().map(|word| in_folder(word, folder)).collect()
    }

    /// Ranks of one job.
    pub fn ranks(&self) -> u32 {
        self.nodes * self.ranks_per_node
    }

    /// How long before its time is over a job stops by itself.
    pub fn stop_ahead(&self) -> Wall {
        let usual = || (self.time.seconds / 20).clamp(120, 600).min(self.time.seconds / 2);
        self.stop_before.unwrap_or_else(|| Wall { seconds: usual() })
    }
}

/// A word of a stage with the campaign's folder in its place.
pub fn in_folder(word: &str, folder: &Path) -> String {
    word.replace(FOLDER, &folder.display().to_string())
}
