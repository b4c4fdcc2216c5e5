//! No two ranks, microbatches, moves or steps share chance: one seed for all ranks, or for all microbatches, is noticed.

use std::cell::RefCell;
use std::collections::HashMap;

use skyforge::comm::{Communicator, Threads};
use skyforge::data::Batch;
use skyforge::infer::TrainedModel;
use skyforge::nn::Precision;
use skyforge::objective::gan::{Gan, GanSettings, Loss, Noise, Update};
use skyforge::objective::{BackwardStats, Forward, Input, Network, Objective, Phase, StepContext};
use skyforge::optim::AdamSettings;
use skyforge::rng::Draw;
use skyforge::train::{Cut, Ended, Stepper};
use tch::{Device, Tensor};

use crate::shared::networks::SMALL;

const CUT: Cut = Cut { global: 128, microbatches: 8 };
const STEPS: u64 = 3;
const GENERATOR: usize = 1;

/// A GAN under watch: what it made of each microbatch, in the order in which it did.
struct Watched {
    gan: Gan,
    seen: RefCell<Vec<(usize, Vec<f64>)>>,
}

/// A forward of it.
struct WatchedForward<'a> {
    forward: Box<dyn Forward + 'a>,
    seen: &'a RefCell<Vec<(usize, Vec<f64>)>>,
}

impl Forward for WatchedForward<'_> {
    fn finish(&mut self, network: usize) -> BackwardStats {
        let stats = self.forward.finish(network);
        let values = stats.metrics.iter().map(|value| value.double_value(&[])).collect();
        self.seen.borrow_mut().push((network, values));
        stats
    }
}

impl Objective for Watched {
    fn networks(&self) -> Vec<Network<'_>> {
        self.gan.networks()
    }

    fn phases(&self) -> Vec<Phase> {
        self.gan.phases()
    }

    fn begin<'a>(&'a self, phase: &Phase, context: &StepContext, input: Input) -> Box<dyn Forward + 'a> {
        Box::new(WatchedForward { forward: self.gan.begin(phase, context, input), seen: &self.seen })
    }

    fn recalibrate(&self, network: usize, draw: Draw, index: u64, input: Input) -> Vec<Tensor> {
        self.gan.recalibrate(network, draw, index, input)
    }

    fn model(&self) -> &dyn TrainedModel {
        self.gan.model()
    }

    fn flops_per_record(&self) -> f64 {
        self.gan.flops_per_record()
    }
}

fn settings(label_flip: f64) -> GanSettings {
    GanSettings {
        loss: Loss::Hinge, // the generator's is the mean logit of its maps, with the other sign
        precision: Precision::Fp32,
        penalty: None,
        label_flip,
        instance_noise: 0.0,
        average: None,
        update: Update::Alternating,
        noise: Noise::Fresh,
        discriminator_updates: 2,
        generator_updates: 3,
    }
}

/// What the GAN of each rank made of a few steps in which chance is all that differs: every microbatch has the same
/// records, and nobody learns anything. `blind`: a generator that makes the same maps of any noise.
fn seen(ranks: usize, settings: &GanSettings, blind: bool) -> Vec<(usize, Vec<f64>)> {
    let on_rank = |comm: &Threads| {
        let watched = Watched { gan: Gan::new(&SMALL, settings.clone(), 7, Device::Cpu), seen: RefCell::default() };
        if blind {
            let mut project = watched.gan.networks()[GENERATOR].store.variables()["project.weight"].shallow_clone();
            let _ = tch::no_grad(|| project.zero_());
        }
        let still = AdamSettings { learning_rate: 0.0, ..AdamSettings::default() };
        let mut stepper = Stepper::new(&watched, comm as &dyn Communicator, Draw::new(7), CUT, |_| still);
        let maps = Tensor::from_slice(&Draw::new(2).at(skyforge::rng::Stream::Simulation, 0, 0).normals(16 * 256));
        let maps = maps.view([16, 1, 16, 16]).tanh();
        let count = stepper.batches() * stepper.run_of_microbatches().len();
        let records: Vec<Batch> = (0..count).map(|_| Batch::of(vec![maps.shallow_clone()])).collect();
        for step in 0..STEPS {
            let (ended, _) = stepper.step(step, Some(&records), records.first(), &|| false);
            assert!(matches!(ended, Ended::Accepted { .. }));
        }
        drop(stepper);
        watched.seen.into_inner()
    };
    Threads::run(ranks, on_rank).into_iter().flatten().collect()
}

/// How many values there are, and how many of them no other equals.
fn alone(values: impl Iterator<Item = f64>) -> (usize, usize) {
    let mut counts: HashMap<u64, usize> = HashMap::new();
    values.for_each(|value| *counts.entry(value.to_bits()).or_default() += 1);
    (counts.values().sum(), counts.values().filter(|count| **count == 1).count())
}

#[test]
fn no_two_forwards_of_the_generator_share_their_noise() {
    tch::set_num_threads(1);
    for ranks in 1..=4 {
        let seen = seen(ranks, &settings(0.0), false);
        // The mean logit of the generated maps: [loss, real, generated] of the discriminator, [loss] of the generator.
        let logits = seen.iter().map(|(player, values)| if *player == GENERATOR { -values[0] } else { values[2] });
        let all = STEPS as usize * (2 + 3) * CUT.microbatches;
        assert_eq!(alone(logits), (all, all), "{ranks} ranks");
    }
}

#[test]
fn no_two_microbatches_share_their_label_flips() {
    tch::set_num_threads(1);
    for ranks in 1..=4 {
        let losses = |label_flip: f64| {
            let seen = seen(ranks, &settings(label_flip), true);
            let of_discriminator = seen.into_iter().filter(|(player, _)| *player != GENERATOR);
            of_discriminator.map(|(_, values)| values[0]).collect::<Vec<_>>()
        };
        let all = STEPS as usize * 2 * CUT.microbatches;
        assert_eq!(alone(losses(0.5).into_iter()), (all, all), "{ranks} ranks");
        // It is the flips that differ, nothing else.
        assert_eq!(alone(losses(0.0).into_iter()), (all, 0), "{ranks} ranks");
    }
}
