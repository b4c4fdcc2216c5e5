//! Arguments of `skyforge train`.

use std::path::PathBuf;

use clap::Args;

use crate::app::staging::Scratch;
use crate::app::train::{Request, minutes};
use crate::train::Drill;

/// Train a model; resumes from the newest checkpoint in RUN.
///
/// USR1, USR2, TERM or HUP stop it after the step under way: a checkpoint is written, the exit code is 75, and the same
/// command goes on from there, on any number of ranks up to batch.microbatches.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  mpirun -n 2 skyforge train configs/small_mass_maps.toml --run runs/maps --data data/maps")]
pub struct Arguments {
    /// The configuration, TOML
    config: PathBuf,
    /// The run folder: made, or gone on with
    #[arg(long)]
    run: PathBuf,
    /// The dataset; wins over data.path of the configuration
    #[arg(long)]
    data: Option<PathBuf>,
    #[command(flatten)]
    stage: Stage,
    /// Stops by itself after so many minutes, as a signal would
    #[arg(long, value_name = "MINUTES", allow_negative_numbers = true, value_parser = minutes)]
    max_wall: Option<f64>,
    /// Faults on purpose, as nan@7:2 at step 7 on rank 2 (without :RANK on rank 0): to see that they are survived. KIND
    /// is nan (a gradient), panic, data (records that cannot be loaded), flip (a bit of the parameters after the step),
    /// kill (SIGKILL), stop (as by a signal), hang (the rank does not go on) or slow (0.2 s more a step from then on);
    /// may be given again
    #[arg(long = "drill", value_name = "KIND@STEP[:RANK]")]
    drills: Vec<Drill>,
    /// Sets a value of the configuration, as in batch.global=64; may be given again
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
}

/// Options of the copy of the dataset on each node.
#[derive(Debug, Args)]
struct Stage {
    /// Copies the dataset to this folder of each node first, and reads it there; auto takes the fastest of
    /// $SLURM_TMPDIR, $TMPDIR, $LOCAL_SCRATCH, /local, /scratch and /dev/shm that has room. Where there is none, records
    /// are read from where they are. Changes no bit of what is trained
    #[arg(long, value_name = "FOLDER")]
    scratch: Option<PathBuf>,
    /// Leaves the copy there for the next start; else it is removed at the end
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
