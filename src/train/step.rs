//! A training step: a few moves, each of them forward, backward, reduce, check, accept.
//!
//! A global batch is cut into V microbatches, the leaves of the sum over ranks; each rank does a run of them. Nothing
//! of a step is kept unless every move of it is good: what players have done is undone, to the bit.
//!
//! Sums over ranks are made by the communication thread. With overlap a rank does not wait for them idly: it begins the
//! next move meanwhile, if that reads no weights of the player whose sum is under way. Every forward sees the same
//! weights with overlap and without, so the bits are the same.

use std::borrow::Cow;
use std::cell::Cell;
use std::ops::Range;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tch::{Device, Tensor};
use xxhash_rust::xxh3::Xxh3;

use super::player::PlayerState;
use super::straggler::Pace;
use crate::checkpoint::{PlayerRecord, PlayerSlots};
use crate::comm::{Communicator, DeviceSum, tree};
use crate::objective::{Batch, Move, Objective, Place, Player};
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
    /// Every player has moved.
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

/// A rank with other parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Odd {
    /// Most ranks have the same, this one has not.
    #[error("rank {0} has other parameters than the rest")]
    Rank(usize),
    /// This rank and rank 0 differ, and no parameters are those of most ranks.
    #[error("ranks 0 and {0} have different parameters and either may be wrong")]
    Undecided(usize),
}

/// The players of a run and what they do in a step.
pub struct Stepper<'a, O: Objective> {
    objective: &'a O,
    comm: &'a dyn Communicator,
    draw: Draw,
    cut: Cut,
    moves: Vec<Move>,
    players: Vec<PlayerState>,
    overlap: bool,
    /// The first local microbatch of a step that is still to come, and that step.
    early: Option<(u64, Begun<O::Graph>)>,
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
struct Begun<G> {
    graph: G,
    /// The weights that it has read, each player's, as they were.
    read: Vec<(usize, u64)>,
}

/// Batches by which running moments of averaged weights are made.
const SETTLING_FORWARDS: u64 = 16;

/// What a step works on.
#[derive(Clone, Copy)]
struct Input<'a> {
    step: u64,
    /// This rank's microbatches of all batches of the step; none where the rank has failed.
    records: Option<&'a [Tensor]>,
    /// The first of the step after it.
    ahead: Option<&'a Tensor>,
    stop: &'a dyn Fn() -> bool,
}

impl<'a, O: Objective> Stepper<'a, O> {
    /// Takes over the objective's networks. `adam` has the settings of each player.
    pub fn new(
        objective: &'a O,
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
        objective: &'a O,
        comm: &'a dyn Communicator,
        draw: Draw,
        cut: Cut,
        adam: impl Fn(&str) -> AdamSettings,
    ) -> Self {
        let bind = |player: &Player| {
            PlayerState::new(player, home(player.store.device()), adam(player.name), comm, cut.microbatches)
        };
        let players = objective.players().iter().map(bind).collect();
        Self {
            objective,
            comm,
            draw,
            cut,
            moves: objective.moves(),
            players,
            overlap: true,
            early: None,
            spent: Cell::default(),
        }
    }

    /// Has gradients on devices summed there: the bits then depend on the number of ranks.
    pub fn sum_on_devices(&mut self, sum: &Rc<dyn DeviceSum>) {
        for player in &mut self.players {
            player.sum_on_devices(Rc::clone(sum));
        }
    }

    /// Whether sums over ranks hide behind other work; they do unless told otherwise.
    pub fn set_overlap(&mut self, overlap: bool) {
        self.overlap = overlap;
    }

    /// How many global batches of records a step takes.
    pub fn batches(&self) -> usize {
        self.moves.iter().filter(|a_move| a_move.wants_records).count()
    }

    /// Numbers of each sum over ranks of a step.
    pub fn sums(&self) -> Vec<usize> {
        let players = self.moves.iter().flat_map(|a_move| &a_move.players);
        players.map(|&player| self.players[player].space.gradient().len()).collect()
    }

    /// The microbatches of this rank.
    pub fn run_of_microbatches(&self) -> Range<usize> {
        tree::leaves_of(self.comm.rank(), self.comm.ranks(), self.cut.microbatches)
    }

    /// Steps whose moves are in the weights: of all that were made, those that were neither skipped nor gone back on.
    pub fn kept_steps(&self) -> u64 {
        let moves = self.moves.iter().filter(|a_move| a_move.players.contains(&0)).count() as u64;
        self.players[0].adam.updates() / moves
    }

    /// Where the time of all steps up to now went.
    pub fn spent(&self) -> Spent {
        self.spent.get()
    }

