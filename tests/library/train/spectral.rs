//! Spectral norm in the step: one power iteration an update, from the new weights, taken back with a refused step.

use skyforge::comm::{Communicator, Solo, Threads};
use skyforge::data::Batch;
use skyforge::infer::TrainedModel;
use skyforge::nn::{BatchMoments, Linear, Pass, SpectralVectors, Weights};
use skyforge::objective::{BackwardStats, Feed, Forward, Input, MomentsFrom, Network, Objective, Phase, StepContext};
use skyforge::optim::AdamSettings;
use skyforge::rng::{Draw, Stream};
use skyforge::train::{Cut, Ended, Stepper};
use tch::{Device, Kind, Tensor, nn};

const CUT: Cut = Cut { global: 16, microbatches: 4 };

/// A linear layer under spectral norm that learns to give back what it is given, updated twice a step.
struct Identity {
    store: nn::VarStore,
    layer: Linear,
}

impl Identity {
    fn new() -> Self {
        let store = nn::VarStore::new(Device::Cpu);
        let weights = Weights::normal("identity", 3, 0.5).with_spectral_norm();
        let layer = Linear::new(&(&store.root() / "layer"), &weights, 5, 5);
        Self { store, layer }
    }

    fn vectors(&self) -> SpectralVectors {
        self.layer.spectral().expect("it is under spectral norm")
    }
}

struct IdentityForward<'a> {
    layer: &'a Linear,
    share: f64,
    records: Tensor,
}

impl Forward for IdentityForward<'_> {
    fn finish(&mut self, _: usize) -> BackwardStats {
        let made = self.layer.forward(&self.records, Pass::Training(&BatchMoments::default()));
        let loss = (made - &self.records).square().mean(Kind::Float);
        (&loss * self.share).backward();
        BackwardStats { metrics: vec![loss.detach()], moments: Vec::new() }
    }
}

impl Objective for Identity {
    fn networks(&self) -> Vec<Network<'_>> {
        vec![Network {
            name: "identity",
            store: &self.store,
            halves: Vec::new(),
            average: Some(0.5),
            metrics: &["identity_loss"],
            norms: Vec::new(),
            norm_momentum: 0.1,
            spectral: vec![self.vectors()],
            recalibrated_on: MomentsFrom::Records,
        }]
    }

    fn phases(&self) -> Vec<Phase> {
        let phase = |turn, feed| Phase { networks: vec![0], turn, turns: 2, feed, reads: vec![0] };
        vec![phase(0, Feed::Fresh), phase(1, Feed::SameAs(0))]
    }

    fn begin<'a>(&'a self, _: &Phase, context: &StepContext, input: Input) -> Box<dyn Forward + 'a> {
        let Input::Records(batch) = input else { panic!("both phases are fed with records") };
        Box::new(IdentityForward { layer: &self.layer, share: context.share(), records: batch.input().shallow_clone() })
    }

    fn recalibrate(&self, _: usize, _: Draw, _: u64, _: Input) -> Vec<Tensor> {
        unreachable!("there is no batch norm")
    }

    fn model(&self) -> &dyn TrainedModel {
        self
    }

    fn flops_per_record(&self) -> f64 {
        0.0
    }
}

impl TrainedModel for Identity {}

fn records(step: u64, run: std::ops::Range<usize>, scale: f64) -> Vec<Batch> {
    let one = |m: usize| Tensor::from_slice(&Draw::new(1).at(Stream::Simulation, step, m as u32).normals(20));
    run.map(|m| Batch::of(vec![one(m).view([4, 5]) * scale])).collect()
}

fn numbers(tensor: &Tensor) -> Vec<f32> {
    tensor.detach().flatten(0, -1).try_into().expect("numbers")
}

/// Weight, u and v.
fn all(network: &Identity) -> [Vec<f32>; 3] {
    let vectors = network.vectors();
    [&vectors.weight, &vectors.u, &vectors.v].map(numbers)
}

fn after_three_steps(comm: &dyn Communicator) -> [Vec<f32>; 3] {
    let network = Identity::new();
    let mut stepper = Stepper::new(&network, comm, Draw::new(0), CUT, |_| AdamSettings::default());
    for step in 0..3 {
        let mine = records(step, stepper.run_of_microbatches(), 1.0);
        let (ended, _) = stepper.step(step, Some(&mine), None, &|| false);
        assert!(matches!(ended, Ended::Accepted { .. }));
    }
    all(&network)
}

#[test]
fn each_update_makes_one_power_iteration_from_the_new_weights() {
    let network = Identity::new();
    let mut stepper = Stepper::new(&network, &Solo, Draw::new(0), CUT, |_| AdamSettings::default());
    let mut u = network.vectors().u.copy();
    stepper.step(0, Some(&records(0, 0..4, 1.0)), None, &|| false);
    // The weights of the first update are gone; with a still optimizer both iterations are from the same ones.
    let still = AdamSettings { learning_rate: 0.0, ..AdamSettings::default() };
    let other = Identity::new();
    let mut stepper = Stepper::new(&other, &Solo, Draw::new(0), CUT, |_| still);
    stepper.step(0, Some(&records(0, 0..4, 1.0)), None, &|| false);
    let weight = other.vectors().weight.detach();
    for _ in 0..2 {
        let v = weight.tr().mv(&u);
        let v = &v / v.norm();
        let made = weight.mv(&v);
        u = &made / made.norm();
    }
    let worst = (other.vectors().u - u).abs().max().double_value(&[]);
    assert!(worst < 1e-6, "{worst}");
}

#[test]
fn a_refused_step_takes_its_power_iterations_back() {
    let network = Identity::new();
    let mut stepper = Stepper::new(&network, &Solo, Draw::new(0), CUT, |_| AdamSettings::default());
    stepper.step(0, Some(&records(0, 0..4, 1.0)), None, &|| false);
    let before = all(&network);
    // So large that the square of the gradient is beyond single precision, after a first update that is good.
    let mut bad = records(1, 0..4, 1.0);
    bad[2] = Batch::of(vec![bad[2].input() * f64::NAN]);
    let (ended, _) = stepper.step(1, Some(&bad), None, &|| false);
    assert!(matches!(ended, Ended::NotFinite { .. }));
    assert_eq!(all(&network), before);
}

#[test]
fn averaged_weights_have_singular_vectors_of_their_own_and_leave_those_of_training() {
    let network = Identity::new();
    let mut stepper = Stepper::new(&network, &Solo, Draw::new(0), CUT, |_| AdamSettings::default());
    for step in 0..3 {
        stepper.step(step, Some(&records(step, 0..4, 1.0)), None, &|| false);
    }
    let before = all(&network);
    let (sigma, largest) = stepper.with_model(|_| {
        let vectors = network.vectors();
        let (_, values, _) = vectors.weight.svd(true, false);
        (vectors.sigma().double_value(&[]), values.max().double_value(&[]))
    });
    assert!((sigma / largest - 1.0).abs() < 0.02, "{sigma} and {largest}");
    assert_eq!(all(&network), before);
}

#[test]
fn any_number_of_ranks_has_the_same_singular_vectors() {
    tch::set_num_threads(1);
    let alone = after_three_steps(&Solo);
    for ranks in 2..=4 {
        for got in Threads::run(ranks, |comm| after_three_steps(comm)) {
            assert_eq!(got, alone, "{ranks} ranks");
        }
    }
}
