//! `skyforge bench spectra`: transmission spectra, as `simulate spectra` makes them.

use std::time::Instant;

use serde_json::json;

use super::pace::{Pace, Rounds};
use super::{figures, median, range};
use crate::app::output::say;
use crate::app::session::Session;
use crate::app::{CommandError, simulate};
use crate::exit::Exit;
use crate::simulate::spectra::{Atmosphere, Draws, ForwardModel, SpectrumSettings, SpectrumWorkspace};

/// Spectra to simulate.
#[derive(Clone, Debug)]
pub struct Request {
    /// Spectra of a round.
    pub count: u64,
    /// `KEY=VALUE`, of the settings of `simulate spectra`.
    pub sets: Vec<String>,
    pub rounds: Rounds,
    pub json: bool,
}

/// Times on this rank, together with the others.
pub fn run(session: &Session, request: &Request) -> Result<Exit, CommandError> {
    let prepare = || -> Result<_, CommandError> {
        let settings: SpectrumSettings = simulate::settings(&request.sets)?;
        let draws = Draws::new(session.rank() as u64, &settings, request.count)?;
        Ok((ForwardModel::new(&settings)?, draws))
    };
    let (model, draws) = session.agree(prepare())?;
    let mut workspace = SpectrumWorkspace::default();
    let mut depth = vec![0.0; model.wavelength_um().len()];
    let mut round = || {
        let begun = Instant::now();
        for record in 0..request.count {
            // A planet that loses its atmosphere takes no time, and is refused where records are made.
            let _ = model.spectrum(&Atmosphere::new(&draws.parameters(record)), &mut workspace, &mut depth);
            std::hint::black_box(&depth);
        }
        request.count as f64 / begun.elapsed().as_secs_f64()
    };
    let mut pace = Pace::start(session, request.rounds)?;
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
    if request.json {
        let told = json!({
            "ranks": session.ranks(), "points": model.wavelength_um().len(), "work_points": model.work_points(),
            "rounds": rates.len(), "spectra": request.count, "spectra_per_second": figures(&rates),
        });
        say(&told.to_string())?;
    } else {
        let (low, high) = range(&rates);
        eprintln!("spectra_per_second: {low:.0} to {high:.0} in {} rounds", rates.len());
        say(&format!("spectra_per_second {:.0}", median(&rates)))?;
    }
    Ok(Exit::Done)
}
