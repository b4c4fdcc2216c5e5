//! `skyforge simulate spectra`.

use std::path::Path;
use std::time::Instant;

use super::{Request, check_shares, settings, write};
use crate::app::session::Session;
use crate::app::{CommandError, shards};
use crate::atmosphere;
use crate::data::spectral_axis::OBSERVED;
use crate::data::{Channel, Header, Modality, Rows, SpectralAxis};
use crate::exit::Exit;
use crate::simulate::SimulateError;
use crate::simulate::spectra::draws::Parameters;
use crate::simulate::spectra::{Atmosphere, Draws, ForwardModel, SpectrumSettings, SpectrumWorkspace};

/// Checks all that comes before the first spectrum; opacities that are not there but `promised` are left out.
pub(super) fn check_ahead(request: &Request, promised: impl Fn(&Path) -> bool) -> Result<(), CommandError> {
    check_shares(request.validation, request.test)?;
    let settings: SpectrumSettings = settings(&request.sets)?;
    let opacities = Path::new(&settings.opacities);
    if !opacities.exists() && promised(opacities) {
        Draws::new(request.seed, &settings, request.count)?;
        return Ok(());
    }
    prepare(request).map(drop)
}

/// Simulates this rank's shards of a dataset of spectra.
pub(super) fn run(session: &Session, request: &Request) -> Result<Exit, CommandError> {
    check_shares(request.validation, request.test)?;
    let (model, draws) = session.agree(prepare(request))?;
    tell(&model);
    let begun = Instant::now();
    let maker = Maker { model: &model, draws: &draws, seed: request.seed };
    let header = header(session, request, &model, &draws);
    let dataset = write(session, &request.out, header, ["spectrum", "spectra"], |writer, shard, counter| {
        let mut workspace = SpectrumWorkspace::default();
        writer.write_blocks(shard, |records, rows| {
            maker.make(records.start, rows, &mut workspace)?;
            counter.add(records.end - records.start);
            Ok::<(), CommandError>(())
        })
    })?;
    let seconds = begun.elapsed().as_secs_f64();
    log::info!(
        "{} spectra of {} points in {seconds:.1} s, {:.0} a second: {}, checksum {}",
        request.count,
        model.wavelength_um().len(),
        request.count as f64 / seconds,
        request.out.display(),
        dataset.checksum()
    );
    Ok(Exit::Done)
}

fn prepare(request: &Request) -> Result<(ForwardModel, Draws), CommandError> {
    let settings: SpectrumSettings = settings(&request.sets)?;
    let draws = Draws::new(request.seed, &settings, request.count)?;
    let model = ForwardModel::new(&settings)?;
    for parameters in draws.lightest() {
        model.holds(&Atmosphere::new(&parameters)).map_err(|pressure| lost(&parameters, pressure))?;
    }
    Ok((model, draws))
}

/// What a user may not expect of the opacities.
fn tell(model: &ForwardModel) {
    if model.settings().opacities == "built-in" {
        log::info!("opacities are the built-in bands, smooth and without lines; scripts/get_opacities fetches tables");
    }
    let missing: Vec<&str> = model.missing().iter().map(|molecule| molecule.formula()).collect();
    if !missing.is_empty() {
        log::warn!("no table of {}: not absorbing, though among the parameters", missing.join(", "));
    }
    if model.bare_bins() > 0 {
        log::warn!(
            "{} of {} points lie beyond all tables: nothing absorbs there",
            model.bare_bins(),
            model.wavelength_um().len()
        );
    }
}

/// What is said of a planet that loses its atmosphere.
fn lost(parameters: &Parameters, pressure_pa: f64) -> SimulateError {
    let [.., mass, radius, temperature] = parameters;
    let value = format!("{radius} where planet_mass is {mass} and temperature {temperature}");
    let wanted = format!("a planet that holds its atmosphere, which this one loses at {pressure_pa:.1e} Pa");
    SimulateError::setting("planet_radius", &value, wanted)
}

/// Makes records.
struct Maker<'a> {
    model: &'a ForwardModel,
    draws: &'a Draws,
    seed: u64,
}

impl Maker<'_> {
    /// Fills the rows from record `first` on.
    fn make(&self, first: u64, rows: &mut Rows, workspace: &mut SpectrumWorkspace) -> Result<(), SimulateError> {
        let points = self.model.wavelength_um().len();
        let record_len = rows.values[0].len() / rows.ids.len();
        let quantities = atmosphere::QUANTITIES.len();
        let records = rows.values[0].chunks_exact_mut(record_len).zip(rows.labels.chunks_exact_mut(quantities));
        for (record, ((values, row), id)) in (first..).zip(records.zip(&mut rows.ids)) {
            let parameters = self.draws.parameters(record);
            *id = self.draws.id(record);
            for (to, parameter) in row.iter_mut().zip(parameters) {
                *to = parameter as f32;
            }
            let depth = &mut values[..points];
            let made = self.model.spectrum(&Atmosphere::new(&parameters), workspace, depth);
            made.map_err(|pressure| lost(&parameters, pressure))?;
            if let Some(noise) = self.model.noise() {
                noise.add(self.seed, *id, depth);
                let (below, rest) = values[points..].split_at_mut(points);
                let (above, observed) = rest.split_at_mut(points);
                below.copy_from_slice(noise.sigma());
                above.copy_from_slice(noise.sigma());
                observed.fill(1.0);
            }
        }
        Ok(())
    }
}

fn header(session: &Session, request: &Request, model: &ForwardModel, draws: &Draws) -> Header {
    let channels = if model.noise().is_some() { OBSERVED.to_vec() } else { vec![Channel::Depth] };
    let mut source = model.describe(draws);
    source.insert("seed".into(), (request.seed as i64).into());
    let axis = SpectralAxis { channels, wavelength_um: model.wavelength_um().to_vec() };
    Header {
        count: request.count,
        modalities: vec![Modality::spectra(axis)],
        labels: atmosphere::labels(),
        splits: shards::splits(session, request.count, request.validation, request.test),
        source,
    }
}
