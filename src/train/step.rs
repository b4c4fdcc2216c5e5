//! A training step: a few phases, each of them forward, backward, reduce, check, accept.
//!
//! A global batch is cut into V microbatches, the leaves of the sum over ranks; each rank does a run of them. Nothing
//! of a step is kept unless every phase of it is good: updates of networks are undone, to the bit.
//!
//! Sums over ranks are made by the communication thread. With overlap a rank does not wait for them idly: it begins the
//! next phase meanwhile, if that reads no weights of the network whose sum is under way. Every forward sees the same
//! weights with overlap and without, so the bits are the same.

use std::borrow::Cow;
use std::cell::Cell;
use std::ops::Range;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tch::Device;

use super::replica::Replica;
use crate::checkpoint::NetworkSlots;
use crate::comm::{Communicator, DeviceSum, tree};
use crate::data::Batch;
use crate::objective::{Feed, Forward, Input, Network, Objective, Phase, StepContext};
use crate::optim::{AdamSettings, Home};
use crate::rng::Draw;

/// How a global batch is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Records of a global batch.
    pub global: usize,
    /// Microbatches of a global batch, V.
    pub microbatches: usize,
}

impl Cut {
    /// Records of a microbatch.
    pub fn microbatch(&self) -> usize {
        self.global / self.microbatches
    }
}

/// How a step ended, the same on all ranks.
#[derive(Debug)]
pub enum Ended {
    /// Every network is updated.
    Accepted {
        /// Means over the global batch and norms of gradients, by name.
        metrics: Vec<(String, f64)>,
    },
    /// A gradient, a loss or a moment was not finite: nothing has changed.
    NotFinite {
        /// Which, and whose: `discriminator gradient`.
        what: String,
    },
    /// Some rank could not do its part: nothing has changed.
    Failed,
}

/// The networks of a run on this rank, and their updates in a step.
pub struct Stepper<'a> {
    pub(super) objective: &'a dyn Objective,
    pub(super) comm: &'a dyn Communicator,
    pub(super) draw: Draw,
    cut: Cut,
    phases: Vec<Phase>,
    pub(super) replicas: Vec<Replica>,
    overlap: bool,
    /// The first local microbatch of a step that is still to come, and that step.
    pub(super) early: Option<(u64, Begun<'a>)>,
    /// Records that batch moments of averaged weights are computed from.
    pub(super) recalibration: Vec<Batch>,
    spent: Cell<Spent>,
}

/// Where the time of the steps went on this rank; the rest of it is the trainer's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Forwards and backwards of the networks.
    pub networks: Duration,
    /// Waiting for sums over ranks.
    pub sums: Duration,
}

impl Spent {
    /// Does `work` and puts its time where `part` says.
    fn on<T>(spent: &Cell<Self>, part: fn(&mut Self) -> &mut Duration, work: impl FnOnce() -> T) -> T {
        let since = Instant::now();
        let result = work();
        let mut all = spent.get();
        *part(&mut all) += since.elapsed();
        spent.set(all);
        result
    }
}

/// A microbatch whose forward has begun.
pub(super) struct Begun<'a> {
    forward: Box<dyn Forward + 'a>,
    /// The weights that it has read: network, and how often they had been changed.
    read: Vec<(usize, u64)>,
}

/// What a step works on.
#[derive(Clone, Copy)]
struct StepInput<'b> {
    step: u64,
    /// This rank's microbatches of all batches of the step; none where the rank has failed.
    records: Option<&'b [Batch]>,
    /// The first of the step after it.
    ahead: Option<&'b Batch>,
    stop: &'b dyn Fn() -> bool,
}

impl<'a> Stepper<'a> {
    /// Takes over the objective's networks. `adam` has the settings of each network.
    pub fn new(
        objective: &'a dyn Objective,
        comm: &'a dyn Communicator,
        draw: Draw,
        cut: Cut,
        adam: impl Fn(&str) -> AdamSettings,
    ) -> Self {
        Self::new_at(Home::of, objective, comm, draw, cut, adam)
    }

    /// The same, with the flat buffers where `home` says for a network's device.
    pub fn new_at(
        home: impl Fn(Device) -> Home,
        objective: &'a dyn Objective,
        comm: &'a dyn Communicator,
        draw: Draw,
        cut: Cut,
        adam: impl Fn(&str) -> AdamSettings,
    ) -> Self {
        let phases = objective.phases();
        for (number, phase) in phases.iter().enumerate() {
            if let Feed::SameAs(source) = phase.feed {
                let earlier = phases[..number].get(source).is_some_and(|phase| phase.feed == Feed::Fresh);
                assert!(earlier, "phase {number} names an earlier phase that has records of its own");
            }
        }
        let bind = |network: &Network| {
            Replica::new(network, home(network.store.device()), adam(network.name), comm, cut.microbatches)
        };
        Self {
            objective,
            comm,
            draw,
            cut,
            phases,
            replicas: objective.networks().iter().map(bind).collect(),
            overlap: true,
            early: None,
            recalibration: Vec::new(),
            spent: Cell::default(),
        }
    }

