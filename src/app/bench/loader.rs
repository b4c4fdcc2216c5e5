//! `skyforge bench loader`: shuffled records from disk, read, checked and transformed as in training.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use serde_json::json;

use super::pace::{Pace, Rounds};
use super::temporary::Temporary;
use super::{figures, limit, median, range};
use crate::app::output::say;
use crate::app::output_dataset::OutputDataset;
use crate::app::session::Session;
use crate::app::{CommandError, shards};
use crate::data::{
    BatchPlan, DataError, Dataset, DatasetWriter, Header, Loader, LoaderSettings, Manifest, Modality, Transform, split,
};
use crate::exit::Exit;
use crate::rng::{Draw, Stream};

/// Batches to load.
#[derive(Clone, Debug)]
pub struct Request {
    /// Random maps are written where it is not given.
    pub data: Option<PathBuf>,
    pub split: String,
    /// Random maps and their side in pixels.
    pub maps: u64,
    pub side: u16,
    /// The new folder in which random maps stay.
    pub keep: Option<PathBuf>,
    /// Records of a batch, for each rank.
    pub batch: u32,
    /// Batches of a round.
    pub batches: u64,
    pub rounds: Rounds,
    pub json: bool,
}

/// What `pread` is measured on: enough to be beyond any cache of a processor.
const MOST_PREAD_BYTES: u64 = 1 << 30;

/// Times on this rank, together with the others.
pub fn run(session: &Session, request: &Request) -> Result<Exit, CommandError> {
    let temporary = match (&request.data, &request.keep) {
        (None, None) => Some(session.agree(Temporary::create(session, &std::env::temp_dir()))?),
        _ => None,
    };
    let folder = match (&request.data, &request.keep, &temporary) {
        (Some(folder), ..) | (_, Some(folder), _) => folder.clone(),
        (.., Some(temporary)) => temporary.0.clone(),
        _ => unreachable!("random maps have a folder"),
    };
    if request.data.is_none() {
        random_maps(session, &folder, request)?;
    }
    let result = time(session, request, &folder);
    session.comm().gather(&[]); // the folder goes when all have read
    drop(temporary);
    result
}

fn time(session: &Session, request: &Request, folder: &Path) -> Result<Exit, CommandError> {
    let dataset = Arc::new(session.agree(Dataset::open(folder))?);
    let settings = LoaderSettings { split: request.split.clone(), ..LoaderSettings::default() };
    let (rank, ranks, batch) = (session.rank(), session.ranks(), request.batch as usize);
    let plan = BatchPlan { global: ranks * batch, microbatches: ranks, mine: rank..rank + 1, seed: 1 };
    let mut loader = session.agree(Loader::new(Arc::clone(&dataset), &settings, plan, 0))?;
    // What the loader's threads have done before a round began is not counted: two windows, and a few batches.
    let ahead = 2 * settings.window_blocks as u64 * dataset.manifest().block_rows;
    let run_in = ahead.min(2 * loader.records()).div_ceil((ranks * batch) as u64) + 8;
    let mut round = || -> Result<f64, DataError> {
        for _ in 0..run_in {
            let microbatch = loader.next()?;
            loader.recycle(microbatch);
        }
        let begun = Instant::now();
        for _ in 0..request.batches {
            let microbatch = loader.next()?;
            loader.recycle(microbatch);
        }
        Ok((request.batches * u64::from(request.batch)) as f64 / begun.elapsed().as_secs_f64())
    };
    let mut pace = Pace::start(session, request.rounds)?;
    if pace.warms_up() {
        session.agree(round())?;
    }
    let mut rates = Vec::new();
    while pace.next() {
        session.comm().gather(&[]);
        let mine = session.agree(round())?;
        rates.push(super::of_all(session.comm(), mine).into_iter().sum::<f64>());
        pace.tell(&json!({ "samples_per_second": rates.last() }))?;
    }
    drop(loader);
    let threads = rayon::current_num_threads();
    let copy = limit::copy(session.comm(), threads);
    let files: Vec<PathBuf> = dataset.manifest().shards.iter().map(|shard| folder.join(&shard.file)).collect();
    let pread = limit::pread(session.comm(), &files, MOST_PREAD_BYTES).map_err(CommandError::io(folder));
    let pread = session.agree(pread)?;
    if session.rank() == 0 && !rates.is_empty() {
        tell(request, ranks, dataset.manifest(), &rates, [("copy", copy), ("pread", pread)])?;
    }
    Ok(Exit::Done)
}

fn tell(
    request: &Request,
    ranks: usize,
    manifest: &Manifest,
    rates: &[f64],
    limits: [(&str, f64); 2],
) -> Result<(), CommandError> {
    let record_bytes: u64 = manifest.modalities.iter().filter_map(Modality::bytes).sum();
    let bytes_per_second = median(rates) * record_bytes as f64;
    if request.json {
        let mut all = json!({
            "ranks": ranks, "records": manifest.count, "shape": manifest.modality().shape, "batch": request.batch,
            "transform": manifest.modality().transform, "batches": request.batches, "rounds": rates.len(),
            "samples_per_second": figures(rates), "bytes_per_second": bytes_per_second,
        });
        for (name, limit) in limits {
            all[format!("{name}_bytes_per_second")] = limit.into();
            all[format!("share_of_{name}")] = (bytes_per_second / limit).into();
        }
        return say(&all.to_string());
    }
    let (low, high) = range(rates);
    eprintln!("samples_per_second: {low:.0} to {high:.0} in {} rounds", rates.len());
    say(&format!("samples_per_second {:.0}", median(rates)))?;
    for (name, limit) in limits {
        eprintln!("{name}: {:.1} GB/s, all ranks", 1e-9 * limit);
        say(&format!("share_of_{name} {:.3}", bytes_per_second / limit))?;
    }
    Ok(())
}

/// Normal pixels; maps begin at different places of one long draw, since this is about moving them.
fn random_maps(session: &Session, folder: &Path, request: &Request) -> Result<(), CommandError> {
    let side = usize::from(request.side);
    let header = Header {
        count: request.maps,
        modalities: vec![Modality::maps([1, side, side], "1", Transform::default(), None)],
        labels: Vec::new(),
        splits: split::by_shares(request.maps, 0.0, 0.0),
        source: toml::Table::from_iter([("made_by".into(), "bench loader".into())]),
    };
    let draw = Draw::new(0);
    let length = side * side;
    let normals = draw.at(Stream::Simulation, 0, 0).normals(length + (1 << 18));
    let out = OutputDataset::lock(session, folder)?;
    let writer = session.agree(DatasetWriter::create(out.folder(), header))?;
    let (mine, counter) = shards::share(session, &writer, "map", "maps");
    let written: Result<Vec<_>, DataError> = mine
        .into_iter()
        .map(|shard| {
            writer.write_shard(shard, |record, map| {
                let at = draw.at(Stream::Simulation, record, 1).below(1 << 18) as usize;
                map.copy_from_slice(&normals[at..at + length]);
                counter.add(1);
            })
        })
        .collect();
    drop(counter);
    shards::finish(session, writer, written)
}
