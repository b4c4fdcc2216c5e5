//! What the trainer keeps of each player: flat buffers, moments of the optimiser, the sum under way, pending state.
//!
//! What rides at the end of a player's gradient through the one reduction of a move, each a mean or a sum over the
//! microbatches:
//!
//! `[metrics | mean, variance, squared mean of each batch norm | ranks that want to stop | ranks that failed]`

use std::ops::Range;

use crate::checkpoint;
use crate::comm::tree::TreeSum;
use crate::comm::{self, Communicator, Pending};
use crate::objective::{Player, Tally};
use crate::optim::{Adam, AdamSettings, Buffer, FlatSpace, Home, Lent};

/// One player of a run.
pub(super) struct PlayerState {
    pub name: &'static str,
    pub space: FlatSpace,
    pub adam: Adam,
    sum: Sum,
    metrics: &'static [&'static str],
    norms: Vec<Norm>,
    norm_momentum: f64,
    /// Moments of the forwards that counted since the last accepted step: their sum, and how many.
    pending: (Vec<f32>, usize),
    pub average: Option<Average>,
}

/// The sum over microbatches: leaves come, or it goes over the ranks.
enum Sum {
    Open(TreeSum),
    UnderWay(Pending<Summed>),
    /// Between the two.
    Moving,
}

/// What comes back of a sum over ranks.
struct Summed {
    sum: TreeSum,
    gradient: Lent,
    /// Norm of the summed gradient; no number where something that rode along is none.
    norm: f64,
}

/// A moving average of the parameters.
pub(super) struct Average {
    decay: f64,
    pub weights: Buffer,
}

/// Where a batch norm's moments are, in the state and in the tail.
struct Norm {
    mean: Range<usize>,
    variance: Range<usize>,
    tail: usize,
}

/// What the sum over all microbatches said besides the gradient.
pub(super) struct Verdict {
    /// Norm of the summed gradient.
    pub norm: f64,
    /// Some rank wants to stop.
    pub stop: bool,
    /// Some rank could not do its part.
    pub failed: bool,
}

impl PlayerState {
    pub fn new(player: &Player, home: Home, adam: AdamSettings, comm: &dyn Communicator, microbatches: usize) -> Self {
        let channels = |name: &str| {
            let key = format!("{name}.running_mean");
            let variables = player.store.variables();
            variables.get(&key).expect("each batch norm has a running mean").numel()
        };
        let moments: usize = player.norms.iter().map(|name| 3 * channels(name)).sum();
        let space = FlatSpace::bind_at(home, player.store, player.metrics.len() + moments + 2);
        let mut tail = player.metrics.len();
        let place = |name: String| {
            let entry = space.state_layout().iter().find(|entry| entry.name == name);
            entry.expect("running moments are state").range()
        };
        let norms = player.norms.iter().map(|name| {
            let norm = Norm {
                mean: place(format!("{name}.running_mean")),
                variance: place(format!("{name}.running_var")),
                tail,
            };
            tail += 3 * norm.mean.len();
            norm
        });
        Self {
            name: player.name,
            norms: norms.collect(),
            adam: Adam::new(adam, space.len(), home),
            sum: Sum::Open(TreeSum::new(comm.rank(), comm.ranks(), microbatches)),
            metrics: player.metrics,
            norm_momentum: player.norm_momentum,
            pending: (vec![0.0; moments], 0),
            average: player.average.map(|decay| Average { decay, weights: space.parameters().clone() }),
            space,
        }
    }

    /// Makes room for the gradient of the next microbatch.
    pub fn clear(&mut self) {
        self.space.clear();
    }

    /// Puts what the backward left into the tail, and the whole into the sum. Without a tally this rank has failed.
    pub fn add(&mut self, tally: Option<&Tally>, share: f64, stop: bool) {
        let count = self.space.len();
        self.space.stage_down();
        if let Some(tally) = tally {
            let metrics = self.metrics.len();
            let tail = &mut self.space.gradient_mut()[count..];
            for (slot, value) in tail[..metrics].iter_mut().zip(&tally.metrics) {
                *slot = (value.double_value(&[]) * share) as f32;
            }
            for forward in &tally.moments {
                let mut slots = tail[metrics..].iter_mut();
                for moment in forward {
                    for value in Vec::<f32>::try_from(moment.flatten(0, -1)).expect("moments are numbers") {
                        *slots.next().expect("the tail has room for all moments") += value * share as f32;
                    }
                }
            }
        }
        let [.., stopping, failed] = self.space.gradient_mut() else { unreachable!("the tail has two flags") };
        *stopping = f32::from(u8::from(stop));
        *failed = f32::from(u8::from(tally.is_none()));
        let Sum::Open(sum) = &mut self.sum else { panic!("leaves are added before the sum goes over the ranks") };
        sum.add(self.space.gradient_mut());
    }

    /// Starts the sum over all ranks, which takes the gradient buffer with it.
    pub fn start_sum(&mut self, comm: &dyn Communicator, step: u64) {
        let Sum::Open(mut sum) = std::mem::replace(&mut self.sum, Sum::Moving) else { panic!("a sum starts once") };
        let (count, mut gradient) = (self.space.len(), self.space.lend());
        let label = format!("step {}, {}", step + 1, self.name);
        self.sum = Sum::UnderWay(comm::start(comm, &label, move |comm| {
            let buffer = gradient.as_mut_slice();
            sum.all_reduce(comm, buffer);
            let (gradients, tail) = buffer.split_at(count);
            // What rides along decides too: a loss or a moment that is no number spoils more than one step.
            let norm = if tail.iter().all(|value| value.is_finite()) { norm(gradients) } else { f64::NAN };
            Summed { sum, gradient, norm }
        }));
    }

