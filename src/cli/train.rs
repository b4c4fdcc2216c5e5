//! Arguments of `skyforge train`.

use std::path::PathBuf;

use clap::Args;

use crate::app::staging::Scratch;
use crate::app::train::{Request, minutes};
use crate::train::Drill;

/// Train a model; resumes from the newest checkpoint in RUN.
///
/// On SIGUSR1, SIGUSR2, SIGTERM or SIGHUP training finishes the current step, writes a checkpoint and exits with code
/// 75. The same command resumes from there, on any number of ranks from 1 to batch.microbatches.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  mpirun -n 2 skyforge train configs/small_mass_maps.toml \\
      --run runs/maps --data data/maps
  mpirun -n 2 skyforge train configs/small_exogan.toml \\
      --run runs/exogan --data data/spectra \\
      --set trainer.steps=4000 --max-wall 55")]
pub struct Arguments {
    /// Configuration file, TOML
    config: PathBuf,
    /// Run folder; created if it does not exist, resumed if it does
    #[arg(long)]
    run: PathBuf,
    /// Dataset; takes precedence over data.path of the configuration [default: data.path of CONFIG]
    #[arg(long)]
    data: Option<PathBuf>,
    #[command(flatten)]
    stage: Stage,
    /// Stop after this many minutes, as on SIGTERM
    #[arg(long, value_name = "MINUTES", allow_negative_numbers = true, value_parser = minutes)]
    max_wall: Option<f64>,
    /// Inject a fault, to test recovery, e.g. nan@7:2 in step 7 on rank 2 (rank 0 if no rank is named); may be
    /// repeated. KIND is nan (a gradient becomes NaN), panic, data (records cannot be loaded), flip (one bit of the
    /// parameters flips after the step), kill (SIGKILL), stop (as on SIGTERM), hang (the rank blocks) or slow (steps
    /// take 0.2 s longer from then on)
    #[arg(long = "drill", value_name = "KIND@STEP[:RANK]")]
    drills: Vec<Drill>,
    /// Set a value of the configuration, e.g. batch.global=64; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
}

/// Options of the copy of the dataset on each node.
#[derive(Debug, Args)]
struct Stage {
    /// Copy the dataset to this folder on each node before training, and read the copy; auto takes the fastest of
    /// $SLURM_TMPDIR, $TMPDIR, $LOCAL_SCRATCH, /local, /scratch and /dev/shm with enough space. If none is usable, the
    /// dataset is read in place. The trained weights are identical with and without a copy
    #[arg(long, value_name = "FOLDER")]
    scratch: Option<PathBuf>,
    /// Keep the copy for the next start, instead of deleting it at the end
    #[arg(long, requires = "scratch")]
    keep_scratch: bool,
}

impl Arguments {
    pub fn request(self) -> Request {
        let Self { config, run, data, stage, max_wall, drills, sets } = self;
        let Stage { scratch, keep_scratch } = stage;
        let scratch = Scratch { folder: scratch, keep: keep_scratch };
        Request { config, run, data, scratch, max_wall_minutes: max_wall, drills, sets }
    }
}
