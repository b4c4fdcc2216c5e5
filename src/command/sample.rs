//! `skyforge sample`: new records from a trained generator.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use clap::{Args, ValueEnum};

use super::counter::Counter;
use super::session::Session;
use super::{CommandError, shards};
use crate::checkpoint::{self, Checkpoint};
use crate::config::{CodecSection, ModelSection};
use crate::data::{
    Aspa, Channel, DataError, DatasetWriter, Encoding, Field, Header, Kind, Parameter, ShardEntry, SpectralAxis,
    Transform, atmosphere,
};
use crate::device::Choice;
use crate::exit::Exit;
use crate::files;
use crate::inference::RecordSampler;
use crate::model::MADE_AT_ONCE;
use crate::one_line;

/// Draw new records from a trained generator.
///
/// They come as a dataset of the same format and unit as the training data. The same seed gives the same record
/// number i, and the same bytes on disk, on any number of ranks.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  skyforge sample runs/maps --count 1024 --out data/generated")]
pub struct Arguments {
    /// The run folder
    run: PathBuf,
    /// How many records
    #[arg(long, allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(1..))]
    count: u64,
    /// The dataset folder, which must not hold one yet; RUN/samples where it is not given
    #[arg(long)]
    out: Option<PathBuf>,
    /// All chance follows from it
    #[arg(long, default_value_t = 0, allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(..=i64::MAX as u64))]
    seed: u64,
    /// Which checkpoint, as in step-0001000, or best: that of the smallest measured error; the newest whole one where it
    /// is not given
    #[arg(long)]
    checkpoint: Option<String>,
    /// Which of the generator's weights
    #[arg(long, value_enum, default_value_t = Weights::Auto)]
    weights: Weights,
}

/// Which of the generator's weights samples are made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Weights {
    /// Averaged ones where the run kept them.
    Auto,
    /// Averaged over the steps.
    Ema,
    /// As they were at the step.
    Live,
}

/// Samples this rank's shards.
pub fn run(session: &Session, arguments: &Arguments) -> Result<Exit, CommandError> {
    let begun = Instant::now();
    let checkpoint = choose(session, arguments)?;
    let facts = session.agree(Facts::of(&checkpoint))?;
    let has_average = session.agree(checkpoint.has_average("generator"))?;
    if arguments.weights == Weights::Ema && !has_average {
        return Err(CommandError::Usage(format!(
            "--weights is ema, but {} kept no average, expected auto or live",
            arguments.run.display()
        )));
    }
    let averaged = has_average && arguments.weights != Weights::Live;
    let network = if averaged { "generator_ema" } else { "generator" };
    Session::torch_threads(facts.threads);
    let ModelSection::Dcgan(model) = &facts.model;
    let device = session.device(Choice::Auto, true)?;
    let sampler = session.agree(RecordSampler::open(
        &checkpoint,
        network,
        model,
        facts.encoding.clone(),
        arguments.seed,
        device,
    ))?;

    let out = arguments.out.clone().unwrap_or_else(|| arguments.run.join("samples"));
    let mut source = toml::Table::new();
    source.insert(
        "run".into(),
        std::path::absolute(&arguments.run).unwrap_or_default().to_string_lossy().as_ref().into(),
    );
    source.insert("step".into(), (checkpoint.state.step as i64).into());
    source.insert("checkpoint".into(), checkpoint.checksum().into());
    source.insert("weights".into(), network.into());
    source.insert("seed".into(), (arguments.seed as i64).into());
    let header = Header {
        kind: if facts.axis.is_some() { Kind::Spectra } else { Kind::Maps },
        count: arguments.count,
        shape: facts.shape,
        unit: facts.unit,
        parameters: facts.parameters,
        transform: facts.transform,
        splits: std::collections::BTreeMap::new(),
        field: facts.field,
        axis: facts.axis,
        source,
    };
    let [one, many] = match header.kind {
        Kind::Maps => ["map", "maps"],
        Kind::Spectra => ["spectrum", "spectra"],
    };
    let writer = session.agree(DatasetWriter::create(&out, header))?;
    let (mine, counter) = shards::share(session, &writer, one, many);
    let written: Result<Vec<ShardEntry>, DataError> =
        mine.into_iter().map(|shard| write_shard(&writer, &sampler, shard, &counter)).collect();
    drop(counter);
    shards::finish(session, writer, written)?;
    log::info!(
        "{} {many} of {network} after step {} in {:.1} s: {}",
        arguments.count,
        checkpoint.state.step,
        begun.elapsed().as_secs_f64(),
        out.display()
    );
    Ok(Exit::Done)
}

