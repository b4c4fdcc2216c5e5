//! Datasets written by all ranks: each shard by one of them, the manifest last.

use std::collections::BTreeMap;
use std::path::Path;

use rayon::prelude::*;

use super::CommandError;
use super::counter::Counter;
use super::session::Session;
use crate::data::{Dataset, DatasetWriter, Header, ShardEntry, Split};
use crate::exit::Ends;

/// A dataset in the new folder `out`: this rank's shards, each by `make` on any of its threads, then the manifest.
pub fn write<E: Ends + Into<CommandError> + Send>(
    session: &Session,
    out: &Path,
    header: Header,
    [unit, units]: [&'static str; 2],
    make: impl Fn(&DatasetWriter, usize, &Counter) -> Result<ShardEntry, E> + Sync,
) -> Result<Dataset, CommandError> {
    let writer = session.agree(DatasetWriter::create(out, header))?;
    // HDF5 makes one file at a time, but the records between are made on all threads.
    let (mine, counter) = share(session, &writer, unit, units);
    let written: Result<Vec<ShardEntry>, E> =
        mine.into_par_iter().map(|shard| make(&writer, shard, &counter)).collect();
    drop(counter);
    finish(session, writer, written)?;
    session.agree(Dataset::open(out))
}

/// The shards of this rank, and a counter of their records.
pub fn share(
    session: &Session,
    writer: &DatasetWriter,
    unit: &'static str,
    units: &'static str,
) -> (Vec<usize>, Counter) {
    let mine: Vec<usize> = (session.rank()..writer.shards()).step_by(session.ranks()).collect();
    let records = |shard: &usize| {
        let rows = &writer.layout().shard_rows[*shard];
        rows.end - rows.start
    };
    let total = mine.iter().map(records).sum();
    (mine, Counter::new(session, unit, units, total))
}

/// The splits `train` and `test` of so many records: the last share of them is held back.
pub fn splits(count: u64, test: f64) -> BTreeMap<String, Split> {
    let train = count - (count as f64 * test).round() as u64;
    let parts = [("train", 0..train), ("test", train..count)];
    let full = parts.into_iter().filter(|(_, records)| !records.is_empty());
    full.map(|(name, records)| (name.to_owned(), Split::new([records]))).collect()
}

/// All ranks' shards become a dataset.
pub fn finish<E: Ends + Into<CommandError>>(
    session: &Session,
    writer: DatasetWriter,
    written: Result<Vec<ShardEntry>, E>,
) -> Result<(), CommandError> {
    let mine = session.agree(written)?;
    let mine = serde_json::to_vec(&mine).expect("shard entries are JSON");
    let entries = session.comm().gather(&mine);
    let entries = entries
        .iter()
        .flat_map(|bytes| serde_json::from_slice::<Vec<ShardEntry>>(bytes).expect("ranks sent shard entries"))
        .collect();
    let manifest = if session.rank() == 0 { writer.finish(entries).map(drop) } else { Ok(()) };
    session.agree(manifest)
}
