//! Averaged weights at work: in validation, and in a checkpoint with running moments of their own.
//!
//! Running moments of batch norm follow the weights of training. Those of averaged weights are computed afresh, from
//! drawn noise or from records of the training split, the same on every rank.

use super::replica::Replica;
use super::step::Stepper;
use crate::checkpoint::NetworkRecord;
use crate::data::Batch;
use crate::infer::TrainedModel;
use crate::objective::Input;

/// Batches that running moments of averaged weights are computed from.
pub(super) const RECALIBRATION_BATCHES: u64 = 16;

impl Stepper<'_> {
    /// Records of a batch that running moments of averaged weights are computed from.
    pub(super) fn recalibration_size(&self) -> i64 {
        self.microbatch_size().max(16)
    }

    /// Whether such batches have to be given with [`Self::recalibrate_on`].
    pub(super) fn needs_records(&self) -> bool {
        self.replicas.iter().any(Replica::needs_records)
    }

    /// Gives the records that running moments of averaged weights are computed from, the same on every rank.
    pub fn recalibrate_on(&mut self, batches: Vec<Batch>) {
        self.recalibration = batches;
    }

    /// Hands `save` what goes into a checkpoint, a record of each network.
    pub fn with_records<T>(&mut self, save: impl FnOnce(&[NetworkRecord]) -> T) -> T {
        let settled: Vec<Option<Vec<f32>>> = self.while_averaged(|stepper| {
            let states = stepper.replicas.iter();
            states.map(|replica| replica.average.as_ref().map(|_| replica.space.state().host().into_owned())).collect()
        });
        let records: Vec<NetworkRecord> =
            self.replicas.iter().zip(&settled).map(|(replica, settled)| replica.record(settled.as_deref())).collect();
        save(&records)
    }

    /// What `work` makes of the model with averaged weights, or with those of training where no average is kept.
    pub fn with_model<T>(&mut self, work: impl FnOnce(&dyn TrainedModel) -> T) -> T {
        self.while_averaged(|stepper| work(stepper.objective.model()))
    }

    /// Does `work` with averaged weights in place, and running moments that go with them. Everything is left as it was.
    fn while_averaged<T>(&mut self, work: impl FnOnce(&Self) -> T) -> T {
        self.early = None; // it has read other weights
        let live: Vec<_> = self.replicas.iter_mut().map(Replica::put_average).collect();
        let (objective, draw, size) = (self.objective, self.draw, self.recalibration_size());
        for (network, replica) in self.replicas.iter_mut().enumerate().filter(|(_, replica)| replica.has_moments()) {
            if replica.needs_records() {
                assert!(!self.recalibration.is_empty(), "there are records for batch moments");
                let device = replica.space.parameters().tensor().device();
                let batches = self.recalibration.iter().map(|batch| batch.to_device(device));
                let moments =
                    |(index, batch): (u64, Batch)| objective.recalibrate(network, draw, index, Input::Records(&batch));
                replica.set_moments((0..).zip(batches).map(moments));
            } else {
                let moments = |index| objective.recalibrate(network, draw, index, Input::Size(size));
                replica.set_moments((0..RECALIBRATION_BATCHES).map(moments));
            }
        }
        let made = work(self);
        for (replica, live) in self.replicas.iter_mut().zip(&live) {
            if let Some(live) = live {
                replica.put_back(live);
            }
        }
        made
    }
}