fn write_shard(
    writer: &DatasetWriter,
    sampler: &RecordSampler,
    shard: usize,
    counter: &Counter,
) -> Result<ShardEntry, DataError> {
    let mut held: Option<(u64, Vec<f32>, Vec<f32>)> = None;
    writer.write_blocks(shard, |records, rows| {
        let count = (records.end - records.start) as usize;
        let (record_len, numbers) = (rows.values.len() / count, rows.parameters.len() / count);
        let mut parameters = rows.parameters.chunks_exact_mut(numbers.max(1));
        for (record, values) in records.zip(rows.values.chunks_exact_mut(record_len)) {
            let batch = record / MADE_AT_ONCE;
            if held.as_ref().is_none_or(|(have, ..)| *have != batch) {
                let made = sampler.batch(batch).map_err(|source| DataError::Domain { record, source })?;
                held = Some((batch, made.0, made.1));
            }
            let (_, made, made_parameters) = held.as_ref().expect("the batch was made");
            let place = (record % MADE_AT_ONCE) as usize;
            values.copy_from_slice(&made[place * record_len..(place + 1) * record_len]);
            if let Some(parameters) = parameters.next() {
                parameters.copy_from_slice(&made_parameters[place * numbers..(place + 1) * numbers]);
            }
            counter.add(1);
        }
        Ok::<(), DataError>(())
    })
}

/// The checkpoint that is asked for, or the newest whole one: rank 0 chooses, since training may add one meanwhile.
fn choose(session: &Session, arguments: &Arguments) -> Result<Checkpoint, CommandError> {
    let chosen = if session.rank() == 0 { open_checkpoint(arguments).map(Some) } else { Ok(None) };
    let chosen = session.agree(chosen)?;
    let folder = chosen.as_ref().map_or(Vec::new(), |chosen| chosen.folder().as_os_str().as_encoded_bytes().to_vec());
    let folder = session.comm().broadcast(&folder);
    let mine = chosen.map_or_else(|| Checkpoint::open(Path::new(&*String::from_utf8_lossy(&folder))), Ok);
    session.agree(mine)
}

fn open_checkpoint(arguments: &Arguments) -> Result<Checkpoint, CommandError> {
    let run = &arguments.run;
    files::expect_folder(run, "the folder of a run").map_err(CommandError::io(run))?;
    let folder = run.join("checkpoints");
    let none = || CommandError::Wrong {
        path: run.clone(),
        fault: "has no whole checkpoint, expected the folder of a run that was trained".into(),
    };
    let Some(name) = &arguments.checkpoint else {
        let (found, damaged) = checkpoint::newest(&folder)?;
        for (_, fault) in &damaged {
            log::warn!("{fault}: not used");
        }
        return found.ok_or_else(none);
    };
    if name == "best" {
        return checkpoint::best(&folder)?.ok_or_else(|| CommandError::Wrong {
            path: run.clone(),
            fault: "has no checkpoint with a measured error, expected a run with trainer.measure_every".into(),
        });
    }
    let mut known = Vec::new();
    for (folder, opened) in checkpoint::all(&folder)? {
        let have = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if have == *name {
            return Ok(opened?);
        }
        known.push(have);
    }
    match (known.first(), known.last()) {
        (Some(newest), Some(oldest)) => Err(CommandError::Usage(format!(
            "{} has no checkpoint `{name}`, expected best or one of its {}, from {oldest} to {newest}",
            run.display(),
            known.len()
        ))),
        _ => Err(none()),
    }
}

/// What a checkpoint says of the data its networks learned from.
struct Facts {
    model: ModelSection,
    shape: Vec<usize>,
    unit: String,
    /// The default of a dataset of samples.
    transform: Transform,
    encoding: Encoding,
    parameters: Vec<Parameter>,
    field: Option<Field>,
    axis: Option<SpectralAxis>,
    threads: usize,
}

impl Facts {
    fn of(checkpoint: &Checkpoint) -> Result<Self, CommandError> {
        fn get<T: serde::de::DeserializeOwned>(table: &toml::Table, path: &[&str]) -> Result<T, String> {
            let missing = || format!("has no run.{}", path.join("."));
            let mut value = table.get(path[0]).ok_or_else(missing)?;
            for key in &path[1..] {
                value = value.get(key).ok_or_else(missing)?;
            }
            value
                .clone()
                .try_into()
                .map_err(|error: toml::de::Error| format!("run.{}: {}", path.join("."), one_line::message(&error)))
        }
        let run = &checkpoint.state.run;
        let read = || -> Result<Self, String> {
            let has = |key: &str| run.get("dataset").and_then(|dataset| dataset.get(key)).is_some();
            let (transform, encoding, parameters, axis) = if has("codec") {
                let CodecSection::Aspa(settings) = get(run, &["dataset", "codec"])?;
                let wavelength_um: Vec<f64> = get(run, &["dataset", "wavelength_um"])?;
                let aspa =
                    Aspa::new(settings, &wavelength_um).map_err(|fault| format!("run.dataset.codec: {fault}"))?;
                let axis = SpectralAxis { channels: vec![Channel::Depth], wavelength_um };
                (Transform::default(), Encoding::Aspa(Arc::new(aspa)), atmosphere::parameters(), Some(axis))
            } else {
                let transform = get(run, &["dataset", "transform"])?;
                (transform, Encoding::Transform(transform), Vec::new(), None)
            };
            Ok(Self {
                model: get(run, &["model"])?,
                shape: get(run, &["dataset", "shape"])?,
                unit: get(run, &["dataset", "unit"])?,
                transform,
                encoding,
                parameters,
                field: has("field").then(|| get(run, &["dataset", "field"])).transpose()?,
                axis,
                threads: get(run, &["trainer", "threads_per_rank"])?,
            })
        };
        read().map_err(|fault| CommandError::Wrong { path: checkpoint.folder().join("state.toml"), fault })
    }
}
