//! A network of a run as this rank has it: flat buffers, moments of the optimizer, the sum under way, pending state.
//!
//! What follows the gradient of a network through the one reduction of a phase, each a mean or a sum over the
//! microbatches:
//!
//! `[metrics | mean, variance, squared mean of each batch norm | ranks that want to stop | ranks that failed]`

use std::ops::Range;
use std::rc::Rc;

use tch::Tensor;

use crate::checkpoint;
use crate::comm::tree::TreeSum;
use crate::comm::{self, Communicator, DeviceSum, Pending, alarm};
use crate::exit::Exit;
use crate::nn::SpectralVectors;
use crate::objective::{BackwardStats, MomentsFrom, Network};
use crate::optim::{Adam, AdamSettings, Buffer, FlatSpace, Home, Lent};

/// One network of a run.
pub(super) struct Replica {
    pub name: &'static str,
    pub space: FlatSpace,
    pub adam: Adam,
    sum: Sum,
    /// Sums gradients where they live; the tail alone goes through the tree then.
    on_devices: Option<Rc<dyn DeviceSum>>,
    metrics: &'static [&'static str],
    norms: Vec<Norm>,
    norm_momentum: f64,
    /// Forwards of a microbatch in the phase under way that count for the running moments.
    forwards: usize,
    /// Moments of the forwards that counted since the last accepted step: their sum, and how many.
    pending: (Vec<f32>, usize),
    /// What moments of averaged weights are computed from.
    pub recalibrated_on: MomentsFrom,
    pub average: Option<Average>,
    /// Singular vectors of spectral norms, which are part of the state.
    spectral: Vec<SpectralVectors>,
    /// The state before the step under way, where an update changes it.
    state_before: Option<Buffer>,
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
    /// Norm of the summed gradient.
    norm: f64,
    /// The first number in the tail that is not finite.
    spoilt: Option<usize>,
}

/// Power iterations by which singular vectors of averaged weights are found from those of the weights of training.
const AVERAGE_ITERATIONS: usize = 15;

/// A moving average of the parameters.
pub(super) struct Average {
    decay: f64,
    pub weights: Buffer,
}

/// Weights and state of training, while averaged weights stand in their place.
pub(super) struct Live {
    weights: Buffer,
    state: Buffer,
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
    /// What is not finite and so cannot be used, where anything is: of a gradient the square, too, must be a number of
    /// single precision; a loss or a moment that is no number spoils more than one step.
    pub not_finite: Option<String>,
}

impl Replica {
    pub fn new(
        network: &Network,
        home: Home,
        adam: AdamSettings,
        comm: &dyn Communicator,
        microbatches: usize,
    ) -> Self {
        let channels = |name: &str| {
            let key = format!("{name}.running_mean");
            let variables = network.store.variables();
            variables.get(&key).expect("each batch norm has a running mean").numel()
        };
        let moments: usize = network.norms.iter().map(|name| 3 * channels(name)).sum();
        let mut space = FlatSpace::bind_at(home, network.store, network.metrics.len() + moments + 2);
        space.follow(&network.halves);
        let mut tail = network.metrics.len();
        let place = |name: String| {
            let entry = space.state_layout().iter().find(|entry| entry.name == name);
            entry.expect("running moments are state").range()
        };
        let norms = network.norms.iter().map(|name| {
            let norm = Norm {
                mean: place(format!("{name}.running_mean")),
                variance: place(format!("{name}.running_var")),
                tail,
            };
            tail += 3 * norm.mean.len();
            norm
        });
        Self {
            name: network.name,
            norms: norms.collect(),
            adam: Adam::new(adam, space.len(), home),
            sum: Sum::Open(TreeSum::new(comm.rank(), comm.ranks(), microbatches)),
            on_devices: None,
            metrics: network.metrics,
            norm_momentum: network.norm_momentum,
            forwards: 0,
            pending: (vec![0.0; moments], 0),
            recalibrated_on: network.recalibrated_on,
            average: network.average.map(|decay| Average { decay, weights: space.parameters().clone() }),
            spectral: network.spectral.iter().map(SpectralVectors::handle).collect(),
            state_before: None,
            space,
        }
    }

