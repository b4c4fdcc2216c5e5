//! `skyforge inpaint`: what is not known of maps or spectra, filled in by a trained generator.

mod deviation;
mod holes;

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;

use self::deviation::Deviation;
use self::holes::Holes;
use super::fit_settings::Preset;
use super::fit_spectra::{self, Spectra};
use super::fits::fit_all;
use super::records::Records;
use super::session::Session;
use super::trained::{Facts, Trained, Which};
use super::{CommandError, fit_settings, shards};
use crate::config::ConfigError;
use crate::data::mask::Mask;
use crate::data::{Channel, DataError, Dataset, DatasetWriter, Encoding, Header, Kind, SpectralAxis, atmosphere};
use crate::device::Choice;
use crate::exit::Exit;
use crate::inference::Networks;
use crate::inference::latent_fit::{Contextual, FitSettings, Fitted, LatentFit, Subject};
use crate::inference::retrieval::UNMEASURED;
use crate::rng::Draw;

/// Fill what is not known of maps or spectra.
///
/// Latent numbers are fitted whose map or spectrum agrees with what is known, several times a record; the fit that agrees best fills
/// the rest. OUT has the records of DATASET in their order, with their ids: what is known as it was, to the bit, and whole spectra
/// with the parameters of their atmospheres, found where the mask does not give them. How far filled values are from those that
/// DATASET has there is told, beside filling with the mean of what is known.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  mpirun -n 2 skyforge inpaint runs/maps data/maps --mask center --out data/filled
  skyforge inpaint runs/exogan data/planets --mask not:1.3-1.5um --out data/whole

Keys of --set: restarts, iterations, patience, tolerance, learning_rate, beta1, beta2, half_life, loss (l1, l2; chi_square of
spectra), perceptual, start (noise, embedder, both), spread, anchor, noise, slots, hmc_trajectories, hmc_steps, hmc_step_size")]
pub struct Arguments {
    /// The run folder
    run: PathBuf,
    /// The dataset of maps or spectra
    dataset: PathBuf,
    /// Of maps, what is to be filled: center, left, random:0.2, grid:4, rows:10-20,columns:5-30, or not:... for the rest; of
    /// spectra, what is known, as `retrieve` has it
    #[arg(long)]
    mask: String,
    /// The dataset folder, which must not hold one yet
    #[arg(long)]
    out: PathBuf,
    /// How fits are made
    #[arg(long, value_enum, default_value_t = Preset::Skyforge)]
    preset: Preset,
    /// Sets a value of the fit, as in restarts=64; may be given again
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    /// All chance follows from it
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: u64,
    #[command(flatten)]
    which: Which,
}

/// Fits this rank's share of the records, then writes this rank's shards.
pub fn run(session: &Session, arguments: &Arguments) -> Result<Exit, CommandError> {
    let begun = Instant::now();
    let trained = Trained::open(session, &arguments.run, &arguments.which)?;
    let settings = settings(arguments, &trained)?;
    let mask = session.agree(Mask::parse(&arguments.mask))?;
    session.agree(DatasetWriter::check_folder(&arguments.out))?;
    let dataset = session.agree(open(&arguments.dataset, &trained.facts))?;
    let word = mask.to_string();
    let draw = Draw::new(arguments.seed);
    let holes = session.agree(Holes::of(&dataset, mask, draw))?;

    Session::torch_threads(trained.facts.threads);
    let device = session.device(Choice::Auto, true)?;
    let networks = session.agree(trained.networks(device))?;
    let names = match dataset.manifest().kind {
        Kind::Maps => ["map", "maps"],
        Kind::Spectra => ["spectrum", "spectra"],
    };
    let made = fit(session, &networks, &settings, &trained.facts, &holes, draw, names)?;
    let header = header(&dataset, source(arguments, &trained, &settings, &dataset, word));
    let encoding = &trained.facts.encoding;
    let written = shards::write(session, &arguments.out, header, names, |writer, shard, counter| {
        let mut records = Records::of(&dataset);
        writer.write_blocks(shard, |range, rows| {
            let (mut values, mut parameters) = (Vec::new(), Vec::new());
            for (place, number) in range.enumerate() {
                let record = records.read(number)?;
                rows.ids[place] = record.id;
                let image = made[number as usize].clone();
                let image = encoding.decode(image).map_err(|source| DataError::Domain { record: number, source })?;
                let filled = holes.filled(number, &record, image)?;
                values.extend(filled.0);
                parameters.extend(filled.1);
                counter.add(1);
            }
            rows.values.copy_from_slice(&values);
            rows.parameters.copy_from_slice(&parameters);
            Ok::<(), CommandError>(())
        })
    })?;
    let told = if session.rank() == 0 { Deviation::of(&holes, &written).map(tell) } else { Ok(()) };
    session.agree(told)?;
    log::info!(
        "{} {} filled in {:.1} s: {}",
        dataset.manifest().count,
        names[1],
        begun.elapsed().as_secs_f64(),
        arguments.out.display()
    );
    Ok(Exit::Done)
}

