//! A training step: a few moves, each of them forward, backward, reduce, check, accept.
//!
//! A global batch is cut into V microbatches, the leaves of the sum over ranks; each rank does a run of them. Nothing
//! of a step is kept unless every move of it is good: what players have done is undone, to the bit.

use std::borrow::Cow;

use tch::{Device, Tensor};
use xxhash_rust::xxh3::Xxh3;

use super::player::PlayerState;
use crate::checkpoint::{PlayerRecord, PlayerSlots};
use crate::comm::{Communicator, tree};
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
        /// Whose it was.
        player: &'static str,
    },
    /// Some rank could not do its part: nothing has changed.
    Failed,
}

/// The players of a run and what they do in a step.
pub struct Stepper<'a, O: Objective> {
    objective: &'a O,
    comm: &'a dyn Communicator,
    draw: Draw,
    cut: Cut,
    moves: Vec<Move>,
    players: Vec<PlayerState>,
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
        Self { objective, comm, draw, cut, moves: objective.moves(), players }
    }

    /// How many global batches of records a step takes.
    pub fn batches(&self) -> usize {
        self.moves.iter().filter(|a_move| a_move.wants_records).count()
    }

    /// The microbatches of this rank.
    pub fn run_of_microbatches(&self) -> std::ops::Range<usize> {
        tree::leaves_of(self.comm.rank(), self.comm.ranks(), self.cut.microbatches)
    }

    /// Makes step number `step` (from 0).
    ///
    /// - `records`: this rank's microbatches `[b, ...]` of the first batch, then of the next; `None` where this rank
    ///   could not have them, which the others then learn
    /// - `stop`: whether this rank wants to stop after this step
    /// - returns: how the step ended, and whether any rank wants to stop
    pub fn step(&mut self, step: u64, records: Option<&[Tensor]>, stop: bool) -> (Ended, bool) {
        let mut metrics = Vec::new();
        let mut stopping = false;
        let mut batch = 0;
        for a_move in self.moves.clone() {
            self.gradients(&a_move, step, records, batch, stop);
            batch += usize::from(a_move.wants_records);
            for &player in &a_move.players {
                let state = &mut self.players[player];
                let verdict = state.reduce(self.comm);
                stopping |= verdict.stop;
                if verdict.failed || !verdict.norm.is_finite() {
                    let ended = if verdict.failed { Ended::Failed } else { Ended::NotFinite { player: state.name } };
                    self.players.iter_mut().for_each(PlayerState::undo);
                    return (ended, stopping);
                }
                metrics.extend(state.metrics());
                metrics.push((format!("{}_gradient_norm", state.name), verdict.norm));
                state.update(verdict.norm, self.objective.counted_forwards(player));
            }
        }
        for player in &mut self.players {
            player.commit(step);
            #[cfg(debug_assertions)]
            player.space.check();
        }
        (Ended::Accepted { metrics: last_of_each(metrics) }, stopping)
    }

    /// Forward and backward of a move over this rank's microbatches, added up.
    fn gradients(&mut self, a_move: &Move, step: u64, records: Option<&[Tensor]>, batch: usize, stop: bool) {
        let run = self.run_of_microbatches();
        for (index, microbatch) in run.clone().enumerate() {
            let place = Place {
                draw: self.draw,
                step,
                microbatch: microbatch as u32,
                microbatches: self.cut.microbatches as u32,
            };
            let mut graph = records.map(|records| {
                let input = if a_move.wants_records {
                    Batch::Records(&records[batch * run.len() + index])
                } else {
                    Batch::Size(self.cut.microbatch() as i64)
                };
                self.objective.begin(a_move, &place, input)
            });
            for &player in &a_move.players {
                self.players[player].clear();
                let tally = graph.as_mut().map(|graph| self.objective.finish(a_move, player, &place, graph));
                self.players[player].add(tally.as_ref(), place.share(), stop);
            }
        }
    }

    /// What goes into a checkpoint: hands `save` a record of each player. Averaged weights get running moments of
    /// their own, from drawn input.
    pub fn with_records<T>(&mut self, save: impl FnOnce(&[PlayerRecord]) -> T) -> T {
        const FORWARDS: u64 = 16;
        let (objective, draw, size) = (self.objective, self.draw, self.cut.microbatch() as i64);
        let settled: Vec<Option<Vec<f32>>> = self
            .players
            .iter_mut()
            .enumerate()
            .map(|(player, state)| {
                state.settled_state(FORWARDS, |index| objective.settle(player, draw, index, size.max(16)))
            })
            .collect();
        let records: Vec<PlayerRecord> =
            self.players.iter().zip(&settled).map(|(state, settled)| state.record(settled.as_deref())).collect();
        save(&records)
    }

    /// The players' buffers, to be filled from a checkpoint.
    pub fn restore<E>(&mut self, mut fill: impl FnMut(PlayerSlots) -> Result<(), E>) -> Result<(), E> {
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

    /// The first rank whose parameters are not those of the most, if there is one: broken memory, or a fault of ours.
    pub fn odd_rank(&self) -> Option<usize> {
        let mut hash = Xxh3::new();
        for player in &self.players {
            for some in player.space.parameters().host().chunks(4096) {
                let bytes: Vec<u8> = some.iter().flat_map(|value| value.to_le_bytes()).collect();
                hash.update(&bytes);
            }
        }
        let all = self.comm.gather(&hash.digest().to_le_bytes());
        let votes = |one: &Vec<u8>| all.iter().filter(|other| *other == one).count();
        let most = all.iter().map(votes).max().expect("there is a rank");
        let common = all.iter().find(|one| votes(one) == most).expect("some have the most votes");
        all.iter().position(|one| one != common)
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
