//! Arguments of `skyforge doctor`.

use std::path::PathBuf;

use clap::Args;

use crate::app::doctor::Request;

/// Check the environment of a run on all ranks.
///
/// Checks the launcher, MPI, processors, devices, an all-reduce, the run folder, free disk space, the configuration and
/// the dataset. Prints a line per check: ok, warning or fault, what was found and, for a problem, what to do. The exit
/// code is 0 if there is no fault, else the code with which a run would fail: 69 for a fault of the ranks or their
/// machines.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  mpirun -n 2 skyforge doctor --run runs/maps \\
      --config configs/small_mass_maps.toml --data data/maps")]
pub struct Arguments {
    /// Run folder, which need not exist [default: .]
    #[arg(long)]
    run: Option<PathBuf>,
    /// Configuration file of the run, TOML
    #[arg(long)]
    config: Option<PathBuf>,
    /// Dataset [default: data.path of the configuration]
    #[arg(long)]
    data: Option<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

impl Arguments {
    pub fn request(self) -> Request {
        let Self { run, config, data, json } = self;
        Request { run, config, data, json }
    }
}