    /// Has gradients on devices summed there: the bits then depend on the number of ranks.
    pub fn sum_on_devices(&mut self, sum: &Rc<dyn DeviceSum>) {
        for replica in &mut self.replicas {
            replica.sum_on_devices(Rc::clone(sum));
        }
    }

    /// Whether sums over ranks hide behind other work; they do unless told otherwise.
    pub fn set_overlap(&mut self, overlap: bool) {
        self.overlap = overlap;
    }

    /// Global batches of records that a step takes.
    pub fn batches(&self) -> usize {
        batches(&self.phases)
    }

    /// Numbers of each sum over ranks of a step.
    pub fn sums(&self) -> Vec<usize> {
        let networks = self.phases.iter().flat_map(|phase| &phase.networks);
        networks.map(|&network| self.replicas[network].space.gradient().len()).collect()
    }

    /// The microbatches of this rank.
    pub fn run_of_microbatches(&self) -> Range<usize> {
        tree::leaves_of(self.comm.rank(), self.comm.ranks(), self.cut.microbatches)
    }

    /// Records of a microbatch.
    pub(super) fn microbatch_size(&self) -> i64 {
        self.cut.microbatch() as i64
    }

    /// Steps whose updates are in the weights: of all that were made, those that were neither skipped nor rolled back.
    pub fn kept_steps(&self) -> u64 {
        let phases = self.phases.iter().filter(|phase| phase.networks.contains(&0)).count() as u64;
        self.replicas[0].adam.updates() / phases
    }

    /// Where the time of all steps up to now went.
    pub fn spent(&self) -> Spent {
        self.spent.get()
    }

    /// Makes step number `step` (from 0).
    ///
    /// - `records`: this rank's microbatches of the first batch, then of the next; `None` where this rank could not have
    ///   them, which the others then learn
    /// - `ahead`: the first microbatch of the step after this one, if it is known that there is one
    /// - `stop`: whether this rank wants to stop after this step, asked as late as it can be
    /// - returns: how the step ended, and whether any rank wants to stop
    pub fn step(
        &mut self,
        step: u64,
        records: Option<&[Batch]>,
        ahead: Option<&Batch>,
        stop: &dyn Fn() -> bool,
    ) -> (Ended, bool) {
        let input = StepInput { step, records, ahead, stop };
        let mut metrics = Vec::new();
        let mut stopping = false;
        let mut early = self.early.take().filter(|(of, _)| *of == step).map(|(_, begun)| begun);
        for number in 0..self.phases.len() {
            let networks = self.phases[number].networks.clone();
            self.gradients(number, input, early.take());
            for (nth, &network) in networks.iter().enumerate() {
                if self.overlap && nth + 1 == networks.len() {
                    early = self.begin_after(number, input);
                }
                let verdict = Spent::on(&self.spent, |spent| &mut spent.sums, || self.replicas[network].end_sum());
                stopping |= verdict.stop;
                if verdict.failed || verdict.not_finite.is_some() {
                    let bad = verdict.not_finite.filter(|_| !verdict.failed);
                    return (bad.map_or(Ended::Failed, |what| Ended::NotFinite { what }), self.undo() || stopping);
                }
                let replica = &mut self.replicas[network];
                metrics.extend(replica.metrics());
                metrics.push((format!("{}_gradient_norm", replica.name), verdict.norm));
                replica.update(verdict.norm);
            }
        }
        for replica in &mut self.replicas {
            replica.commit(step);
            replica.space.check();
        }
        self.early = early.map(|begun| (step + 1, begun));
        (Ended::Accepted { metrics: last_of_each(metrics) }, stopping)
    }

    /// Puts all networks back to where the step began; whether any rank wants to stop, as sums under way say.
    fn undo(&mut self) -> bool {
        let mut stopping = false;
        for replica in &mut self.replicas {
            if replica.is_summing() {
                stopping |= replica.end_sum().stop;
            }
            replica.undo();
        }
        stopping
    }

