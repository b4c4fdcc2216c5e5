//! `CAMPAIGN/campaign.toml`: what was asked for, and the numbers of the jobs that do it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Job, LaunchError};
use crate::files;

/// The name of the record in a campaign's folder.
pub const FILE_NAME: &str = "campaign.toml";

/// A campaign as its folder knows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Campaign {
    /// The site that it was submitted to last.
    pub site: String,
    /// The folder that paths are relative to.
    pub working_directory: PathBuf,
    /// What was asked for last.
    pub job: Job,
    /// What was submitted, the newest last.
    #[serde(default, rename = "submitted")]
    pub jobs: Vec<Submitted>,
    /// What was being submitted when this was written, which SLURM may or may not have taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<Pending>,
}

/// A job that SLURM was given and for which no number has come back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pending {
    /// Whose it is.
    pub stage: String,
    /// Which link of a chain, counted from 1.
    pub link: u32,
    /// The name by which SLURM knows it.
    pub job_name: String,
}

/// A job that SLURM took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Submitted {
    /// Its number there.
    pub id: u64,
    /// The cluster that took it, where sbatch named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Which call of `submit` it is of, counted from 1.
    pub submission: u32,
    /// Whose it is.
    pub stage: String,
    /// Which link of a chain, counted from 1.
    pub link: u32,
    /// Tasks of an array; 0 for none.
    #[serde(default)]
    pub tasks: u32,
}

impl Campaign {
    /// What `folder` knows, if it is a campaign's.
    pub fn read(folder: &Path) -> Result<Option<Self>, LaunchError> {
        let path = folder.join(FILE_NAME);
        if path.exists() { super::read(&path, "a campaign's record").map(Some) } else { Ok(None) }
    }

    /// Writes it down.
    pub fn write(&self, folder: &Path) -> Result<(), LaunchError> {
        let path = folder.join(FILE_NAME);
        let text = toml::to_string(self).expect("a campaign is a table");
        files::write_whole(&path, text.as_bytes()).map_err(LaunchError::io(&path))
    }

    /// The jobs of a stage that were submitted together last.
    pub fn last_of(&self, stage: &str) -> Vec<&Submitted> {
        let of_stage = || self.jobs.iter().filter(|job| job.stage == stage);
        let last = of_stage().map(|job| job.submission).max();
        of_stage().filter(|job| Some(job.submission) == last).collect()
    }

    /// The clusters that its jobs are on; none for the one that SLURM's programs ask by themselves.
    pub fn clusters(&self) -> BTreeSet<Option<&str>> {
        self.jobs.iter().map(|job| job.cluster.as_deref()).collect()
    }

    /// The number of a submission that begins now.
    pub fn next_submission(&self) -> u32 {
        self.jobs.iter().map(|job| job.submission).max().unwrap_or(0) + 1
    }
}
