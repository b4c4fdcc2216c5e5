//! A site file: what a cluster is.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{LaunchError, Memory, Wall};

/// What a cluster is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// Its name.
    pub name: String,
    /// What starts ranks, as in `srun --mpi=pmix`.
    pub launcher: String,
    /// The program on its nodes, which may begin with a variable as in `$HOME/bin/skyforge`; the one that submits where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// Modules that are loaded before it starts.
    #[serde(default)]
    pub modules: Vec<String>,
    /// Lines of shell before it starts.
    #[serde(default)]
    pub setup: Vec<String>,
    /// Where campaigns go that are given no folder, as in `$SCRATCH`; the current folder where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scratch: Option<String>,
    /// How GPUs are asked for.
    #[serde(default = "gpu_request")]
    pub gpu_request: String,
    /// Where stages without GPUs go.
    pub cpu: Queue,
    /// Where stages with GPUs go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu: Option<Queue>,
}

/// A part of a cluster: what is asked of its nodes, and what they have.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Queue {
    /// `--partition`.
    pub partition: Option<String>,
    /// `--account`.
    pub account: Option<String>,
    /// `--qos`.
    pub qos: Option<String>,
    /// Processors of a node.
    pub cpus_per_node: Option<u32>,
    /// GPUs of a node.
    pub gpus_per_node: u32,
    /// Memory of a node that jobs may have.
    pub memory_per_node: Option<Memory>,
    /// The longest that a job may take.
    pub max_time: Option<Wall>,
    /// Further options of sbatch.
    pub sbatch_options: Vec<String>,
}

fn gpu_request() -> String {
    "--gpus-per-node={{gpus}}".into()
}

/// Sites that the program knows.
const KNOWN: [(&str, &str); 4] = [
    ("generic", include_str!("../../slurm/sites/generic.toml")),
    ("sandbox", include_str!("../../slurm/sites/sandbox.toml")),
    ("gpus_by_constraint", include_str!("../../slurm/sites/gpus_by_constraint.toml")),
    ("gpus_by_partition", include_str!("../../slurm/sites/gpus_by_partition.toml")),
];

impl Site {
    /// The site of that name, in `slurm/sites/` here or in the program, or in the file of that name if it ends in `.toml`.
    pub fn load(name: &str) -> Result<Self, LaunchError> {
        let own = PathBuf::from(format!("slurm/sites/{name}.toml"));
        if Path::new(name).extension().is_some_and(|extension| extension == "toml") {
            return super::read(Path::new(name), "a site, TOML");
        }
        if own.is_file() {
            return super::read(&own, "a site, TOML");
        }
        let known = KNOWN.iter().find(|(known, _)| *known == name);
        let Some((_, text)) = known else {
            let names: Vec<&str> = KNOWN.iter().map(|(name, _)| *name).collect();
            let fault = format!("is not there, expected a site's file, or one of {}", names.join(", "));
            return Err(LaunchError::Text { path: own, fault });
        };
        super::parse(&own, text)
    }

    /// The part where a stage with so many GPUs a node goes.
    pub fn queue(&self, gpus_per_node: u32) -> Option<&Queue> {
        if gpus_per_node > 0 { self.gpu.as_ref() } else { Some(&self.cpu) }
    }
}
