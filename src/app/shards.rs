//! Datasets written by all ranks: each shard by one of them, the manifest last.

use std::ops::Range;
use std::sync::mpsc;
use std::thread::{self, ScopedJoinHandle};

use rayon::prelude::*;

use super::CommandError;
use super::counter::Counter;
use super::output_dataset::OutputDataset;
use super::session::Session;
use crate::data::{DataError, Dataset, DatasetWriter, Header, Record, ShardEntry, Splits, split};
use crate::exit::Ends;
use crate::infer::map_records::run_of_rank;

/// A dataset in the new folder `out`: this rank's shards, each by `make` on any of its threads, then the manifest.
pub fn write<E: Ends + Into<CommandError> + Send>(
    session: &Session,
    out: &OutputDataset,
    header: Header,
    [unit, units]: [&'static str; 2],
    make: impl Fn(&DatasetWriter, usize, &Counter) -> Result<ShardEntry, E> + Sync,
) -> Result<Dataset, CommandError> {
    let writer = session.agree(DatasetWriter::create(out.folder(), header))?;
    // HDF5 makes one file at a time, but the records between are made on all threads.
    let (mine, counter) = share(session, &writer, unit, units);
    let written: Result<Vec<ShardEntry>, E> =
        mine.into_par_iter().map(|shard| make(&writer, shard, &counter)).collect();
    drop(counter);
    finish(session, writer, written)?;
    session.agree(Dataset::open(out.folder()))
}

/// A dataset in the new folder `out` whose records take long: each rank makes an even run of them, and writes the shards that begin in it.
/// Memory is that of a block, and of a run's records in a shard that began before it.
///
/// - `make`: hands over the records of a run, in order
pub fn write_evenly(
    session: &Session,
    out: &OutputDataset,
    header: Header,
    make: impl FnOnce(Range<u64>, &mut dyn FnMut(Record) -> Result<(), CommandError>) -> Result<(), CommandError>,
) -> Result<(), CommandError> {
    let (comm, count) = (session.comm(), header.count);
    let writer = session.agree(DatasetWriter::create(out.folder(), header))?;
    let run_of = |rank| run_of_rank(&(0..count), rank, comm.ranks());
    let mine = run_of(comm.rank());
    let rows = &writer.layout().shard_rows;
    let shards: Vec<usize> = (0..rows.len()).filter(|shard| mine.contains(&rows[*shard].start)).collect();
    let first = shards.first().map_or(mine.end, |shard| rows[*shard].start);
    let end = shards.last().map_or(mine.end, |shard| rows[*shard].end);
    let written = write_stream(&writer, &shards, |hand| {
        let mut head = Vec::new();
        let mut next = mine.start;
        let made = make(mine.clone(), &mut |record| {
            next += 1;
            if next > first {
                return hand(record);
            }
            head.push(record);
            Ok(())
        });
        session.agree(made)?;
        if let Some(shard) = rows.iter().find(|shard| !head.is_empty() && shard.contains(&mine.start)) {
            let owner = (0..comm.rank()).find(|rank| run_of(*rank).contains(&shard.start));
            let bytes = postcard::to_stdvec(&head).expect("records are numbers");
            comm.send_bytes(owner.expect("it began in an earlier run"), &bytes);
        }
        let mut handed = Ok(());
        for rank in comm.rank() + 1..comm.ranks() {
            let run = run_of(rank);
            if run.start >= end {
                break;
            }
            if run.is_empty() {
                continue; // more ranks than records
            }
            // Whoever sends waits until it is taken, so all is taken whatever becomes of it.
            let records: Vec<Record> =
                postcard::from_bytes(&comm.receive_bytes(rank)).expect("what a rank wrote can be read");
            handed = handed.and_then(|()| records.into_iter().try_for_each(&mut *hand));
        }
        handed
    });
    finish(session, writer, written)
}

/// Records that may wait for whoever writes.
const WAITING: usize = 64;

/// Why no more is written: an error, or because nobody has more.
struct Halt(Option<DataError>);

impl From<DataError> for Halt {
    fn from(error: DataError) -> Self {
        Self(Some(error))
    }
}

/// Shards of records that come one after the other: `make` hands over those of `shards` in their order, while a thread writes. Memory is
/// that of a block.
pub fn write_stream(
    writer: &DatasetWriter,
    shards: &[usize],
    make: impl FnOnce(&mut dyn FnMut(Record) -> Result<(), CommandError>) -> Result<(), CommandError>,
) -> Result<Vec<ShardEntry>, CommandError> {
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::sync_channel(WAITING);
        let mut writing = Some(scope.spawn(move || {
            let written = shards.iter().map(|shard| write_coming(writer, *shard, &receiver));
            written.collect::<Result<Vec<ShardEntry>, Halt>>()
        }));
        make(&mut |record| match sender.send(record) {
            Ok(()) => Ok(()),
            Err(_) => Err(end_of(&mut writing).expect_err("there is room for each record, or an error")),
        })?;
        drop(sender);
        end_of(&mut writing)
    })
}

fn write_coming(writer: &DatasetWriter, shard: usize, records: &mpsc::Receiver<Record>) -> Result<ShardEntry, Halt> {
    writer.write_blocks(shard, |numbers, rows| {
        let count = (numbers.end - numbers.start) as usize;
        let (length, labels) = (rows.values[0].len() / count, rows.labels.len() / count);
        for row in 0..count {
            let record = records.recv().map_err(|_| Halt(None))?;
            rows.ids[row] = record.id;
            rows.values[0][row * length..(row + 1) * length].copy_from_slice(&record.values);
            rows.labels[row * labels..(row + 1) * labels].copy_from_slice(&record.labels);
        }
        Ok(())
    })
}

/// What became of the thread that writes.
fn end_of(
    writing: &mut Option<ScopedJoinHandle<Result<Vec<ShardEntry>, Halt>>>,
) -> Result<Vec<ShardEntry>, CommandError> {
    let end = writing.take().expect("it ends once").join().expect("a panic has ended the program");
    end.map_err(|Halt(error)| error.expect("as many records come as were promised").into())
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

/// The splits of `count` records by the shares of `--validation` and `--test`; that there are too few records for one is told.
pub fn splits(session: &Session, count: u64, validation: f64, test: f64) -> Splits {
    let splits = split::by_shares(count, validation, test);
    for (name, share) in [(split::VALIDATION, validation), (split::TEST, test)] {
        if session.rank() == 0 && share > 0.0 && !splits.contains_key(name) {
            log::warn!("{count} records are too few for the split `{name}`, a share of {share}: there is none");
        }
    }
    splits
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
