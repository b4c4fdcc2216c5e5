//! `skyforge simulate`: datasets of built-in skies.

mod carbon_monoxide;
mod maps;
mod spectra;

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use super::counter::Counter;
use super::output_dataset::OutputDataset;
use super::session::Session;
use super::{CommandError, shards};
use crate::config::{ConfigError, Override, apply};
use crate::data::{Dataset, DatasetWriter, Header, ShardEntry, split};
use crate::exit::{Ends, Exit};

/// The built-in skies.
#[derive(Clone, Debug)]
pub enum Sky {
    /// Convergence maps.
    Maps(Request),
    /// Transmission spectra.
    Spectra(Request),
    /// The cross sections of carbon monoxide, on the grid of the finest table in the folder `like`.
    CarbonMonoxide { like: String, out: PathBuf },
}

/// A dataset to simulate.
#[derive(Clone, Debug)]
pub struct Request {
    pub out: PathBuf,
    pub count: u64,
    pub seed: u64,
    /// Shares of the records in these splits.
    pub validation: f64,
    pub test: f64,
    /// `KEY=VALUE`, of the sky's settings.
    pub sets: Vec<String>,
}

/// Simulates this rank's share.
pub fn run(session: &Session, sky: &Sky) -> Result<Exit, CommandError> {
    match sky {
        Sky::Maps(request) => maps::run(session, request),
        Sky::Spectra(request) => spectra::run(session, request),
        Sky::CarbonMonoxide { like, out } => carbon_monoxide::run(session, like, out),
    }
}

/// Checks what `run` would refuse of the settings; `promised` tells whether a path that is not there will be.
pub fn check_ahead(sky: &Sky, promised: impl Fn(&Path) -> bool) -> Result<(), CommandError> {
    match sky {
        Sky::Maps(request) => maps::check_ahead(request),
        Sky::Spectra(request) => spectra::check_ahead(request, promised),
        Sky::CarbonMonoxide { .. } => Ok(()),
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
