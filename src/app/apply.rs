//! A trained run and the records that it is applied to, over the ranks or over the workers of a ledger.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::counter::{Counter, LedgerCounter};
use super::ledger::hand;
use super::session::Session;
use super::trained::{Trained, Which};
use super::{CommandError, logging};
use crate::data::Dataset;
use crate::device::Choice;
use crate::exit::Exit;
use crate::infer::map_records::{LedgerRun, RankRun};
use crate::infer::{RecordMap, TrainedModel, map_records};
use crate::ledger::{Lease, Ledger, Work};
use crate::nn::Precision;

/// A run, and a dataset whose records are such as it learned from.
pub struct Application {
    /// The run.
    pub trained: Trained,
    /// The dataset.
    pub dataset: Arc<Dataset>,
}

/// What is asked of a worker of a ledger.
#[derive(Clone, Debug, Default)]
pub struct LedgerRequest {
    /// Folder of the ledger, where records are shared out over one.
    pub ledger: Option<PathBuf>,
    /// Objects of a block, where that is asked for.
    pub objects_per_block: Option<u64>,
    /// Minutes after which the worker leaves.
    pub max_wall: Option<f64>,
}

impl LedgerRequest {
    /// Whether each who runs the command is a worker.
    pub fn is_for_workers(&self) -> bool {
        self.ledger.is_some()
    }
}

impl Application {
    /// Opens `run` for the dataset in `data`.
    pub fn open(session: &Session, run: &Path, which: &Which, data: &Path) -> Result<Self, CommandError> {
        let trained = Trained::open(session, run, which)?;
        let dataset = Arc::new(session.agree(trained.dataset(data))?);
        Ok(Self { trained, dataset })
    }

    /// The model of the run on this rank's device, for fits in `precision`.
    pub fn model(&self, session: &Session, precision: Precision) -> Result<Box<dyn TrainedModel>, CommandError> {
        Session::torch_threads(self.trained.facts.threads);
        let device = session.device(Choice::Auto, true)?;
        session.agree(self.trained.model(device, precision))
    }

    /// What records are called: one, and several.
    pub fn names(&self) -> [&'static str; 2] {
        let kind = self.dataset.manifest().modality().kind;
        [kind.name(), kind.plural()]
    }

    /// Maps the records `run` on this rank, and hands over each output in the order of records.
    pub fn map<M: RecordMap>(
        &self,
        session: &Session,
        map: &M,
        run: std::ops::Range<u64>,
        mut take: impl FnMut(M::Output) -> Result<(), CommandError>,
    ) -> Result<(), CommandError> {
        let [unit, units] = self.names();
        let counter = Counter::new(session, unit, units, run.end - run.start);
        let take = |output| {
            counter.add(1);
            take(output)
        };
        map_records(map, &mut RankRun::new(&self.dataset, run, take))
    }

    /// Works on the ledger of `request`, until all records of `work` are done or time or a signal ends it.
    ///
    /// A worker speaks for itself where it fails, since others go on without it.
    pub fn map_on_ledger<M: RecordMap>(
        &self,
        session: &Session,
        map: &M,
        work: Work,
        request: &LedgerRequest,
    ) -> Result<Exit, CommandError> {
        let folder = request.ledger.as_deref().expect("the command was asked to work on a ledger");
        let ledger = session.agree(Ledger::join(folder, work, Lease::default()))?;
        let done = self.work(session, map, &ledger, request.max_wall);
        if let Err(error) = &done
            && session.rank() > 0
        {
            logging::error(true, &format!("rank {} of {}: {error}", session.rank(), session.ranks()));
        }
        done
    }

    fn work<M: RecordMap>(
        &self,
        session: &Session,
        map: &M,
        ledger: &Ledger,
        max_wall: Option<f64>,
    ) -> Result<Exit, CommandError> {
        let counter = RefCell::new(LedgerCounter::new(session, self.names(), ledger.work().count()));
        let told = |worker: &_| counter.borrow_mut().add(worker);
        let mut run = LedgerRun::start(ledger, hand::hand(session, max_wall), Arc::clone(&self.dataset), told);
        counter.borrow_mut().start(run.worker())?;
        map_records(map, &mut run)?;
        Ok(hand::exit(run.end()?))
    }
}
