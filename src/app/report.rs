//! `skyforge report`: a run's story in one HTML file.

use std::fs;
use std::path::Path;

use toml::{Table, Value};

use super::CommandError;
use super::output::say;
use crate::exit::Exit;
use crate::family::{FamilySettings, RunFolder};
use crate::files;
use crate::one_line;
use crate::report::{FamilyReport, ReportInputs, render};
use crate::train::{Outcome, Status, metrics};

/// Writes the report of a run.
///
/// - `out`: where it goes; `RUN/report.html` where it is not given
pub fn run(run: &Path, out: Option<&Path>) -> Result<Exit, CommandError> {
    files::expect_folder(run, "the folder of a run").map_err(CommandError::io(run))?;
    let inputs = gather(run)?;
    let out = out.map_or_else(|| run.join("report.html"), Path::to_owned);
    files::write_whole(&out, render(&inputs).as_bytes()).map_err(CommandError::io(&out))?;
    say(&out.display().to_string())?;
    Ok(Exit::Done)
}

fn gather(run: &Path) -> Result<ReportInputs, CommandError> {
    let outcome = Outcome::read(run);
    let config = configuration(run)?;
    let metrics_path = run.join("metrics.jsonl");
    let metrics = if metrics_path.is_file() {
        metrics::read(&metrics_path).map_err(crate::train::TrainError::from)?
    } else {
        Vec::new()
    };
    let table = config.parse::<Table>().unwrap_or_default();
    let whole = std::path::absolute(run).unwrap_or_else(|_| run.to_owned());
    Ok(ReportInputs {
        run: whole.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        subject: subject(&table),
        outcome: outcome.as_ref().map_or(String::new(), story),
        config,
        provenance: provenance(run)?,
        metrics,
        timings: outcome.as_ref().map_or(Vec::new(), timings),
        family: of_family(run, &table)?,
    })
}

/// What the family of the run says of it.
fn of_family(run: &Path, config: &Table) -> Result<FamilyReport, CommandError> {
    let kind = kind(config).unwrap_or_default();
    let told = FamilySettings::report(kind, &RunFolder::new(run, kind, config));
    Ok(told.transpose()?.unwrap_or_else(FamilyReport::unmeasured))
}

/// The kind of model that a run trains, as its configuration names it.
pub(super) fn kind_of(run: &Path) -> Result<&'static str, CommandError> {
    let config = configuration(run)?;
    let path = run.join("config.toml");
    let wrong = |fault: String| CommandError::Wrong { path: path.clone(), fault };
    let table: Table = config.parse().map_err(|error| wrong(one_line::toml(&error, &config)))?;
    let kinds = FamilySettings::KINDS;
    let found = kinds.iter().find(|known| kind(&table) == Some(**known)).copied();
    found.ok_or_else(|| {
        let have = kind(&table).map_or("not set".into(), |kind| format!("\"{kind}\""));
        let wanted: Vec<String> = kinds.iter().map(|kind| format!("\"{kind}\"")).collect();
        wrong(format!("`family.kind` is {have}, expected one of {}", wanted.join(", ")))
    })
}

fn kind(config: &Table) -> Option<&str> {
    config.get("family")?.get("kind")?.as_str()
}

/// The text of a run's `config.toml`.
fn configuration(run: &Path) -> Result<String, CommandError> {
    text(&run.join("config.toml"))?.ok_or_else(|| {
        let fault = "has no config.toml, expected the folder of a run that was trained".into();
        CommandError::Wrong { path: run.to_owned(), fault }
    })
}

/// A file's text, if the file is there.
fn text(path: &Path) -> Result<Option<String>, CommandError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(CommandError::io(path)(error)),
    }
}

/// What was trained, in a line.
fn subject(config: &Table) -> String {
    let get = |section: &str, key: &str| {
        let value = config.get(section)?.get(key)?;
        Some(value.as_str().map_or_else(|| value.to_string(), |word| word.replace('_', " ")))
    };
    let parts = [
        get("family", "kind").map(|kind| kind.replace("gan", "GAN")),
        get("family", "side").map(|side| format!("{side} px")),
        get("family", "width").map(|width| format!("width {width}")),
        get("family", "loss").map(|loss| format!("{loss} loss")),
        get("family", "update").map(|update| format!("{update} updates")),
        get("batch", "global").map(|global| format!("batches of {global}")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn story(outcome: &Outcome) -> String {
    let word = match outcome.status {
        Status::Running => "under way at",
        Status::Done => "finished at",
        Status::Stopped => "stopped at",
        Status::Failed => "failed at",
    };
    let reason = if outcome.reason.is_empty() { String::new() } else { format!(": {}", outcome.reason) };
    format!("{word} step {} of {}{reason}", outcome.step, outcome.steps)
}

fn timings(outcome: &Outcome) -> Vec<(String, String)> {
    vec![
        ("training, last start".into(), format!("{:.1} s", outcome.seconds)),
        ("samples a second, last start".into(), format!("{:.1}", outcome.samples_per_second)),
    ]
}

/// The newest start, and how many there were.
fn provenance(run: &Path) -> Result<Vec<(String, String)>, CommandError> {
    let Some(text) = text(&run.join("provenance.toml"))? else { return Ok(Vec::new()) };
    let Ok(table) = text.parse::<Table>() else { return Ok(Vec::new()) };
    let Some(Value::Array(starts)) = table.get("start") else { return Ok(Vec::new()) };
    let mut rows = vec![("starts".to_owned(), starts.len().to_string())];
    if let Some(Value::Table(start)) = starts.last() {
        rows.extend(start.iter().map(|(key, value)| {
            (key.replace('_', " "), value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        }));
    }
    if let Some(outcome) = Outcome::read(run).filter(|outcome| !outcome.checksum.is_empty()) {
        rows.push(("checkpoint".into(), format!("{} ({})", outcome.checkpoint, outcome.checksum)));
    }
    Ok(rows)
}
