//! `skyforge simulate spectra`.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;

use super::{check_shares, settings, write};
use crate::app::session::Session;
use crate::app::{CommandError, shards};
use crate::atmosphere;
use crate::data::spectral_axis::OBSERVED;
use crate::data::{Channel, Header, Modality, Rows, SpectralAxis};
use crate::exit::Exit;
use crate::simulate::SimulateError;
use crate::simulate::spectra::draws::Parameters;
use crate::simulate::spectra::{Atmosphere, Draws, ForwardModel, SpectrumSettings, SpectrumWorkspace};

/// Transmission spectra of exoplanets with their seven parameters.
///
/// Isothermal atmospheres of hydrogen and helium with H2O, CO2, CO and CH4. The parameters are the points of ExoGAN's grid (ten levels of
/// each of seven, ten million in all, in an order that depends on the seed) or anywhere between. The same seed gives the same
/// record number i, and the same bytes on disk, on any number of ranks; shards that an earlier, cut off attempt has finished are kept.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  scripts/get_opacities data/opacities
  mpirun -n 2 skyforge simulate spectra --out data/spectra --count 100000 --set opacities=data/opacities

Keys of --set: grid (exogan, exogan-362, or a text file of um), sampling (native, binned), opacities (built-in, or a folder of tables),
order (grid, continuous, table), parameter_table, first, log10_h2o, log10_co2, log10_co, log10_ch4, planet_mass, planet_radius, temperature (ranges, as in
temperature=[1000,2000]), star_radius, helium_to_hydrogen, layers, bottom_pa, top_pa, rayleigh, cloud_top_pa, noise_ppm,
noise_table")]
pub struct Arguments {
    /// The dataset folder, which must not hold one yet
    #[arg(long)]
    out: PathBuf,
    /// How many spectra; the whole grid has 10000000
    #[arg(long, allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(1..))]
    count: u64,
    /// All chance follows from it
    #[arg(long, default_value_t = 0, allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: u64,
    /// Share of the spectra in the split `validation`, by which checkpoints are compared
    #[arg(long, value_name = "SHARE", default_value_t = 0.05, allow_negative_numbers = true)]
    validation: f64,
    /// Share of the spectra in the split `test`, for the final figures; the rest is the split `train`
    #[arg(long, value_name = "SHARE", default_value_t = 0.05, allow_negative_numbers = true)]
    test: f64,
    /// Sets a value, as in order=continuous, noise_ppm=20, opacities=data/opacities; may be given again
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
}

impl Arguments {
    /// All that comes before the first spectrum; without opacities that are not there and that are `promised`.
    pub(super) fn check_ahead(&self, promised: impl Fn(&Path) -> bool) -> Result<(), CommandError> {
        check_shares(self.validation, self.test)?;
        let settings: SpectrumSettings = settings(&self.sets)?;
        let opacities = Path::new(&settings.opacities);
        if !opacities.exists() && promised(opacities) {
            Draws::new(self.seed, &settings, self.count)?;
            return Ok(());
        }
        prepare(self).map(drop)
    }
}

/// Simulates this rank's shards of a dataset of spectra.
pub(super) fn run(session: &Session, arguments: &Arguments) -> Result<Exit, CommandError> {
    check_shares(arguments.validation, arguments.test)?;
    let (model, draws) = session.agree(prepare(arguments))?;
    tell(&model);
    let begun = Instant::now();
    let maker = Maker { model: &model, draws: &draws, seed: arguments.seed };
    let header = header(session, arguments, &model, &draws);
    let dataset = write(session, &arguments.out, header, ["spectrum", "spectra"], |writer, shard, counter| {
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
        arguments.count,
        model.wavelength_um().len(),
        arguments.count as f64 / seconds,
        arguments.out.display(),
        dataset.checksum()
    );
    Ok(Exit::Done)
}

fn prepare(arguments: &Arguments) -> Result<(ForwardModel, Draws), CommandError> {
    let settings: SpectrumSettings = settings(&arguments.sets)?;
    let draws = Draws::new(arguments.seed, &settings, arguments.count)?;
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

fn header(session: &Session, arguments: &Arguments, model: &ForwardModel, draws: &Draws) -> Header {
    let channels = if model.noise().is_some() { OBSERVED.to_vec() } else { vec![Channel::Depth] };
    let mut source = model.describe(draws);
    source.insert("seed".into(), (arguments.seed as i64).into());
    let axis = SpectralAxis { channels, wavelength_um: model.wavelength_um().to_vec() };
    Header {
        count: arguments.count,
        modalities: vec![Modality::spectra(axis)],
        labels: atmosphere::labels(),
        splits: shards::splits(session, arguments.count, arguments.validation, arguments.test),
        source,
    }
}
