//! A run of records on one rank: outputs leave in the order of records, and the first fault ends the run.

use std::collections::BTreeMap;
use std::ops::Range;

use super::engine::Pull;
use super::{MapError, RecordMap, RecordSource, map_records};
use crate::comm::tree::leaves_of;
use crate::comm::{Communicator, Disagreement, agree};
use crate::data::{Dataset, Record, Records};

/// The records of a rank.
pub struct RankRun<'a, T, F> {
    records: Records<'a>,
    next: Range<u64>,
    due: u64,
    /// Outputs that were ready before others in front of them.
    early: BTreeMap<u64, T>,
    take: F,
}

impl<'a, T, F> RankRun<'a, T, F> {
    /// Of the records `run` of `dataset`, which has one modality.
    ///
    /// - `take`: gets each output, in the order of records
    pub fn new(dataset: &'a Dataset, run: Range<u64>, take: F) -> Self {
        Self { records: Records::of(dataset), due: run.start, next: run, early: BTreeMap::new(), take }
    }
}

impl<T, E: From<MapError>, F: FnMut(T) -> Result<(), E>> RecordSource<T, E> for RankRun<'_, T, F> {
    fn stops(&self) -> bool {
        false
    }

    fn next(&mut self) -> Result<Pull<Record>, E> {
        let Some(number) = self.next.next() else { return Ok(Pull::End) };
        Ok(Pull::Record(number, self.records.read(number).map_err(MapError::from)?))
    }

    fn finish(&mut self, number: u64, output: Result<T, MapError>) -> Result<(), E> {
        self.early.insert(number, output?);
        while let Some(output) = self.early.remove(&self.due) {
            self.due += 1;
            (self.take)(output)?;
        }
        Ok(())
    }
}

/// The records of `rank` among `ranks` that share `records` out: neighbours, and as many on each rank, or one more.
pub fn run_of_rank(records: &Range<u64>, rank: usize, ranks: usize) -> Range<u64> {
    let run = leaves_of(rank, ranks, (records.end - records.start) as usize);
    records.start + run.start as u64..records.start + run.end as u64
}

/// Maps some records over all ranks and gives all outputs to each of them, in the order of records: for records whose number
/// does not grow with the catalogue.
///
/// - `told`: called for each output of this rank
pub fn map_and_gather<M: RecordMap>(
    comm: &dyn Communicator,
    map: &M,
    dataset: &Dataset,
    records: &Range<u64>,
    mut told: impl FnMut(),
) -> Result<Vec<M::Output>, Disagreement<MapError>> {
    let run = run_of_rank(records, comm.rank(), comm.ranks());
    let mut mine = Vec::new();
    let mapped: Result<(), MapError> = map_records(
        map,
        &mut RankRun::new(dataset, run, |output| {
            mine.push(output);
            told();
            Ok(())
        }),
    );
    agree(comm, mapped)?;
    let all = comm.gather(&postcard::to_stdvec(&mine).expect("outputs can be written down"));
    let read = |bytes: Vec<u8>| postcard::from_bytes::<Vec<M::Output>>(&bytes).expect("what a rank wrote can be read");
    Ok(all.into_iter().flat_map(read).collect())
}