    /// From now on gradients are summed where they live, in no fixed order. Nothing on the host.
    pub fn sum_on_devices(&mut self, sum: Rc<dyn DeviceSum>) {
        if self.space.device_gradient().is_some() {
            self.on_devices = Some(sum);
        }
    }

    /// Where what goes through the tree begins: the whole gradient, or the tail alone.
    fn summed_from(&self) -> usize {
        if self.on_devices.is_some() { self.space.len() } else { 0 }
    }

    /// Makes room for the gradient of the next microbatch, the `first` of the phase or a later one.
    pub fn clear(&mut self, first: bool) {
        if first || self.on_devices.is_none() {
            self.space.clear();
        } else {
            let count = self.space.len();
            self.space.gradient_mut()[count..].fill(0.0); // the device goes on adding
        }
    }

    /// Puts what the backward left into the tail, and the whole into the sum. Without `stats` this rank has failed.
    pub fn add(&mut self, stats: Option<&BackwardStats>, share: f64, stop: bool) {
        let (count, from) = (self.space.len(), self.summed_from());
        if self.on_devices.is_none() {
            self.space.stage_down();
        }
        if let Some(stats) = stats {
            self.forwards = stats.moments.len();
            assert_eq!(stats.metrics.len(), self.metrics.len(), "{} reports its metrics", self.name);
            let (metrics, moments) = self.space.gradient_mut()[count..].split_at_mut(self.metrics.len());
            for (slot, value) in metrics.iter_mut().zip(&stats.metrics) {
                *slot = (value.double_value(&[]) * share) as f32;
            }
            for forward in &stats.moments {
                for (slot, value) in moments.iter_mut().zip(in_one_piece(forward)) {
                    *slot += value * share as f32;
                }
            }
        }
        let [.., stopping, failed] = self.space.gradient_mut() else { unreachable!("the tail has two flags") };
        *stopping = f32::from(u8::from(stop));
        *failed = f32::from(u8::from(stats.is_none()));
        let Sum::Open(sum) = &mut self.sum else { panic!("leaves are added before the sum goes over the ranks") };
        sum.add(&mut self.space.gradient_mut()[from..]);
    }

    /// Starts the sum over all ranks, which takes the gradient buffer with it.
    pub fn start_sum(&mut self, comm: &dyn Communicator, step: u64) {
        if let (Some(sum), Some(gradient)) = (&self.on_devices, self.space.device_gradient()) {
            // The others may wait for this rank inside their library: nothing can be agreed any more.
            if let Err(fault) = sum.all_reduce(gradient.tensor_mut()) {
                alarm::raise(&fault, Exit::Hardware);
            }
        }
        let Sum::Open(mut sum) = std::mem::replace(&mut self.sum, Sum::Moving) else { panic!("a sum starts once") };
        let (count, from, mut gradient) = (self.space.len(), self.summed_from(), self.space.lend());
        let label = format!("step {}, {}", step + 1, self.name);
        self.sum = Sum::UnderWay(comm::start(comm, &label, move |comm| {
            let buffer = gradient.as_mut_slice();
            sum.all_reduce(comm, &mut buffer[from..]);
            let (gradients, tail) = buffer.split_at(count);
            let (norm, spoilt) = (norm(&gradients[from..]), tail.iter().position(|value| !value.is_finite()));
            Summed { sum, gradient, norm, spoilt }
        }));
    }

    /// Whether a sum is under way.
    pub fn is_summing(&self) -> bool {
        matches!(self.sum, Sum::UnderWay(_))
    }

    /// Waits for the sum over all ranks.
    pub fn end_sum(&mut self) -> Verdict {
        let Sum::UnderWay(pending) = std::mem::replace(&mut self.sum, Sum::Moving) else { panic!("a sum was started") };
        let Summed { sum, gradient, mut norm, spoilt } = pending.wait();
        self.sum = Sum::Open(sum);
        self.space.take_back(gradient);
        if let (Some(_), Some(gradient)) = (&self.on_devices, self.space.device_gradient()) {
            norm += gradient.norm(); // 0 was the host's share
        }
        let [.., stop, failed] = self.space.gradient() else { unreachable!("the tail has two flags") };
        let not_finite = if norm < f64::from(f32::MAX).sqrt() {
            spoilt.map(|place| match self.metrics.get(place) {
                Some(metric) => metric.replace('_', " "),
                None => format!("{} batch moment", self.name),
            })
        } else {
            Some(format!("{} gradient", self.name))
        };
        Verdict { norm, stop: *stop > 0.0, failed: *failed > 0.0, not_finite }
    }

