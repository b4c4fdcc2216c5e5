//! `skyforge report`: a run's story in one HTML file.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use toml::{Table, Value};

use super::CommandError;
use super::evaluate::{Compared, Sets};
use super::output::say;
use crate::data::Dataset;
use crate::exit::Exit;
use crate::files;
use crate::report::{ExampleMaps, ReportInputs, render};
use crate::statistics::{Comparison, RetrievalStatistics};
use crate::train::{Outcome, Status, metrics};

/// Write a run's report.html.
///
/// One file with its figures inside, made of what the run folder holds: what is not there yet is named in it.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  skyforge report runs/maps")]
pub struct Arguments {
    /// The run folder
    run: PathBuf,
    /// Where the report goes; RUN/report.html where it is not given
    #[arg(long)]
    out: Option<PathBuf>,
}

/// Writes the report.
pub fn run(arguments: &Arguments) -> Result<Exit, CommandError> {
    write(arguments)?;
    Ok(Exit::Done)
}

fn write(arguments: &Arguments) -> Result<(), CommandError> {
    let run = &arguments.run;
    files::expect_folder(run, "the folder of a run").map_err(CommandError::io(run))?;
    if !run.join("config.toml").is_file() {
        let fault = "has no config.toml, expected the folder of a run that was trained".into();
        return Err(CommandError::Wrong { path: run.clone(), fault });
    }
    let inputs = gather(run)?;
    let out = arguments.out.clone().unwrap_or_else(|| run.join("report.html"));
    files::write_whole(&out, render(&inputs).as_bytes()).map_err(CommandError::io(&out))?;
    say(&out.display().to_string())
}

fn gather(run: &Path) -> Result<ReportInputs, CommandError> {
    let outcome = Outcome::read(run);
    let config = text(&run.join("config.toml"))?.unwrap_or_default();
    let metrics_path = run.join("metrics.jsonl");
    let metrics = if metrics_path.is_file() {
        metrics::read(&metrics_path).map_err(crate::train::TrainError::from)?
    } else {
        Vec::new()
    };
    let wanted = "what `skyforge evaluate` writes";
    let (comparison, sets) = match read_json::<Judged<Comparison, Sets>>(&run.join("statistics.json"), wanted)? {
        None => (None, None),
        Some(judged) => (Some(judged.found), Some(judged.sets)),
    };
    let retrieved = run.join("retrieval");
    let judged = read_json::<Judged<RetrievalStatistics, Compared>>(&retrieved.join("table.statistics.json"), wanted)?;
    let (retrieval, held_against) = judged.map_or((None, None), |judged| (Some(judged.found), Some(judged.sets)));
    let whole = std::path::absolute(run).unwrap_or_else(|_| run.to_owned());
    Ok(ReportInputs {
        run: whole.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        subject: subject(&config),
        outcome: outcome.as_ref().map_or(String::new(), story),
        unit: "convergence".into(),
        reference_name: sets.as_ref().map_or(String::new(), reference_name),
        compared: sets.as_ref().map(compared).or(held_against.as_ref().map(against)).unwrap_or_default(),
        config,
        provenance: provenance(run)?,
        metrics,
        timings: outcome.as_ref().map_or(Vec::new(), timings),
        comparison,
        generated: examples(&run.join("examples/generated"))?,
        reference: examples(&run.join("examples/reference"))?,
        retrieval,
        examples: read_json(&retrieved.join("examples.json"), "what `skyforge retrieve` writes")?,
    })
}

/// Numbers, and what was compared with what.
#[derive(serde::Deserialize)]
struct Judged<F, S> {
    #[serde(flatten)]
    found: F,
    sets: S,
}

/// What a JSON file says, if the file is there.
fn read_json<T: serde::de::DeserializeOwned>(path: &Path, wanted: &str) -> Result<Option<T>, CommandError> {
    let Some(text) = text(path)? else { return Ok(None) };
    let wrong = |error| CommandError::Wrong { path: path.to_owned(), fault: format!("{error}, expected {wanted}") };
    serde_json::from_str(&text).map(Some).map_err(wrong)
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
fn subject(config: &str) -> String {
    let Ok(table) = config.parse::<Table>() else { return String::new() };
    let get = |section: &str, key: &str| {
        let value = table.get(section)?.get(key)?;
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

/// What the maps were held against, in words.
fn reference_name(sets: &Sets) -> String {
    match sets.split.as_str() {
        "test" => "held-back maps".into(),
        "all" => "all maps of the reference".into(),
        split => format!("maps of the split {split}"),
    }
}

/// Which maps were compared with which, in a line.
fn compared(sets: &Sets) -> String {
    let origin = match (&sets.weights, sets.step, &sets.checkpoint) {
        (Some(weights), Some(step), Some(checkpoint)) => format!("{weights} after step {step} ({checkpoint})"),
        _ => format!("dataset {}", sets.generated),
    };
    format!("Compared: maps of {origin} with the split {} of dataset {}.", sets.split, sets.reference)
}

/// What a retrieval was held against, in a line.
fn against(compared: &Compared) -> String {
    let records = match compared.split.as_str() {
        "all" => "all records".into(),
        split => format!("the split {split}"),
    };
    format!("Compared: retrieved parameters with the true ones of {records} of dataset {}.", compared.reference)
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

fn examples(folder: &Path) -> Result<Option<ExampleMaps>, CommandError> {
    if !folder.join("manifest.toml").is_file() {
        return Ok(None);
    }
    let dataset = Dataset::open(folder)?;
    let [_, side, _] = dataset.manifest().modality().shape[..] else { return Ok(None) };
    Ok(Some(ExampleMaps { pixels: dataset.read(0, 0..dataset.manifest().count)?, side }))
}
