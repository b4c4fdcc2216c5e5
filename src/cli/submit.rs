//! Arguments of `skyforge submit`.

use std::path::PathBuf;

use clap::Args;

use crate::app::submit::Request;

/// Submit the stages of a campaign to SLURM, as batch jobs that follow one another.
///
/// JOB says what is wanted, SITE what the cluster is. Everything that a stage would be refused for is found out here, before the
/// queue: its words, its configuration, its ranks, its files, its room. The scripts go to FOLDER/slurm, where they can be read and
/// edited. The same command goes on with a campaign: what is done is not done again, what is in the queue is not submitted twice.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  skyforge submit jobs/exogan_campaign.toml --site slurm/sites/mine.toml --dry-run
  skyforge submit jobs/exogan_campaign.toml --site slurm/sites/mine.toml
  skyforge status runs/exogan

Sites that the program knows: generic, sandbox (that of scripts/slurm_sandbox), gpus_by_constraint, gpus_by_partition")]
pub struct Arguments {
    /// What is wanted, TOML
    job: PathBuf,
    /// The cluster: a site's file, or the name of one in slurm/sites/
    #[arg(long)]
    site: String,
    /// The campaign's folder; runs/NAME where it is not given, or NAME in the site's scratch
    #[arg(long)]
    folder: Option<PathBuf>,
    /// Checks all and writes the scripts, submits nothing
    #[arg(long)]
    dry_run: bool,
    /// Does this stage and all that need it, done or not
    #[arg(long, value_name = "STAGE", conflicts_with = "only")]
    from: Option<String>,
    /// Does this stage alone, done or not
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
