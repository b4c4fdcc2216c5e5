//! Arguments of `skyforge submit`.

use std::path::PathBuf;

use clap::Args;

use crate::app::submit::Request;

/// Submit the stages of a campaign to SLURM as dependent batch jobs.
///
/// JOB describes the stages, SITE the cluster. Everything that would make a stage fail at its start is checked before
/// submission: its command line, configuration, number of ranks, input files, requested resources and disk space. Batch
/// scripts are written to FOLDER/slurm. The same command resumes a campaign: stages that are done are not repeated, and
/// stages in the queue are not submitted again.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  scripts/get_opacities data/opacities
  skyforge submit jobs/exogan_campaign.toml --site generic --dry-run
  skyforge submit jobs/exogan_campaign.toml --site generic
  skyforge status runs/exogan

Built-in sites:
  generic, sandbox (for scripts/slurm_sandbox), gpus_by_constraint,
  gpus_by_partition")]
pub struct Arguments {
    /// Job file, TOML
    job: PathBuf,
    /// Cluster: a site file (.toml), the name of one in slurm/sites/, or a built-in site
    #[arg(long)]
    site: String,
    /// Campaign folder; NAME is that of the job, SCRATCH that of the site [default: SCRATCH/NAME, or runs/NAME if the
    /// site has no scratch]
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Check everything and write the batch scripts, but submit nothing
    #[arg(long)]
    dry_run: bool,
    /// Submit this stage and all stages that depend on it, even if they are done
    #[arg(long, value_name = "STAGE", conflicts_with = "only")]
    from: Option<String>,
    /// Submit only this stage, even if it is done
    #[arg(long, value_name = "STAGE")]
    only: Option<String>,
    /// Print the plan as JSON
    #[arg(long)]
    json: bool,
}

impl Arguments {
    pub fn request(self) -> Request {
        let Self { job, site, folder, dry_run, from, only, json } = self;
        Request { job, site, folder, dry_run, from, only, json }
    }
}
