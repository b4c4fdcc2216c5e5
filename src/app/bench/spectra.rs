//! `skyforge bench spectra`: transmission spectra, as `simulate spectra` makes them.

use std::time::Instant;

use clap::Args;
use serde_json::json;

use super::pace::{Pace, PaceArguments};
use super::{figures, median, range};
use crate::app::output::say;
use crate::app::session::Session;
use crate::app::{CommandError, simulate};
use crate::exit::Exit;
use crate::simulate::spectra::{Atmosphere, Draws, ForwardModel, SpectrumSettings, SpectrumWorkspace};

/// Transmission spectra, as `simulate spectra` makes them.
///
/// Prints `spectra_per_second NUMBER`, the median over rounds, spectra of all ranks, one thread each. Reading opacities is not counted.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  skyforge bench spectra --set opacities=data/opacities --set sampling=binned")]
pub struct Arguments {
    /// Spectra of a round
    #[arg(long, default_value_t = 1000, allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    spectra: u64,
    /// Sets a value, as for `simulate spectra`; may be given again
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    #[command(flatten)]
    pace: PaceArguments,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Times on this rank, together with the others.
pub(super) fn run(session: &Session, arguments: &Arguments) -> Result<Exit, CommandError> {
    let prepare = || -> Result<_, CommandError> {
        let settings: SpectrumSettings = simulate::settings(&arguments.sets)?;
        let draws = Draws::new(session.rank() as u64, &settings, arguments.spectra)?;
        Ok((ForwardModel::new(&settings)?, draws))
    };
    let (model, draws) = session.agree(prepare())?;
    let mut workspace = SpectrumWorkspace::default();
    let mut depth = vec![0.0; model.wavelength_um().len()];
    let mut round = || {
        let begun = Instant::now();
        for record in 0..arguments.spectra {
            // A planet that loses its atmosphere takes no time, and is refused where records are made.
            let _ = model.spectrum(&Atmosphere::new(&draws.parameters(record)), &mut workspace, &mut depth);
            std::hint::black_box(&depth);
        }
        arguments.spectra as f64 / begun.elapsed().as_secs_f64()
    };
    let mut pace = Pace::start(session, &arguments.pace)?;
    if pace.warms_up() {
        round();
    }
    let mut rates = Vec::new();
    while pace.next() {
        session.comm().gather(&[]);
        rates.push(super::of_all(session.comm(), round()).into_iter().sum::<f64>());
        pace.tell(&json!({ "spectra_per_second": rates.last() }))?;
    }
    if session.rank() != 0 || rates.is_empty() {
        return Ok(Exit::Done);
    }
    if arguments.json {
        let told = json!({
            "ranks": session.ranks(), "points": model.wavelength_um().len(), "work_points": model.work_points(),
            "rounds": rates.len(), "spectra": arguments.spectra, "spectra_per_second": figures(&rates),
        });
        say(&told.to_string())?;
    } else {
        let (low, high) = range(&rates);
        eprintln!("spectra_per_second: {low:.0} to {high:.0} in {} rounds", rates.len());
        say(&format!("spectra_per_second {:.0}", median(&rates)))?;
    }
    Ok(Exit::Done)
}
