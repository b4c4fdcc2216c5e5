//! `skyforge simulate`: datasets of built-in skies.

pub mod carbon_monoxide;
pub mod maps;
pub mod spectra;

use std::path::Path;

use clap::Subcommand;
use serde::de::DeserializeOwned;

use super::counter::Counter;
use super::output_dataset::OutputDataset;
use super::session::Session;
use super::{CommandError, shards};
use crate::config::{ConfigError, Override, apply};
use crate::data::{Dataset, DatasetWriter, Header, ShardEntry, split};
use crate::exit::{Ends, Exit};

/// The built-in skies.
#[derive(Debug, Subcommand)]
pub enum What {
    /// Weak-lensing convergence maps: lognormal or Gaussian fields of a chosen angular power spectrum.
    Maps(maps::Arguments),
    /// Transmission spectra of exoplanets with their seven parameters.
    Spectra(spectra::Arguments),
    /// The table of cross sections of carbon monoxide, computed from molecular constants, for `spectra`.
    CarbonMonoxide(carbon_monoxide::Arguments),
}

/// Makes what is asked for, together with the other ranks.
pub fn run(session: &Session, what: &What) -> Result<Exit, CommandError> {
    match what {
        What::Maps(arguments) => maps::run(session, arguments),
        What::Spectra(arguments) => spectra::run(session, arguments),
        What::CarbonMonoxide(arguments) => carbon_monoxide::run(session, arguments),
    }
}

impl What {
    /// What `run` would refuse of the settings, found out ahead; of what is not there `promised` is asked whether it will be.
    pub(super) fn check_ahead(&self, promised: impl Fn(&Path) -> bool) -> Result<(), CommandError> {
        match self {
            What::Maps(arguments) => arguments.check_ahead(),
            What::Spectra(arguments) => arguments.check_ahead(promised),
            What::CarbonMonoxide(_) => Ok(()),
        }
    }
}

/// Writes a dataset as `shards::write` does, but for shards that an attempt with the same settings has finished before it was cut off.
fn write<E: Ends + Into<CommandError> + Send>(
    session: &Session,
    out: &Path,
    header: Header,
    names: [&'static str; 2],
    make: impl Fn(&DatasetWriter, usize, &Counter) -> Result<ShardEntry, E> + Sync,
) -> Result<Dataset, CommandError> {
    let out = OutputDataset::lock(session, out)?;
    shards::write(session, &out, header, names, |writer, shard, counter| {
        let Some(entry) = writer.kept(shard) else { return make(writer, shard, counter) };
        log::info!("{} is whole from an earlier attempt, kept", entry.file);
        counter.add(entry.rows);
        Ok(entry)
    })
}

/// Whether `--validation` and `--test` are shares that leave something to train on.
fn check_shares(validation: f64, test: f64) -> Result<(), CommandError> {
    split::check_shares(validation, test, false).map_err(CommandError::Usage)
}

/// Settings with `--set` applied to the defaults.
pub(super) fn settings<T: DeserializeOwned>(sets: &[String]) -> Result<T, CommandError> {
    let mut table = toml::Table::new();
    for set in sets {
        apply(&mut table, &set.parse::<Override>()?)?;
    }
    let settings = crate::config::read(toml::Value::Table(table)).map_err(|fault| ConfigError::Override {
        option: "--set",
        argument: sets.join(" --set "),
        fault,
    })?;
    Ok(settings)
}
