//! A worker of a ledger: outputs go to the results of their blocks, and a record that has none is put into quarantine.

use std::sync::Arc;

use serde::Serialize;

use super::engine::Pull;
use super::{MapError, RecordSource};
use crate::data::{DataError, Dataset, Record, Records};
use crate::exit::{Ends, Exit};
use crate::ledger::{Block, End, Hand, Ledger, Next, Worker};

/// The input of an object: its record, or why it cannot be read.
pub type Input = Result<Record, String>;

/// A worker on this rank. Objects of the next block stand beside the last ones of the block before.
pub struct LedgerRun<F> {
    worker: Worker<Input>,
    stop: Arc<dyn Fn() -> bool + Send + Sync>,
    end: End,
    told: F,
}

impl<F> LedgerRun<F> {
    /// Begins to work on `ledger`, whose objects are the records of `dataset`, which has one modality.
    ///
    /// - `told`: called for each object that is finished
    pub fn start(ledger: &Ledger, hand: Hand, dataset: Arc<Dataset>, told: F) -> Self {
        let stop = Arc::clone(&hand.stop);
        let worker = Worker::start(ledger, hand, move |block| read(&dataset, block));
        Self { worker, stop, end: End::Stopped, told }
    }

    /// The worker.
    pub fn worker(&self) -> &Worker<Input> {
        &self.worker
    }

    /// Gives back what is not done, and says why there was nothing more.
    pub fn end(self) -> Result<End, MapError> {
        self.worker.end()?;
        Ok(self.end)
    }
}

/// The records of a block. What is wrong with a record is its own fault; a disk that fails ends the worker.
fn read(dataset: &Dataset, block: Block) -> Result<Vec<Input>, String> {
    let mut records = Records::of(dataset);
    let of_worker = |error: &DataError| error.exit() == Exit::FileSystem;
    let input = |object| match records.read(object) {
        Err(error) if of_worker(&error) => Err(error.to_string()),
        input => Ok(input.map_err(|fault| fault.to_string())),
    };
    block.objects().map(input).collect()
}

impl<T: Serialize, E: From<MapError>, F: FnMut(&Worker<Input>) -> Result<(), E>> RecordSource<T, E> for LedgerRun<F> {
    fn stops(&self) -> bool {
        (self.stop)()
    }

    fn next(&mut self) -> Result<Pull<Record>, E> {
        loop {
            match self.worker.next_object().map_err(MapError::from)? {
                Next::Object(object, Ok(record)) => return Ok(Pull::Record(object, record)),
                Next::Object(object, Err(fault)) => self.worker.finish(object, Err(fault)).map_err(MapError::from)?,
                Next::Later => return Ok(Pull::Later),
                Next::End(why) => {
                    self.end = why;
                    return Ok(Pull::End);
                }
            }
        }
    }

    fn finish(&mut self, number: u64, output: Result<T, MapError>) -> Result<(), E> {
        let payload = output.map(|output| postcard::to_stdvec(&output).expect("outputs can be written down"));
        self.worker.finish(number, payload.map_err(|fault| fault.to_string())).map_err(MapError::from)?;
        (self.told)(&self.worker)
    }
}