    /// Makes step number `step` (from 0).
    ///
    /// - `records`: this rank's microbatches `[b, ...]` of the first batch, then of the next; `None` where this rank
    ///   could not have them, which the others then learn
    /// - `ahead`: the first microbatch of the step after this one, if it is known that there is one
    /// - `stop`: whether this rank wants to stop after this step, asked as late as it can be
    /// - returns: how the step ended, and whether any rank wants to stop
    pub fn step(
        &mut self,
        step: u64,
        records: Option<&[Tensor]>,
        ahead: Option<&Tensor>,
        stop: &dyn Fn() -> bool,
    ) -> (Ended, bool) {
        let input = Input { step, records, ahead, stop };
        let mut metrics = Vec::new();
        let mut stopping = false;
        let mut early = self.early.take().filter(|(of, _)| *of == step).map(|(_, begun)| begun);
        for number in 0..self.moves.len() {
            let a_move = self.moves[number].clone();
            self.gradients(number, input, early.take());
            for (nth, &player) in a_move.players.iter().enumerate() {
                if self.overlap && nth + 1 == a_move.players.len() {
                    early = self.begin_after(number, input);
                }
                let verdict = Spent::on(&self.spent, |spent| &mut spent.sums, || self.players[player].end_sum());
                stopping |= verdict.stop;
                let state = &mut self.players[player];
                if verdict.failed || verdict.not_finite.is_some() {
                    let bad = verdict.not_finite.filter(|_| !verdict.failed);
                    let ended = bad.map_or(Ended::Failed, |what| Ended::NotFinite { what });
                    for state in &mut self.players {
                        if state.is_summing() {
                            stopping |= state.end_sum().stop;
                        }
                        state.undo();
                    }
                    return (ended, stopping);
                }
                metrics.extend(state.metrics());
                metrics.push((format!("{}_gradient_norm", state.name), verdict.norm));
                state.update(verdict.norm, self.objective.counted_forwards(player));
            }
        }
        for player in &mut self.players {
            player.commit(step);
            player.space.check();
        }
        self.early = early.map(|begun| (step + 1, begun));
        (Ended::Accepted { metrics: last_of_each(metrics) }, stopping)
    }

    /// Forward and backward of a move over this rank's microbatches, added up, and the start of the sums over ranks.
    fn gradients(&mut self, number: usize, input: Input, mut early: Option<Begun<O::Graph>>) {
        let a_move = self.moves[number].clone();
        let run = self.run_of_microbatches();
        for microbatch in run.clone() {
            let place = self.place(input.step, microbatch);
            let mut begun = input.records.map(|records| {
                let ready = early.take();
                ready.unwrap_or_else(|| self.begin(number, &place, self.records_of(number, microbatch, records)))
            });
            for &player in &a_move.players {
                self.players[player].clear(microbatch == run.start);
                let tally = begun.as_mut().map(|begun| {
                    let as_they_were = |(player, was): &(usize, u64)| self.players[*player].space.generation() == *was;
                    assert!(begun.read.iter().all(as_they_were), "weights do not change under a graph");
                    let finish = || self.objective.finish(&a_move, player, &place, &mut begun.graph);
                    Spent::on(&self.spent, |spent| &mut spent.networks, finish)
                });
                self.players[player].add(tally.as_ref(), place.share(), (input.stop)());
                if self.overlap && microbatch + 1 == run.end {
                    self.players[player].start_sum(self.comm, input.step); // while the next player goes backward
                }
            }
        }
        for &player in a_move.players.iter().filter(|_| !self.overlap) {
            self.players[player].start_sum(self.comm, input.step);
        }
    }

    /// Begins the first local microbatch of the move that follows number `number`, while the sum of that one's last
    /// player is under way, if it can be begun by now.
    fn begin_after(&self, number: usize, input: Input) -> Option<Begun<O::Graph>> {
        let last = self.moves[number].players.last()?;
        let first = self.run_of_microbatches().start;
        let here = number + 1 < self.moves.len();
        let next = if here { number + 1 } else { 0 };
        if self.moves[next].reads.contains(last) {
            return None;
        }
        let records = if here {
            self.records_of(next, first, input.records?)
        } else {
            input.ahead.filter(|_| self.moves[next].wants_records)
        };
        if records.is_none() && (self.moves[next].wants_records || !here) {
            return None;
        }
        Some(self.begin(next, &self.place(input.step + u64::from(!here), first), records))
    }

    fn begin(&self, number: usize, place: &Place, records: Option<&Tensor>) -> Begun<O::Graph> {
        let a_move = &self.moves[number];
        let batch = records.map_or(Batch::Size(self.cut.microbatch() as i64), Batch::Records);
        let read = a_move.reads.iter().map(|&player| (player, self.players[player].space.generation())).collect();
        let graph = Spent::on(&self.spent, |spent| &mut spent.networks, || self.objective.begin(a_move, place, batch));
        Begun { graph, read }
    }

