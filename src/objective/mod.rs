//! Who minimises what. An objective owns its networks and says, for one microbatch at a time, how a player's gradient
//! comes about; it knows no rank, no file and no optimiser.

pub mod embedder;
pub mod gan;
pub mod masking;

use std::ops::Range;

use tch::{Tensor, nn};

pub use crate::nn::MADE_AT_ONCE;
use crate::rng::{Chance, Draw, Stream};

/// One network that moves on its own gradient.
pub struct Player<'a> {
    /// Its name in checkpoints and metrics: `discriminator`.
    pub name: &'static str,
    /// Its tensors.
    pub store: &'a nn::VarStore,
    /// What follows some of them in half precision, by name.
    pub halves: Vec<(String, Tensor)>,
    /// Decay of the moving average of its weights that is kept beside them, if any.
    pub average: Option<f64>,
    /// The numbers that it reports each step, each a mean over the global batch.
    pub metrics: &'static [&'static str],
    /// The names of its batch norms, in the order in which a forward comes through them.
    pub norms: Vec<String>,
    /// How far one step draws the running moments of batch norms towards its own.
    pub norm_momentum: f64,
}

/// Players that go from one set of everybody's weights to the next. A step is a few moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// Indices into `players`, in the order in which their gradients are made.
    pub players: Vec<usize>,
    /// Which of the moves of this kind within the step.
    pub turn: u32,
    /// How many moves of this kind a step has.
    pub turns: u32,
    /// Whether it needs a batch of records.
    pub wants_records: bool,
    /// Players whose weights `begin` reads: it waits until their own moves are over.
    pub reads: Vec<usize>,
}

/// Where in a run a piece of work stands: what chance depends on.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The run's chance.
    pub draw: Draw,
    /// Training step, from 0.
    pub step: u64,
    /// Microbatch, from 0.
    pub microbatch: u32,
    /// How many microbatches a global batch has.
    pub microbatches: u32,
}

impl Place {
    /// The numbers of `stream` at this place in the given turn of `turns`.
    pub fn chance(&self, stream: Stream, turn: u32, turns: u32) -> Chance {
        self.draw.at(stream, self.step * u64::from(turns) + u64::from(turn), self.microbatch)
    }

    /// What this microbatch's mean weighs in the mean over the global batch.
    pub fn share(&self) -> f64 {
        1.0 / f64::from(self.microbatches)
    }
}

/// What a player's backward leaves besides its gradient.
pub struct Tally {
    /// Means over the microbatch, in the order of `Player::metrics`; scalars without a graph.
    pub metrics: Vec<Tensor>,
    /// The batch moments of each forward that counts for the player's running moments: for each, mean, variance and
    /// squared mean of each batch norm in order of use.
    pub moments: Vec<Vec<Tensor>>,
}

/// A way to train some networks together.
pub trait Objective {
    /// What a move keeps of a microbatch between its parts.
    type Graph;

    /// The players, in an order that does not change.
    fn players(&self) -> Vec<Player<'_>>;

    /// The moves of a step, in order.
    fn moves(&self) -> Vec<Move>;

    /// How many forwards of a microbatch count for a player's running moments in a move.
    fn counted_forwards(&self, player: usize) -> usize;

    /// The part of a move's forward that needs no other player's newest weights, so that it can run while those are
    /// still under way. `batch`: records in the network's range for moves that want them, else the size alone.
    fn begin(&self, a_move: &Move, place: &Place, batch: Batch) -> Self::Graph;

    /// The rest of the forward and the backward of one player: its gradient is added to what its tensors hold.
    fn finish(&self, a_move: &Move, player: usize, place: &Place, graph: &mut Self::Graph) -> Tally;

    /// The player whose weights make records, where the game is about making any.
    fn maker(&self) -> Option<usize> {
        None
    }

    /// What the maker makes in inference of the drawn input of `records`, with the weights that are in place:
    /// `[n, ...]` in the networks' range.
    fn make(&self, _draw: Draw, _records: Range<u64>) -> Tensor {
        unreachable!("a game without a maker makes nothing")
    }

    /// What goes wrong in a game with the metrics of a step, by name; nothing where it goes well.
    fn symptom(&self, _metrics: &[(String, f64)]) -> Option<&'static str> {
        None
    }

    /// Batch moments of `player` with the weights it has now, on drawn input: what the running moments of averaged
    /// weights are made of. Forward `index` of as many as the caller wants.
    fn settle(&self, player: usize, draw: Draw, index: u64, size: i64) -> Vec<Tensor>;
}

/// What a microbatch brings.
pub enum Batch<'a> {
    /// Records `[b, ...]`.
    Records(&'a Tensor),
    /// Nothing but its size.
    Size(i64),
}

impl Batch<'_> {
    /// How many records it has.
    pub fn size(&self) -> i64 {
        match self {
            Batch::Records(records) => records.size()[0],
            Batch::Size(size) => *size,
        }
    }
}
