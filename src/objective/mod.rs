//! Objectives: which networks are trained, in which phases, and how the gradient of each comes about.
//!
//! An objective works on one microbatch at a time and knows no rank, no file and no optimizer. A training step is a few
//! *phases*; in a phase one or more networks are updated. The trainer calls [`Objective::begin`] for each microbatch of a
//! phase, then [`Forward::finish`] for each network that the phase updates.

pub mod embedder;
pub mod gan;
pub mod masking;

use tch::{Tensor, nn};

use crate::data::Batch;
use crate::infer::TrainedModel;
use crate::nn::SpectralVectors;
use crate::rng::{Chance, Draw, Stream};

/// A network with a gradient and an optimizer of its own.
pub struct Network<'a> {
    /// Its name in checkpoints, metrics and configurations: `discriminator`.
    pub name: &'static str,
    /// Its tensors.
    pub store: &'a nn::VarStore,
    /// Copies of some of them in half precision, by name.
    pub halves: Vec<(String, Tensor)>,
    /// Decay per step of the moving average of its weights; none where no average is kept.
    pub average: Option<f64>,
    /// Names of the numbers that it reports each step, each a mean over the global batch.
    pub metrics: &'static [&'static str],
    /// Names of its batch norms, in the order in which a forward uses them.
    pub norms: Vec<String>,
    /// Share of the running moments of batch norm that a step replaces by its own.
    pub norm_momentum: f64,
    /// Singular vectors of spectral norms, of which each update of the network makes one power iteration.
    pub spectral: Vec<SpectralVectors>,
    /// What batch moments of averaged weights are computed from. Without effect for a network without batch norm.
    pub recalibrated_on: MomentsFrom,
}

/// What batch moments of averaged weights are computed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MomentsFrom {
    /// Noise that the objective draws: for networks that make records.
    Noise,
    /// Records of the training split: for networks that look at records.
    Records,
}

/// What a phase works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feed {
    /// Records that no earlier phase of the step has seen.
    Fresh,
    /// The records of an earlier phase of the step, by its number.
    SameAs(usize),
    /// No records: the size of a microbatch alone.
    SizeOnly,
}

/// A part of a step: updates of some networks, all from the same weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phase {
    /// Indices into [`Objective::networks`], in the order in which their gradients are computed.
    pub networks: Vec<usize>,
    /// Number of this phase among those of its kind within the step, from 0.
    pub turn: u32,
    /// Phases of its kind in a step.
    pub turns: u32,
    /// What it works on.
    pub feed: Feed,
    /// Networks whose weights [`Objective::begin`] reads: it waits for their updates.
    pub reads: Vec<usize>,
}

/// The place of a piece of work in a run, which all random numbers are a function of.
#[derive(Clone, Copy, Debug)]
pub struct StepContext {
    /// Random numbers of the run.
    pub draw: Draw,
    /// Training step, from 0.
    pub step: u64,
    /// Microbatch, from 0.
    pub microbatch: u32,
    /// Microbatches of a global batch.
    pub microbatches: u32,
}

impl StepContext {
    /// Random numbers of `stream` for this microbatch, in the given turn of `turns`.
    pub fn chance(&self, stream: Stream, turn: u32, turns: u32) -> Chance {
        self.draw.at(stream, self.step * u64::from(turns) + u64::from(turn), self.microbatch)
    }

    /// Weight of the mean over this microbatch in the mean over the global batch.
    pub fn share(&self) -> f64 {
        1.0 / f64::from(self.microbatches)
    }
}

/// What the backward of a network leaves besides its gradient.
pub struct BackwardStats {
    /// Means over the microbatch, in the order of [`Network::metrics`]; scalars without a graph.
    pub metrics: Vec<Tensor>,
    /// Batch moments of each forward that counts for the network's running moments: for each, mean, variance and
    /// squared mean of each batch norm in order of use. The same number of forwards in every microbatch.
    pub moments: Vec<Vec<Tensor>>,
}

/// What a phase computes from.
#[derive(Clone, Copy)]
pub enum Input<'a> {
    /// A microbatch of records.
    Records(&'a Batch),
    /// The size of a microbatch alone.
    Size(i64),
}

impl Input<'_> {
    /// Records of the microbatch.
    pub fn size(&self) -> i64 {
        match self {
            Input::Records(batch) => batch.size(),
            Input::Size(size) => *size,
        }
    }
}

/// The forward of one microbatch in a phase, under way.
pub trait Forward {
    /// The rest of the forward and the backward of `network`: its gradient is added to what its tensors hold.
    fn finish(&mut self, network: usize) -> BackwardStats;
}

/// A way to train some networks together.
pub trait Objective {
    /// The networks, in an order that does not change.
    fn networks(&self) -> Vec<Network<'_>>;

    /// The phases of a step, in order.
    fn phases(&self) -> Vec<Phase>;

    /// The part of a phase's forward that reads the weights of [`Phase::reads`] alone, so that it can run while other
    /// networks are being updated. `input` has records where the phase's feed has.
    fn begin<'a>(&'a self, phase: &Phase, context: &StepContext, input: Input) -> Box<dyn Forward + 'a>;

    /// Batch moments of `network`, which has batch norm, with the weights that are in place, as inference uses them: running
    /// moments of averaged weights are made of several of these. `index` tells them apart; `input` has records where
    /// [`Network::recalibrated_on`] says so, else the size of a batch alone.
    fn recalibrate(&self, network: usize, draw: Draw, index: u64, input: Input) -> Vec<Tensor>;

    /// The networks with the weights that are in place, at work as in inference.
    fn model(&self) -> &dyn TrainedModel;

    /// Says in words what goes wrong where the metrics of a step, by name, show it.
    fn symptom(&self, _metrics: &[(String, f64)]) -> Option<&'static str> {
        None
    }

    /// Nominal floating-point operations of a step for each record that it takes in: twice the multiplications, where a
    /// backward costs a forward for the data and one for the weights, each where it is needed.
    fn flops_per_record(&self) -> f64;
}