    /// Forward and backward of a phase over this rank's microbatches, added up, and the start of the sums over ranks.
    fn gradients(&mut self, number: usize, input: StepInput, mut early: Option<Begun<'a>>) {
        let networks = self.phases[number].networks.clone();
        let run = self.run_of_microbatches();
        for microbatch in run.clone() {
            let context = self.context(input.step, microbatch);
            let mut begun = input.records.map(|records| {
                let ready = early.take();
                ready.unwrap_or_else(|| self.begin(number, &context, self.records_of(number, microbatch, records)))
            });
            for &network in &networks {
                self.replicas[network].clear(microbatch == run.start);
                let stats = begun.as_mut().map(|begun| {
                    let as_they_were =
                        |(network, was): &(usize, u64)| self.replicas[*network].space.generation() == *was;
                    assert!(begun.read.iter().all(as_they_were), "weights do not change under a graph");
                    Spent::on(&self.spent, |spent| &mut spent.networks, || begun.forward.finish(network))
                });
                self.replicas[network].add(stats.as_ref(), context.share(), (input.stop)());
                if self.overlap && microbatch + 1 == run.end {
                    self.replicas[network].start_sum(self.comm, input.step); // while the next network goes backward
                }
            }
        }
        for &network in networks.iter().filter(|_| !self.overlap) {
            self.replicas[network].start_sum(self.comm, input.step);
        }
    }

    /// Begins the first local microbatch of the phase that follows number `number`, while the sum of that one's last
    /// network is under way, if it can be begun by now.
    fn begin_after(&self, number: usize, input: StepInput) -> Option<Begun<'a>> {
        let last = self.phases[number].networks.last()?;
        let first = self.run_of_microbatches().start;
        let here = number + 1 < self.phases.len();
        let next = if here { number + 1 } else { 0 };
        if self.phases[next].reads.contains(last) {
            return None;
        }
        let wants_records = self.phases[next].feed != Feed::SizeOnly;
        let records =
            if here { self.records_of(next, first, input.records?) } else { input.ahead.filter(|_| wants_records) };
        if records.is_none() && (wants_records || !here) {
            return None;
        }
        Some(self.begin(next, &self.context(input.step + u64::from(!here), first), records))
    }

    fn begin(&self, number: usize, context: &StepContext, records: Option<&Batch>) -> Begun<'a> {
        let phase = &self.phases[number];
        let input = records.map_or(Input::Size(self.microbatch_size()), Input::Records);
        let read = phase.reads.iter().map(|&network| (network, self.replicas[network].space.generation())).collect();
        let begin = || self.objective.begin(phase, context, input);
        Begun { forward: Spent::on(&self.spent, |spent| &mut spent.networks, begin), read }
    }

    fn context(&self, step: u64, microbatch: usize) -> StepContext {
        StepContext { draw: self.draw, step, microbatch: microbatch as u32, microbatches: self.cut.microbatches as u32 }
    }

    /// What phase number `number` works on, out of the records of a whole step.
    fn records_of<'r>(&self, number: usize, microbatch: usize, records: &'r [Batch]) -> Option<&'r Batch> {
        let run = self.run_of_microbatches();
        let source = match self.phases[number].feed {
            Feed::Fresh => number,
            Feed::SameAs(source) => source,
            Feed::SizeOnly => return None,
        };
        let batch = batches(&self.phases[..source]);
        Some(&records[batch * run.len() + microbatch - run.start])
    }

    /// The networks' buffers, to be filled from a checkpoint.
    pub fn restore<E>(&mut self, mut fill: impl FnMut(NetworkSlots) -> Result<(), E>) -> Result<(), E> {
        self.early = None;
        for replica in &mut self.replicas {
            fill(NetworkSlots {
                name: replica.name,
                space: &mut replica.space,
                adam: &mut replica.adam,
                average: replica.average.as_mut().map(|average| &mut average.weights),
            })?;
        }
        Ok(())
    }

    /// Says in words what goes wrong where the metrics of a step show it.
    pub fn symptom(&self, metrics: &[(String, f64)]) -> Option<&'static str> {
        self.objective.symptom(metrics)
    }

    /// The parameters of `network` as they are.
    pub fn parameters(&self, network: &str) -> Cow<'_, [f32]> {
        let found = self.replicas.iter().find(|replica| replica.name == network);
        found.expect("the network exists").space.parameters().host()
    }
}

/// Global batches of records that `phases` take.
fn batches(phases: &[Phase]) -> usize {
    phases.iter().filter(|phase| phase.feed == Feed::Fresh).count()
}

/// The last value of each metric: with several phases of one kind in a step, that of the last.
fn last_of_each(metrics: Vec<(String, f64)>) -> Vec<(String, f64)> {
    let mut last: Vec<(String, f64)> = Vec::new();
    for (name, value) in metrics {
        match last.iter_mut().find(|(seen, _)| *seen == name) {
            Some(slot) => slot.1 = value,
            None => last.push((name, value)),
        }
    }
    last
}
