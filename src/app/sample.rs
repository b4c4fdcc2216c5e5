//! `skyforge sample`: new records from a trained generator.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;

use super::counter::Counter;
use super::output_dataset::OutputDataset;
use super::session::Session;
use super::trained::{Trained, Which};
use super::{CommandError, shards};
use crate::data::normalise::DomainError;
use crate::data::{DataError, DatasetWriter, Encoding, Header, ShardEntry, Splits};
use crate::device::Choice;
use crate::exit::Exit;
use crate::infer::Generate;
use crate::nn::{MADE_AT_ONCE, Precision};
use crate::rng::Draw;

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
    #[command(flatten)]
    which: Which,
}

/// Samples this rank's shards.
pub fn run(session: &Session, arguments: &Arguments) -> Result<Exit, CommandError> {
    let begun = Instant::now();
    let trained = Trained::open(session, &arguments.run, &arguments.which)?;
    Session::torch_threads(trained.facts.threads);
    let device = session.device(Choice::Auto, true)?;
    let model = session.agree(trained.model(device, Precision::Fp32))?;
    let Some(generator) = model.generator() else {
        return Err(trained.cannot(&arguments.run, "makes no new records", "a run of a generative model"));
    };
    let Trained { checkpoint, facts, averaged } = &trained;
    let network = if *averaged { "generator_ema" } else { "generator" };
    let sampler = Sampler { generator, draw: Draw::new(arguments.seed), encoding: facts.encoding() };

    let out = arguments.out.clone().unwrap_or_else(|| arguments.run.join("samples"));
    let out = OutputDataset::lock(session, &out)?;
    let mut source = toml::Table::from_iter([("made_by".to_owned(), toml::Value::from("sample"))]);
    source.insert(
        "run".into(),
        std::path::absolute(&arguments.run).unwrap_or_default().to_string_lossy().as_ref().into(),
    );
    source.insert("family".into(), facts.family.kind().into());
    source.insert("step".into(), (checkpoint.state.step as i64).into());
    source.insert("checkpoint".into(), checkpoint.checksum().into());
    source.insert("weights".into(), network.into());
    source.insert("seed".into(), (arguments.seed as i64).into());
    let header = Header {
        count: arguments.count,
        modalities: vec![facts.modality.clone()],
        labels: facts.labels.clone(),
        splits: Splits::new(),
        source,
    };
    let kind = header.modality().kind;
    let [one, many] = [kind.name(), kind.plural()];
    let writer = session.agree(DatasetWriter::create(out.folder(), header))?;
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
        out.folder().display()
    );
    Ok(Exit::Done)
}

/// A generator that gives record number i for (seed, i), whoever asks and whatever else is asked.
struct Sampler<'a> {
    generator: &'a dyn Generate,
    draw: Draw,
    encoding: &'a Encoding,
}

impl Sampler<'_> {
    /// Records `64 batch .. 64 (batch + 1)`, with `MADE_AT_ONCE` for 64: arrays `[64, ..shape]` in physical units, and the
    /// labels `[64, p]` that the generator makes with them.
    fn batch(&self, batch: u64) -> Result<(Vec<f32>, Vec<f32>), DomainError> {
        let records = self.generator.generate(self.draw, batch * MADE_AT_ONCE..(batch + 1) * MADE_AT_ONCE);
        self.encoding.decode(Vec::<f32>::try_from(records.flatten(0, -1)).expect("records are numbers"))
    }
}

fn write_shard(
    writer: &DatasetWriter,
    sampler: &Sampler,
    shard: usize,
    counter: &Counter,
) -> Result<ShardEntry, DataError> {
    let mut held: Option<(u64, Vec<f32>, Vec<f32>)> = None;
    writer.write_blocks(shard, |records, rows| {
        let count = (records.end - records.start) as usize;
        let (record_len, numbers) = (rows.values[0].len() / count, rows.labels.len() / count);
        let mut labels = rows.labels.chunks_exact_mut(numbers.max(1));
        for (record, values) in records.zip(rows.values[0].chunks_exact_mut(record_len)) {
            let batch = record / MADE_AT_ONCE;
            if held.as_ref().is_none_or(|(have, ..)| *have != batch) {
                let made = sampler.batch(batch).map_err(|source| DataError::Domain { record, source })?;
                held = Some((batch, made.0, made.1));
            }
            let (_, made, made_labels) = held.as_ref().expect("the batch was made");
            let place = (record % MADE_AT_ONCE) as usize;
            values.copy_from_slice(&made[place * record_len..(place + 1) * record_len]);
            if let Some(labels) = labels.next().filter(|_| !made_labels.is_empty()) {
                labels.copy_from_slice(&made_labels[place * numbers..(place + 1) * numbers]);
            }
            counter.add(1);
        }
        Ok::<(), DataError>(())
    })
}
