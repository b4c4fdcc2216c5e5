//! `skyforge simulate carbon-monoxide`.

use std::path::PathBuf;

use clap::Args;

use crate::app::CommandError;
use crate::app::session::Session;
use crate::exit::Exit;
use crate::simulate::spectra::{Opacities, carbon_monoxide, taurex};

/// The table of cross sections of carbon monoxide, computed from molecular constants.
///
/// Written in TauREx's format, on the temperatures, pressures and wavenumbers of the finest table that is there already.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  skyforge simulate carbon-monoxide --like data/opacities --out data/opacities/CO.h5")]
pub struct Arguments {
    /// A folder of tables
    #[arg(long, value_name = "FOLDER")]
    like: String,
    /// The new file, HDF5
    #[arg(long)]
    out: PathBuf,
}

/// Computes it on the first rank.
pub(super) fn run(session: &Session, arguments: &Arguments) -> Result<Exit, CommandError> {
    let made = if session.rank() == 0 { make(arguments) } else { Ok(()) };
    session.agree(made)?;
    Ok(Exit::Done)
}

fn make(arguments: &Arguments) -> Result<(), CommandError> {
    if arguments.out.exists() {
        return Err(CommandError::Usage(format!("--out {} is there already", arguments.out.display())));
    }
    let all = Opacities::load(&arguments.like)?;
    let Some(like) = all.tables.iter().max_by_key(|table| table.wavenumbers_cm.len()) else {
        return Err(CommandError::Usage("--like built-in has no table, expected a folder of tables".into()));
    };
    let table = carbon_monoxide::cross_sections(&like.temperatures_k, &like.pressures_pa, &like.wavenumbers_cm);
    taurex::write(&arguments.out, &table)?;
    log::info!(
        "CO at {} temperatures, {} pressures, {} wavenumbers: {}",
        table.temperatures_k.len(),
        table.pressures_pa.len(),
        table.wavenumbers_cm.len(),
        arguments.out.display()
    );
    Ok(())
}