    /// Updates the weights by the summed gradient, and remembers the moments of the forwards behind it.
    pub fn update(&mut self, norm: f64) {
        let count = self.space.len();
        let moments = &self.space.gradient()[count + self.metrics.len()..];
        for (sum, value) in self.pending.0.iter_mut().zip(moments) {
            *sum += value;
        }
        self.pending.1 += self.forwards;
        if self.on_devices.is_none() {
            self.space.stage_up();
        }
        let adam = &mut self.adam;
        self.space.update(|parameters, gradient| adam.update(parameters, gradient, norm));
        if !self.spectral.is_empty() {
            if self.state_before.is_none() {
                self.state_before = Some(self.space.state().clone());
            }
            self.spectral.iter().for_each(SpectralVectors::iterate);
        }
    }

    /// The means of the last sum, by name.
    pub fn metrics(&self) -> impl Iterator<Item = (String, f64)> + '_ {
        let tail = &self.space.gradient()[self.space.len()..];
        self.metrics.iter().zip(tail).map(|(name, value)| ((*name).to_owned(), f64::from(*value)))
    }

    /// The step was accepted: state follows.
    pub fn commit(&mut self, steps_before: u64) {
        self.adam.accept();
        self.state_before = None;
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
        let adam = &mut self.adam;
        self.space.change_parameters(|parameters| adam.undo(parameters));
        if let Some(state) = self.state_before.take() {
            self.space.state_mut().copy_from(&state);
        }
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

    /// Whether averaged weights have batch moments of their own.
    pub fn has_moments(&self) -> bool {
        self.average.is_some() && !self.norms.is_empty()
    }

    /// Whether these are computed from records.
    pub fn needs_records(&self) -> bool {
        self.has_moments() && self.recalibrated_on == MomentsFrom::Records
    }

    /// Puts the averaged weights in place, where an average is kept, and gives what stood there.
    pub fn put_average(&mut self) -> Option<Live> {
        let average = &self.average.as_ref()?.weights;
        let live = Live { weights: self.space.parameters().clone(), state: self.space.state().clone() };
        self.space.change_parameters(|parameters| parameters.copy_from(average));
        for vectors in &self.spectral {
            (0..AVERAGE_ITERATIONS).for_each(|_| vectors.iterate());
        }
        Some(live)
    }

    /// Makes running moments of these batch moments alone, one item a forward.
    pub fn set_moments(&mut self, forwards: impl Iterator<Item = Vec<Tensor>>) {
        for moments in forwards {
            for (sum, value) in self.pending.0.iter_mut().zip(in_one_piece(&moments)) {
                *sum += value;
            }
            self.pending.1 += 1;
        }
        self.blend_moments(1.0);
    }

    /// Puts back what [`Self::put_average`] gave.
    pub fn put_back(&mut self, live: &Live) {
        self.space.state_mut().copy_from(&live.state);
        self.space.change_parameters(|parameters| parameters.copy_from(&live.weights));
    }

    /// What of this network goes into a checkpoint; `settled`: running moments of the averaged weights.
    pub fn record<'a>(&'a self, settled: Option<&'a [f32]>) -> checkpoint::NetworkRecord<'a> {
        checkpoint::NetworkRecord {
            name: self.name,
            space: &self.space,
            adam: &self.adam,
            average: self.average.as_ref().zip(settled).map(|(average, state)| (&average.weights, state)),
        }
    }
}

/// The numbers of all of `tensors`, with one copy from where they live.
fn in_one_piece(tensors: &[Tensor]) -> Vec<f32> {
    let flat: Vec<Tensor> = tensors.iter().map(|tensor| tensor.flatten(0, -1)).collect();
    if flat.is_empty() { Vec::new() } else { Tensor::cat(&flat, 0).try_into().expect("moments are numbers") }
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