    /// Whether a sum is under way.
    pub fn is_summing(&self) -> bool {
        matches!(self.sum, Sum::UnderWay(_))
    }

    /// Waits for the sum over all ranks.
    pub fn end_sum(&mut self) -> Verdict {
        let Sum::UnderWay(pending) = std::mem::replace(&mut self.sum, Sum::Moving) else { panic!("a sum was started") };
        let Summed { sum, gradient, norm } = pending.wait();
        self.sum = Sum::Open(sum);
        self.space.take_back(gradient);
        let [.., stop, failed] = self.space.gradient() else { unreachable!("the tail has two flags") };
        Verdict { norm, stop: *stop > 0.0, failed: *failed > 0.0 }
    }

    /// Moves by the summed gradient, and remembers the moments of the forwards behind it.
    pub fn update(&mut self, norm: f64, forwards: usize) {
        let count = self.space.len();
        let moments = &self.space.gradient()[count + self.metrics.len()..];
        for (sum, value) in self.pending.0.iter_mut().zip(moments) {
            *sum += value;
        }
        self.pending.1 += forwards;
        self.space.stage_up();
        let (parameters, gradient) = self.space.parameters_and_gradient();
        self.adam.update(parameters, gradient, norm);
    }

    /// The means of the last sum, by name.
    pub fn metrics(&self) -> impl Iterator<Item = (String, f64)> + '_ {
        let tail = &self.space.gradient()[self.space.len()..];
        self.metrics.iter().zip(tail).map(|(name, value)| ((*name).to_owned(), f64::from(*value)))
    }

    /// The step was accepted: state follows.
    pub fn commit(&mut self, steps_before: u64) {
        self.adam.accept();
        if self.pending.1 > 0 {
            let weight = self.norm_momentum;
            self.blend_moments(weight);
        }
        if let Some(average) = &mut self.average {
            // Young averages forget faster, so that they do not remember the initial weights for long.
            let decay = average.decay.min((1.0 + steps_before as f64) / (10.0 + steps_before as f64));
            average.weights.blend(decay, self.space.parameters());
        }
    }

    /// The step was refused: nothing has happened.
    pub fn undo(&mut self) {
        self.pending.0.fill(0.0);
        self.pending.1 = 0;
        self.adam.undo(self.space.parameters_mut());
    }

    /// Draws running moments towards the pending ones, by the law of total variance: the variance of all is the mean
    /// of the variances plus the variance of the means.
    fn blend_moments(&mut self, weight: f64) {
        let (sums, forwards) = (&mut self.pending.0, self.pending.1 as f32);
        let start = self.metrics.len();
        let (keep, weight) = ((1.0 - weight) as f32, weight as f32);
        self.space.state_mut().change(|state| {
            for norm in &self.norms {
                let channels = norm.mean.len();
                let at = norm.tail - start;
                for c in 0..channels {
                    let mean = sums[at + c] / forwards;
                    let variance = sums[at + channels + c] / forwards;
                    let squared_mean = sums[at + 2 * channels + c] / forwards;
                    let total = variance + (squared_mean - mean * mean).max(0.0);
                    let (running_mean, running_variance) = (norm.mean.start + c, norm.variance.start + c);
                    state[running_mean] = keep * state[running_mean] + weight * mean;
                    state[running_variance] = keep * state[running_variance] + weight * total;
                }
            }
        });
        sums.fill(0.0);
        self.pending.1 = 0;
    }

    /// The state that goes with the averaged weights: running moments made afresh by `forward`, which gives the
    /// batch moments of the weights it finds in place. Everything else is left as it was.
    pub fn settled_state(
        &mut self,
        forwards: u64,
        mut forward: impl FnMut(u64) -> Vec<tch::Tensor>,
    ) -> Option<Vec<f32>> {
        let average = &self.average.as_ref()?.weights;
        let (weights, state) = (self.space.parameters().clone(), self.space.state().clone());
        self.space.parameters_mut().copy_from(average);
        for index in 0..forwards {
            let values = forward(index)
                .into_iter()
                .flat_map(|moment| Vec::<f32>::try_from(moment.flatten(0, -1)).expect("moments are numbers"));
            for (sum, value) in self.pending.0.iter_mut().zip(values) {
                *sum += value;
            }
        }
        self.pending.1 = forwards as usize;
        self.blend_moments(1.0);
        let settled = self.space.state().host().into_owned();
        self.space.state_mut().copy_from(&state);
        self.space.parameters_mut().copy_from(&weights);
        Some(settled)
    }

    /// What of this player goes into a checkpoint.
    pub fn record<'a>(&'a self, settled: Option<&'a [f32]>) -> checkpoint::PlayerRecord<'a> {
        checkpoint::PlayerRecord {
            name: self.name,
            space: &self.space,
            adam: &self.adam,
            average: self.average.as_ref().zip(settled).map(|(average, state)| (&average.weights, state)),
        }
    }
}

/// The Euclidean norm, summed in eight lanes so that the processor is not kept waiting; the same bits everywhere.
fn norm(values: &[f32]) -> f64 {
    let mut lanes = [0.0_f64; 8];
    let chunks = values.chunks_exact(8);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane += f64::from(*value) * f64::from(*value);
        }
    }
    let tail: f64 = rest.iter().map(|value| f64::from(*value) * f64::from(*value)).sum();
    (lanes.iter().sum::<f64>() + tail).sqrt()
}