    fn place(&self, step: u64, microbatch: usize) -> Place {
        Place { draw: self.draw, step, microbatch: microbatch as u32, microbatches: self.cut.microbatches as u32 }
    }

    /// What move number `number` wants of `records`, those of a whole step.
    fn records_of<'r>(&self, number: usize, microbatch: usize, records: &'r [Tensor]) -> Option<&'r Tensor> {
        let run = self.run_of_microbatches();
        let batch = self.moves[..number].iter().filter(|a_move| a_move.wants_records).count();
        self.moves[number].wants_records.then(|| &records[batch * run.len() + microbatch - run.start])
    }

    /// What goes into a checkpoint: hands `save` a record of each player. Averaged weights get running moments of
    /// their own, from drawn input.
    pub fn with_records<T>(&mut self, save: impl FnOnce(&[PlayerRecord]) -> T) -> T {
        self.early = None; // averaged weights take the place of the others for a while
        let (objective, draw, size) = (self.objective, self.draw, self.settling_size());
        let settled: Vec<Option<Vec<f32>>> = self
            .players
            .iter_mut()
            .enumerate()
            .map(|(player, state)| {
                let settle = |index| objective.settle(player, draw, index, size);
                state.while_averaged(SETTLING_FORWARDS, settle, |space| space.state().host().into_owned())
            })
            .collect();
        let records: Vec<PlayerRecord> =
            self.players.iter().zip(&settled).map(|(state, settled)| state.record(settled.as_deref())).collect();
        save(&records)
    }

    /// Records of a batch by which running moments of averaged weights are made.
    fn settling_size(&self) -> i64 {
        (self.cut.microbatch() as i64).max(16)
    }

    /// What the maker of records makes with its averaged weights, or with those it has where no average is kept: the
    /// numbers of each of `batches`, `[n, ...]` in the networks' range. Nothing where the game makes no records.
    pub fn make(&mut self, batches: &[Range<u64>]) -> Option<Vec<Vec<f32>>> {
        self.early = None;
        let (objective, draw, size) = (self.objective, self.draw, self.settling_size());
        let player = objective.maker()?;
        let make_all = || -> Vec<Vec<f32>> {
            let make = |batch: &Range<u64>| objective.make(draw, batch.clone()).flatten(0, -1);
            batches.iter().map(|batch| Vec::try_from(make(batch)).expect("records are numbers")).collect()
        };
        let settle = |index| objective.settle(player, draw, index, size);
        let averaged = self.players[player].while_averaged(SETTLING_FORWARDS, settle, |_| make_all());
        Some(averaged.unwrap_or_else(make_all))
    }

    /// The players' buffers, to be filled from a checkpoint.
    pub fn restore<E>(&mut self, mut fill: impl FnMut(PlayerSlots) -> Result<(), E>) -> Result<(), E> {
        self.early = None;
        for player in &mut self.players {
            fill(PlayerSlots {
                name: player.name,
                space: &mut player.space,
                adam: &mut player.adam,
                average: player.average.as_mut().map(|average| &mut average.weights),
            })?;
        }
        Ok(())
    }

    /// The first rank whose parameters are not those of the others, if there is one: broken memory, or a fault of ours.
    pub fn odd_rank(&self) -> Option<Odd> {
        self.compare(Pace::default()).0
    }

    /// The same, with what all ranks say of their pace beside.
    pub(super) fn compare(&self, pace: Pace) -> (Option<Odd>, Vec<Pace>) {
        let mut hash = Xxh3::new();
        for player in &self.players {
            for some in player.space.parameters().host().chunks(4096) {
                let bytes: Vec<u8> = some.iter().flat_map(|value| value.to_le_bytes()).collect();
                hash.update(&bytes);
            }
        }
        let told = self.comm.gather(&[&hash.digest().to_le_bytes()[..], &pace.to_bytes()].concat());
        let (all, paces): (Vec<&[u8]>, Vec<Pace>) =
            told.iter().map(|told| told.split_at(8)).map(|(hash, pace)| (hash, Pace::from_bytes(pace))).unzip();
        let votes = |one: &[u8]| all.iter().filter(|other| **other == one).count();
        let odd = match all.iter().find(|one| 2 * votes(one) > all.len()) {
            Some(common) => all.iter().position(|one| one != common).map(Odd::Rank),
            None => all.iter().position(|one| *one != all[0]).map(Odd::Undecided),
        };
        (odd, paces)
    }

    /// What goes wrong in the game with the metrics of a step.
    pub fn symptom(&self, metrics: &[(String, f64)]) -> Option<&'static str> {
        self.objective.symptom(metrics)
    }

    /// The parameters of `player` as they are.
    pub fn parameters(&self, player: &str) -> Cow<'_, [f32]> {
        let found = self.players.iter().find(|state| state.name == player);
        found.expect("the player exists").space.parameters().host()
    }
}

/// With several moves of one kind in a step, the last word counts.
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