/// How fits are made: those of maps by squared differences, where nothing else is said; none to noise, since the best one is kept.
fn settings(arguments: &Arguments, trained: &Trained) -> Result<FitSettings, CommandError> {
    let is_maps = matches!(trained.facts.encoding, Encoding::Transform(_));
    let mut settings = arguments.preset.settings(trained.facts.embedder.is_some());
    if arguments.preset == Preset::Skyforge {
        settings.noise = false;
        settings.loss = if is_maps { Contextual::L2 } else { settings.loss };
    }
    let settings = fit_settings::with(&settings, &arguments.sets)?;
    fit_settings::check_start(&settings, trained, &arguments.run)?;
    if is_maps && settings.loss == Contextual::ChiSquare {
        let wanted = "l1 or l2, since maps have no errors".into();
        return Err(ConfigError::Value { key: "loss".into(), value: "chi_square".into(), wanted }.into());
    }
    Ok(settings)
}

/// The dataset at `path`, if its records are such as the networks make.
fn open(path: &Path, facts: &Facts) -> Result<Dataset, CommandError> {
    if let Encoding::Aspa(aspa) = &facts.encoding {
        return fit_spectra::open(path, aspa);
    }
    let dataset = Dataset::open(path)?;
    let Header { kind, shape, unit, .. } = dataset.manifest().header();
    let wrong = |fault: String| Err(CommandError::Wrong { path: path.to_owned(), fault });
    if kind != Kind::Maps {
        return wrong(format!("holds {}, expected maps", kind.name()));
    }
    if shape != facts.shape {
        return wrong(format!("has maps of shape {shape:?}, expected the run's {:?}", facts.shape));
    }
    if unit != facts.unit {
        return wrong(format!("has maps in `{unit}`, expected the run's `{}`", facts.unit));
    }
    Ok(dataset)
}

/// For each record the image, `[n n]`, that the generator makes of the best restart.
fn fit(
    session: &Session,
    networks: &Networks,
    settings: &FitSettings,
    facts: &Facts,
    holes: &Holes,
    draw: Draw,
    names: [&'static str; 2],
) -> Result<Vec<Vec<f32>>, CommandError> {
    type Next<'a> = Box<dyn FnMut(u64) -> Result<Subject, CommandError> + 'a>;
    let (subject, variance): (Next, _) = match &facts.encoding {
        Encoding::Aspa(aspa) => {
            let mut spectra = Spectra::new(holes.dataset(), holes.axis_mask().expect("spectra have an axis"), aspa);
            let variance = vec![UNMEASURED * UNMEASURED; aspa.points()];
            (Box::new(move |record| spectra.subject(record)), Some(variance))
        }
        Encoding::Transform(transform) => {
            let mut records = Records::of(holes.dataset());
            (Box::new(move |number| holes.map_subject(number, &records.read(number)?, transform)), None)
        }
    };
    let fit = LatentFit::new(networks, settings.clone(), variance, draw);
    let image = |fitted: &Fitted| -> Vec<f32> {
        Vec::try_from(fitted.maps.get(fitted.best() as i64).flatten(0, -1)).expect("maps are numbers")
    };
    fit_all(session, &fit, 0..holes.dataset().manifest().count, names, subject, |_| false, image)
}

/// What the new dataset is: all that `dataset` is, but whole spectra with all parameters where it has spectra.
fn header(dataset: &Dataset, source: toml::Table) -> Header {
    let header = Header { source, ..dataset.manifest().header() };
    let Some(SpectralAxis { wavelength_um, .. }) = header.axis else { return header };
    Header {
        shape: vec![1, wavelength_um.len()],
        parameters: atmosphere::parameters(),
        axis: Some(SpectralAxis { channels: vec![Channel::Depth], wavelength_um }),
        ..header
    }
}

/// What the new dataset says of how it was made.
fn source(
    arguments: &Arguments,
    trained: &Trained,
    settings: &FitSettings,
    dataset: &Dataset,
    mask: String,
) -> toml::Table {
    let network = if trained.averaged { "generator_ema" } else { "generator" };
    [
        ("step", (trained.checkpoint.state.step as i64).into()),
        ("checkpoint", trained.checkpoint.checksum().into()),
        ("weights", network.into()),
        ("seed", (arguments.seed as i64).into()),
        ("mask", mask.into()),
        ("dataset", dataset.checksum().into()),
        ("fit", toml::Value::try_from(settings).expect("settings are a table")),
    ]
    .map(|(key, value): (&str, toml::Value)| (key.to_owned(), value))
    .into_iter()
    .collect()
}

fn tell(deviation: Option<Deviation>) {
    let Some(Deviation { values, made, mean, unit }) = deviation else { return };
    log::info!(
        "{values} values filled in, off by {made:.4} {unit} (root mean square) from those of the dataset; the mean of what is known would be off by {mean:.4}"
    );
}
