//! Arguments of `skyforge doctor`.

use std::path::PathBuf;

use clap::Args;

use crate::app::doctor::Request;

/// Check what a run needs, on all ranks.
///
/// A line for each check: ok, warning or fault, what was found and what to do. Warnings end with exit code 0; a fault
/// with that of a run that would fail of it, 69 where the ranks or their machines are at fault.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  mpirun -n 2 skyforge doctor --run runs/maps --config configs/small_mass_maps.toml --data data/maps")]
pub struct Arguments {
    /// The run folder, there or not; the current folder where it is not given
    #[arg(long)]
    run: Option<PathBuf>,
    /// The configuration of the run, TOML
    #[arg(long)]
    config: Option<PathBuf>,
    /// The dataset; data.path of the configuration where it is not given
    #[arg(long)]
    data: Option<PathBuf>,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

impl Arguments {
    pub fn request(self) -> Request {
        let Self { run, config, data, json } = self;
        Request { run, config, data, json }
    }
}
