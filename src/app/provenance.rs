//! Where a run came from: `RUN/provenance.toml`, one `[[start]]` for each time the program was started on it.

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use toml::{Table, Value};

use super::{CommandError, versions};
use crate::config::RunConfig;
use crate::data::Dataset;
use crate::{files, machine, one_line};

/// Adds this start to what is known of `run`.
pub fn record_start(run: &Path, ranks: usize, config: &RunConfig, dataset: &Dataset) -> Result<(), CommandError> {
    let path = run.join("provenance.toml");
    let known: Table = match fs::read_to_string(&path) {
        Ok(text) => text.parse().map_err(|error: toml::de::Error| CommandError::Wrong {
            path: path.clone(),
            fault: format!("{}, expected the TOML of earlier starts", one_line::toml(&error, &text)),
        })?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Table::new(),
        Err(error) => return Err(CommandError::io(&path)(error)),
    };
    let mut starts = match known.get("start") {
        Some(Value::Array(starts)) => starts.clone(),
        _ => Vec::new(),
    };
    let mut start = Table::new();
    let mut say = |key: &str, value: Value| drop(start.insert(key.into(), value));
    say("time", utc_now().into());
    say("skyforge", versions::SKYFORGE.into());
    say("git_revision", versions::GIT_REVISION.into());
    say("libtorch", versions::LIBTORCH.into());
    say("mpi", versions::mpi().into());
    say("hdf5", versions::hdf5().into());
    say("ranks", (ranks as i64).into());
    say("threads_per_rank", (config.sections().trainer.threads_per_rank as i64).into());
    say("host", machine::host().into());
    say("processor", machine::processor_name().into());
    let folder = dataset.folder();
    say("dataset", fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned()).to_string_lossy().as_ref().into());
    say("dataset_checksum", dataset.checksum().into());
    starts.push(Value::Table(start));
    let table = Table::from_iter([("start".to_owned(), Value::Array(starts))]);
    let text = toml::to_string(&table).expect("a table is TOML");
    files::write_whole(&path, text.as_bytes()).map_err(CommandError::io(path))
}

/// This moment as ISO 8601.
fn utc_now() -> String {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let (year, month, day) = civil(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Days since 1970-01-01 to a date of the Gregorian calendar (H. Hinnant, "chrono-compatible low-level date algorithms").
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468; // since 0000-03-01
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year + era * 400 + u64::from(month <= 2), month, of_year - (153 * from_march + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::civil;

    #[test]
    fn days_become_dates() {
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(civil(11_016), (2000, 2, 29));
        assert_eq!(civil(20_454), (2026, 1, 1));
    }
}
