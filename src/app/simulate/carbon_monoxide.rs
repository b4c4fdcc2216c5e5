//! `skyforge simulate carbon-monoxide`.

use std::path::Path;

use crate::app::CommandError;
use crate::app::session::Session;
use crate::exit::Exit;
use crate::simulate::spectra::{Opacities, carbon_monoxide, taurex};

/// Computes it on the first rank.
pub(super) fn run(session: &Session, like: &str, out: &Path) -> Result<Exit, CommandError> {
    let made = if session.rank() == 0 { make(like, out) } else { Ok(()) };
    session.agree(made)?;
    Ok(Exit::Done)
}

fn make(like: &str, out: &Path) -> Result<(), CommandError> {
    if out.exists() {
        return Err(CommandError::Usage(format!("--out {} is there already", out.display())));
    }
    let all = Opacities::load(like)?;
    let Some(finest) = all.tables.iter().max_by_key(|table| table.wavenumbers_cm.len()) else {
        return Err(CommandError::Usage("--like built-in has no table, expected a folder of tables".into()));
    };
    let table = carbon_monoxide::cross_sections(&finest.temperatures_k, &finest.pressures_pa, &finest.wavenumbers_cm);
    taurex::write(out, &table)?;
    log::info!(
        "CO at {} temperatures, {} pressures, {} wavenumbers: {}",
        table.temperatures_k.len(),
        table.pressures_pa.len(),
        table.wavenumbers_cm.len(),
        out.display()
    );
    Ok(())
}
