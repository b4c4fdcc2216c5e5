//! `skyforge sample`: new records from a trained generator.

use std::path::PathBuf;
use std::time::Instant;

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

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// The run folder.
    pub run: PathBuf,
    /// How many records.
    pub count: u64,
    /// The dataset folder; `RUN/samples` where it is not given.
    pub out: Option<PathBuf>,
    /// Seed of all random numbers.
    pub seed: u64,
    /// Which checkpoint and weights.
    pub which: Which,
}

/// Samples this rank's shards.
pub fn run(session: &Session, request: &Request) -> Result<Exit, CommandError> {
    let begun = Instant::now();
    let trained = Trained::open(session, &request.run, &request.which)?;
    Session::torch_threads(trained.facts.threads);
    let device = session.device(Choice::Auto, true)?;
    let model = session.agree(trained.model(device, Precision::Fp32))?;
    let Some(generator) = model.generator() else {
        return Err(trained.cannot(&request.run, "makes no new records", "a run of a generative model"));
    };
    let Trained { checkpoint, facts, averaged } = &trained;
    let network = if *averaged { "generator_ema" } else { "generator" };
    let sampler = Sampler { generator, draw: Draw::new(request.seed), encoding: facts.encoding() };

    let out = request.out.clone().unwrap_or_else(|| request.run.join("samples"));
    let out = OutputDataset::lock(session, &out)?;
    let mut source = toml::Table::from_iter([("made_by".to_owned(), toml::Value::from("sample"))]);
    source
        .insert("run".into(), std::path::absolute(&request.run).unwrap_or_default().to_string_lossy().as_ref().into());
    source.insert("family".into(), facts.family.kind().into());
    source.insert("step".into(), (checkpoint.state.step as i64).into());
    source.insert("checkpoint".into(), checkpoint.checksum().into());
    source.insert("weights".into(), network.into());
    source.insert("seed".into(), (request.seed as i64).into());
    let header = Header {
        count: request.count,
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
        request.count,
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
