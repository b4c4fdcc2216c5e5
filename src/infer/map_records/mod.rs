//! One way from the records of a dataset to what a model makes of each of them, on the ranks of a program or on the workers
//! of a ledger: `embed`, `predict`, `restore`, `retrieve` and `inpaint` are a [`RecordMap`] each.
//!
//! A record is read, prepared on the host, handed to an [`Engine`] that computes many records at a time, and becomes an
//! output. An output is a function of its record and its number alone: neighbours, ranks and workers do not change a bit of
//! it. Outputs leave as they come, so that memory does not grow with the number of records.

mod engine;
mod fixed_batches;
mod ledger_run;
mod rank_run;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use engine::{Engine, Pull};
pub use fixed_batches::{BATCH, BatchModel, FixedBatches};
pub use ledger_run::{Input, LedgerRun};
pub use rank_run::{RankRun, map_and_gather, run_of_rank};

use crate::data::{DataError, MaskError, Record};
use crate::exit::{Ends, Exit};
use crate::ledger::LedgerError;

/// What is made of each record.
pub trait RecordMap {
    /// What computes it.
    type Engine: Engine;
    /// What is made of a record; ranks and ledgers keep it as bytes.
    type Output: Serialize + DeserializeOwned;

    /// What computes it.
    fn engine(&self) -> &Self::Engine;

    /// Record number `number` as the engine takes it.
    fn prepare(&self, number: u64, record: &Record) -> Result<<Self::Engine as Engine>::Prepared, MapError>;

    /// What becomes of record number `number`, for which the engine computed `made`.
    fn output(
        &self,
        number: u64,
        record: Record,
        made: <Self::Engine as Engine>::Made,
    ) -> Result<Self::Output, MapError>;
}

/// Where records come from and outputs go.
pub trait RecordSource<T, E> {
    /// Whether nothing more is to be computed; asked often.
    fn stops(&self) -> bool;

    /// The next record with its number.
    fn next(&mut self) -> Result<Pull<Record>, E>;

    /// The output of a record that was given out, in any order, or why there is none.
    fn finish(&mut self, number: u64, output: Result<T, MapError>) -> Result<(), E>;
}

/// Maps all records of `source`.
///
/// # Errors
/// What `source` cannot go on after: it decides whether the fault of one record is such an error.
pub fn map_records<M: RecordMap, E>(map: &M, source: &mut impl RecordSource<M::Output, E>) -> Result<(), E> {
    let source = RefCell::new(source);
    let open: RefCell<BTreeMap<u64, Record>> = RefCell::default();
    map.engine().run(
        || source.borrow().stops(),
        || loop {
            let next = source.borrow_mut().next()?;
            let (number, record) = match next {
                Pull::Record(number, record) => (number, record),
                Pull::Later => return Ok(Pull::Later),
                Pull::End => return Ok(Pull::End),
            };
            match map.prepare(number, &record) {
                Ok(prepared) => {
                    open.borrow_mut().insert(number, record);
                    return Ok(Pull::Record(number, prepared));
                }
                Err(fault) => source.borrow_mut().finish(number, Err(fault))?,
            }
        },
        |number, made| {
            let record = open.borrow_mut().remove(&number).expect("the record was given out");
            source.borrow_mut().finish(number, map.output(number, record, made))
        },
    )
}

/// Why a record has no output.
#[derive(Debug, thiserror::Error)]
pub enum MapError {
    /// It cannot be read, or is not one that an encoding takes.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A mask leaves nothing of it.
    #[error(transparent)]
    Mask(#[from] MaskError),
    /// It is not one that can be mapped.
    #[error("{}: object {id}: {fault}", dataset.display())]
    Record {
        /// Folder of its dataset.
        dataset: PathBuf,
        /// Its id there.
        id: u64,
        /// What is wrong, and what was wanted.
        fault: String,
    },
    /// The ledger cannot go on.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl Ends for MapError {
    fn exit(&self) -> Exit {
        match self {
            Self::Data(error) => error.exit(),
            Self::Mask(error) => error.exit(),
            Self::Record { .. } => Exit::Data,
            Self::Ledger(error) => error.exit(),
        }
    }
}
