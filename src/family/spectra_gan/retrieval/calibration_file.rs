//! Calibrations that a run keeps: `RUN/retrieval/calibration-HASH.json`, a file for each set of conditions.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::json;
use xxhash_rust::xxh3::xxh3_64;

use super::Calibration;
use super::errors::Errors;
use crate::exit::{Ends, Exit};
use crate::family::spectra_gan::offsets::InstrumentOffsets;
use crate::files;
use crate::infer::latent_fit::FitSettings;

/// What can be wrong with a calibration on disk.
#[derive(Debug, thiserror::Error)]
pub enum CalibrationError {
    /// It cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is not what it should be.
    #[error("{}: {fault}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what was wanted.
        fault: String,
    },
}

impl Ends for CalibrationError {
    fn exit(&self) -> Exit {
        match self {
            Self::File { .. } => Exit::FileSystem,
            Self::Wrong { .. } => Exit::Data,
        }
    }
}

impl CalibrationError {
    fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}

/// The conditions under which a calibration is valid; without offsets there is no word of them.
pub fn conditions(
    checkpoint: &str,
    averaged: bool,
    settings: &FitSettings,
    mask: &str,
    errors: &Errors,
    offsets: &InstrumentOffsets,
    adjust: bool,
) -> BTreeMap<String, String> {
    let text = toml::to_string(settings).expect("settings are a table");
    let of_offsets = (!offsets.is_empty()).then(|| ("offsets".to_owned(), offsets.to_string()));
    let all = [
        ("checkpoint", checkpoint.to_owned()),
        ("weights", if averaged { "ema".into() } else { "live".into() }),
        ("settings", format!("{:016x}", xxh3_64(text.as_bytes()))),
        ("mask", mask.to_string()),
        ("errors", errors.checksum()),
        ("first_restart", if settings.first_as_observed() { "observed".into() } else { "drawn".into() }),
        ("adjustment", if adjust { "networks".into() } else { "none".into() }),
    ]
    .map(|(key, value)| (key.to_owned(), value));
    all.into_iter().chain(of_offsets).collect()
}

/// What tables and datasets say of the calibration behind them.
pub fn in_short(calibration: &Calibration) -> serde_json::Value {
    json!({
        "spectra": calibration.spectra,
        "adjustment_spectra": calibration.adjustment_spectra,
        "points_per_independent_point": calibration.points_per_independent_point,
        "chi_square_per_point_p99": calibration.chi_square_per_point_p99,
        "adjusted": calibration.adjustment.is_some(),
    })
}

/// Where a run keeps the calibration of `of`.
pub fn path(run: &Path, of: &BTreeMap<String, String>) -> PathBuf {
    let text: Vec<String> = of.iter().map(|(key, value)| format!("{key}={value}")).collect();
    run.join("retrieval").join(format!("calibration-{:016x}.json", xxh3_64(text.join("\n").as_bytes())))
}

/// The calibration of `of` that `run` has, if it has one.
pub fn read(run: &Path, of: &BTreeMap<String, String>) -> Result<Option<Calibration>, CalibrationError> {
    let path = path(run, of);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(CalibrationError::file(path)(error)),
    };
    let wrong = |fault: String| CalibrationError::Wrong { path: path.clone(), fault };
    let found: Calibration = serde_json::from_str(&text)
        .map_err(|error| wrong(format!("{error}, expected what `skyforge retrieve --calibrate` writes")))?;
    if found.valid_for != *of {
        return Err(wrong("is of another run or other spectra, remove it".into()));
    }
    Ok(Some(found))
}

/// Writes a calibration into its run.
pub fn write(run: &Path, calibration: &Calibration) -> Result<PathBuf, CalibrationError> {
    let path = path(run, &calibration.valid_for);
    let folder = path.parent().expect("it lies in a folder");
    files::create_folder(folder).map_err(CalibrationError::file(folder))?;
    let text = serde_json::to_string(calibration).expect("a calibration is numbers");
    files::write_whole(&path, text.as_bytes()).map_err(CalibrationError::file(&path))?;
    Ok(path)
}
