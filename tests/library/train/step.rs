//! The step as a state machine: the same bits on any ranks, nothing kept of a bad one.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::{Arc, Barrier, Mutex};

use skyforge::comm::{Communicator, Courier, DeviceSum, Solo, Threads};
use skyforge::data::Batch;
use skyforge::device::{self, Choice, Here};
use skyforge::infer::TrainedModel;
use skyforge::nn::Precision;
use skyforge::nn::dcgan::{DcganSettings, Norm};
use skyforge::objective::gan::{Gan, GanSettings, Loss, Noise, Penalty, Update};
use skyforge::objective::{BackwardStats, Feed, Forward, Input, MomentsFrom, Network, Objective, Phase, StepContext};
use skyforge::optim::{AdamSettings, Buffer, Home};
use skyforge::rng::{Draw, Stream};
use skyforge::train::{Cut, Ended, ParameterMismatch, Stepper};
use tch::{Device, Kind, Tensor, nn};

use crate::shared::networks::SMALL;

/// Two players without batch norm: each has a vector w and minimises the mean of |w - x|^2 / 2 over the batch, so its
/// gradient is w minus the mean of the records. At a chosen step and microbatch the loss of the second is no number, or
/// is told to be none behind a good gradient.
struct Toy {
    stores: [nn::VarStore; 2],
    weights: [Tensor; 2],
    poison_at: Option<(u64, u32)>,
    poisons_gradient: bool,
}

impl Toy {
    fn new(poison_at: Option<(u64, u32)>) -> Self {
        let stores = [nn::VarStore::new(Device::Cpu), nn::VarStore::new(Device::Cpu)];
        let weights = [0, 1].map(|i| stores[i].root().var_copy("w", &Tensor::from_slice(&[1.0_f32, -2.0, 0.25])));
        Self { stores, weights, poison_at, poisons_gradient: true }
    }
}

struct ToyForward<'a> {
    toy: &'a Toy,
    context: StepContext,
    records: Tensor,
}

impl Forward for ToyForward<'_> {
    fn finish(&mut self, network: usize) -> BackwardStats {
        let (toy, context, records) = (self.toy, &self.context, &self.records);
        let mut loss = (&toy.weights[network] - records).square().sum(Kind::Float) / (2.0 * records.size()[0] as f64);
        let poison = network == 1 && toy.poison_at == Some((context.step, context.microbatch));
        if poison && toy.poisons_gradient {
            loss *= f64::NAN;
        }
        (&loss * context.share()).backward();
        if poison {
            loss *= f64::NAN;
        }
        BackwardStats { metrics: vec![loss.detach()], moments: Vec::new() }
    }
}

impl Objective for Toy {
    fn networks(&self) -> Vec<Network<'_>> {
        ["first", "second"]
            .into_iter()
            .zip(&self.stores)
            .map(|(name, store)| Network {
                name,
                store,
                halves: Vec::new(),
                average: Some(0.9),
                metrics: if name == "first" { &["first_loss"] } else { &["second_loss"] },
                norms: Vec::new(),
                norm_momentum: 0.1,
                spectral: Vec::new(),
                recalibrated_on: MomentsFrom::Noise,
            })
            .collect()
    }

    fn phases(&self) -> Vec<Phase> {
        let phase =
            |network| Phase { networks: vec![network], turn: 0, turns: 1, feed: Feed::Fresh, reads: vec![network] };
        [0, 1].map(phase).to_vec()
    }

    fn begin<'a>(&'a self, _: &Phase, context: &StepContext, input: Input) -> Box<dyn Forward + 'a> {
        let Input::Records(batch) = input else { panic!("both phases are fed with records") };
        Box::new(ToyForward { toy: self, context: *context, records: batch.input().shallow_clone() })
    }

    fn recalibrate(&self, _: usize, _: Draw, _: u64, _: Input) -> Vec<Tensor> {
        Vec::new()
    }

    fn model(&self) -> &dyn TrainedModel {
        self
    }

    fn flops_per_record(&self) -> f64 {
        0.0
    }
}

impl TrainedModel for Toy {}

const CUT: Cut = Cut { global: 8, microbatches: 4 };

/// The microbatches `run` of the batches of a step, `[2, 3]` each.
fn records(step: u64, batches: u64, run: std::ops::Range<usize>) -> Vec<Batch> {
    let one = |batch: u64, microbatch: usize| {
        let draw = Draw::new(1).at(Stream::Simulation, step * batches + batch, microbatch as u32).normals(6);
        Batch::of(vec![Tensor::from_slice(&draw).view([2, 3])])
    };
    (0..batches)
        .flat_map(|batch| run.clone().map(move |microbatch| (batch, microbatch)))
        .map(|(b, m)| one(b, m))
        .collect()
}

fn toy_stepper<'a>(toy: &'a Toy, comm: &'a dyn Communicator) -> Stepper<'a> {
    Stepper::new(toy, comm, Draw::new(0), CUT, |_| AdamSettings::default())
}

#[test]
fn the_summed_gradient_is_that_of_the_whole_batch() {
    let toy = Toy::new(None);
    let mut stepper = toy_stepper(&toy, &Solo);
    let parts = records(0, 2, 0..4);
    let whole = Tensor::cat(&parts[..4].iter().map(Batch::input).collect::<Vec<_>>(), 0);
    let expected = &toy.weights[0].detach() - whole.mean_dim([0_i64].as_slice(), false, Kind::Float);
    let (ended, _) = stepper.step(0, Some(&parts), None, &|| false);
    let Ended::Accepted { metrics } = ended else { panic!("the step is good") };
    let norm = metrics.iter().find(|(name, _)| name == "first_gradient_norm").expect("the norm is told").1;
    assert!((norm - expected.norm().double_value(&[])).abs() < 1e-6);
}

#[test]
fn a_bad_second_move_undoes_the_first_on_all_ranks() {
    for ranks in [1, 2, 3, 4] {
        Threads::run(ranks, |comm| {
            let (toy, untouched) = (Toy::new(Some((1, 2))), Toy::new(None));
            let mut stepper = toy_stepper(&toy, comm);
            let run = stepper.run_of_microbatches();
            let (ended, _) = stepper.step(0, Some(&records(0, 2, run.clone())), None, &|| false);
            assert!(matches!(ended, Ended::Accepted { .. }));
            let before = ["first", "second"].map(|player| stepper.parameters(player).to_vec());
            let (ended, _) = stepper.step(1, Some(&records(1, 2, run.clone())), None, &|| false);
            assert!(matches!(ended, Ended::NotFinite { what } if what == "second gradient"));
            assert_eq!(["first", "second"].map(|player| stepper.parameters(player).to_vec()), before);
            // Afterwards it is as if the bad step had never been.
            let mut other = toy_stepper(&untouched, comm);
            other.step(0, Some(&records(0, 2, run.clone())), None, &|| false);
            for stepper in [&mut stepper, &mut other] {
                stepper.step(2, Some(&records(2, 2, run.clone())), None, &|| false);
            }
            assert_eq!(stepper.parameters("first"), other.parameters("first"));
            assert_eq!(stepper.parameters("second"), other.parameters("second"));
        });
    }
}

#[test]
fn a_bad_step_says_what_of_it_was_not_finite() {
    let mut toy = Toy::new(Some((0, 3)));
    toy.poisons_gradient = false;
    let (ended, _) = toy_stepper(&toy, &Solo).step(0, Some(&records(0, 2, 0..4)), None, &|| false);
    assert!(matches!(&ended, Ended::NotFinite { what } if what == "second loss"), "{ended:?}");
    // Maps so bright that their variance is beyond single precision: batch norm makes zeros of them, and a good gradient.
    let gan = Gan::new(&SMALL, unruffled().0, 7, Device::Cpu);
    let cut = Cut { global: 4, microbatches: 1 };
    let mut stepper = Stepper::new(&gan, &Solo, Draw::new(7), cut, |_| AdamSettings::default());
    let values = Draw::new(2).at(Stream::Simulation, 0, 0).normals(4 * 256);
    let bright = || Batch::of(vec![Tensor::from_slice(&values).view([4, 1, 16, 16]) * 1e25]);
    let (ended, _) = stepper.step(0, Some(&[bright(), bright()]), None, &|| false);
    assert!(matches!(&ended, Ended::NotFinite { what } if what == "discriminator batch moment"), "{ended:?}");
}

#[test]
fn a_rank_without_records_fails_the_step_on_all() {
    let ended = Threads::run(3, |comm| {
        let toy = Toy::new(None);
        let mut stepper = toy_stepper(&toy, comm);
        let mine = records(0, 2, stepper.run_of_microbatches());
        let before = stepper.parameters("first").to_vec();
        let (ended, _) = stepper.step(0, (comm.rank() != 1).then_some(mine.as_slice()), None, &|| false);
        assert_eq!(stepper.parameters("first"), before);
        matches!(ended, Ended::Failed)
    });
    assert_eq!(ended, [true; 3]);
}

#[test]
fn the_wish_of_one_rank_to_stop_is_heard_by_all() {
    for wishing in 0..4 {
        let heard = Threads::run(4, |comm| {
            let toy = Toy::new(None);
            let mut stepper = toy_stepper(&toy, comm);
            let mine = records(0, 2, stepper.run_of_microbatches());
            stepper.step(0, Some(&mine), None, &|| comm.rank() == wishing).1
        });
        assert_eq!(heard, [true; 4]);
    }
}

#[test]
fn a_rank_with_other_parameters_is_named_by_all() {
    for ranks in 1..=4 {
        assert!(Threads::run(ranks, |comm| toy_stepper(&Toy::new(None), comm).mismatch()).iter().all(Option::is_none));
    }
    for guilty in 0..3 {
        let named = Threads::run(3, |comm| {
            let toy = Toy::new(None);
            let mut stepper = toy_stepper(&toy, comm);
            let flip = |slots: skyforge::checkpoint::NetworkSlots| -> Result<(), ()> {
                slots.space.change_parameters(|parameters| {
                    let value = &mut parameters.as_mut_slice()[1];
                    *value = f32::from_bits(value.to_bits() ^ 1);
                });
                Ok(())
            };
            if comm.rank() == guilty {
                stepper.restore(flip).expect("a bit was flipped");
            }
            stepper.mismatch()
        });
        assert_eq!(named, [Some(ParameterMismatch::Rank(guilty)); 3]);
    }
}

/// Parameters of both players of a small DCGAN after three steps, and what a checkpoint would hold besides.
fn gan_after_three_steps(comm: &dyn Communicator, settings: &GanSettings, overlap: bool) -> Vec<u32> {
    gan_at(Device::Cpu, Home::of, AdamSettings::default(), comm, settings, overlap)
}

/// The same on `device`, with flat buffers where `home` says.
fn gan_at(
    device: Device,
    home: impl Fn(Device) -> Home,
    adam: AdamSettings,
    comm: &dyn Communicator,
    settings: &GanSettings,
    overlap: bool,
) -> Vec<u32> {
    gan_with(None, device, home, adam, comm, settings, overlap)
}

/// The same with gradients summed by `sum`.
fn gan_with(
    sum: Option<&Rc<dyn DeviceSum>>,
    device: Device,
    home: impl Fn(Device) -> Home,
    adam: AdamSettings,
    comm: &dyn Communicator,
    settings: &GanSettings,
    overlap: bool,
) -> Vec<u32> {
    let norm = if settings.penalty.is_some() { Norm::Generator } else { Norm::Batch };
    let model = DcganSettings { norm, ..SMALL };
    let gan = Gan::new(&model, settings.clone(), 7, device);
    let cut = Cut { global: 16, microbatches: 4 };
    let mut stepper = Stepper::new_at(home, &gan, comm, Draw::new(7), cut, |_| adam);
    stepper.set_overlap(overlap);
    if let Some(sum) = sum {
        stepper.sum_on_devices(sum);
    }
    let (batches, run) = (stepper.batches() as u64, stepper.run_of_microbatches());
    let maps = |step: u64| -> Vec<Batch> {
        let one = |place: u64, microbatch: usize| {
            let values = Draw::new(2).at(Stream::Simulation, place, microbatch as u32).normals(4 * 256);
            Batch::of(vec![Tensor::from_slice(&values).view([4, 1, 16, 16]).tanh()])
        };
        (0..batches)
            .flat_map(|batch| run.clone().map(move |m| (step * batches + batch, m)))
            .map(|(p, m)| one(p, m))
            .collect()
    };
    for step in 0..3 {
        let (ended, _) = stepper.step(step, Some(&maps(step)), maps(step + 1).first(), &|| false);
        assert!(matches!(ended, Ended::Accepted { .. }));
    }
    stepper.with_records(|players| {
        let mut bits = Vec::new();
        for player in players {
            let (first, second) = player.adam.moments();
            let (average, settled) = player.average.unzip();
            let buffers = [player.space.parameters(), player.space.state(), first, second].into_iter().chain(average);
            for values in buffers.map(Buffer::host).chain(settled.map(Cow::Borrowed)) {
                bits.extend(values.iter().map(|value| value.to_bits()));
            }
        }
        bits
    })
}

/// A game with all that can be chosen, and an Adam that is not led by rounding: biases before a batch norm have gradients
/// of nothing else, and a large epsilon keeps it from following them.
fn unruffled() -> (GanSettings, AdamSettings) {
    let settings = GanSettings {
        loss: Loss::NonSaturating,
        precision: Precision::Fp32,
        penalty: None,
        label_flip: 0.1,
        instance_noise: 0.0,
        average: Some(0.99),
        update: Update::Alternating,
        noise: Noise::Fresh,
        discriminator_updates: 2,
        generator_updates: 1,
    };
    (settings, AdamSettings { epsilon: 1e-3, ..AdamSettings::default() })
}

/// The whole step with whole tensors, staging and copies, on a device whose memory happens to be the host's.
#[test]
fn a_device_trains_the_gan_of_the_host_on_any_number_of_ranks() {
    tch::set_num_threads(1);
    let (settings, adam) = unruffled();
    let host = gan_at(Device::Cpu, Home::of, adam, &Solo, &settings, true);
    let device = gan_at(Device::Cpu, Home::Device, adam, &Solo, &settings, true);
    assert_eq!(host.len(), device.len());
    for (x, y) in host.iter().zip(&device) {
        let (x, y) = (f32::from_bits(*x), f32::from_bits(*y));
        assert!((x - y).abs() <= 1e-5 * x.abs().max(0.1), "{x} and {y}");
    }
    for ranks in [2, 3] {
        for other in Threads::run(ranks, |comm| gan_at(Device::Cpu, Home::Device, adam, comm, &settings, true)) {
            assert!(other == device, "{ranks} ranks");
        }
    }
}

/// What sums on devices, where these happen to be the host: ranks meet and add up in the order in which they come.
struct Meeting {
    sum: Arc<Mutex<Option<Tensor>>>,
    barrier: Arc<Barrier>,
}

impl DeviceSum for Meeting {
    fn all_reduce(&self, values: &mut Tensor) -> Result<(), String> {
        {
            let mut sum = self.sum.lock().expect("nobody panicked");
            *sum = Some(sum.take().map_or_else(|| values.copy(), |sum| sum + &*values));
        }
        self.barrier.wait();
        values.copy_(self.sum.lock().expect("nobody panicked").as_ref().expect("all have added"));
        if self.barrier.wait().is_leader() {
            *self.sum.lock().expect("nobody panicked") = None;
        }
        self.barrier.wait();
        Ok(())
    }
}

#[test]
fn gradients_summed_on_devices_train_the_same_gan_to_rounding() {
    tch::set_num_threads(1);
    let (settings, adam) = unruffled();
    let tree = gan_at(Device::Cpu, Home::Device, adam, &Solo, &settings, true);
    for ranks in [1, 2, 3] {
        let (sum, barrier) = (Arc::default(), Arc::new(Barrier::new(ranks)));
        let all = Threads::run(ranks, |comm| {
            let meeting = Meeting { sum: Arc::clone(&sum), barrier: Arc::clone(&barrier) };
            let meeting: Rc<dyn DeviceSum> = Rc::new(meeting);
            gan_with(Some(&meeting), Device::Cpu, Home::Device, adam, comm, &settings, true)
        });
        for other in &all {
            assert!(other == &all[0], "ranks have the same bits as each other");
            for (x, y) in tree.iter().zip(other) {
                let (x, y) = (f32::from_bits(*x), f32::from_bits(*y));
                assert!((x - y).abs() <= 1e-5 * x.abs().max(0.1), "{x} and {y}, {ranks} ranks");
            }
        }
    }
}

/// To the precision of TF32, in which convolutions may be done there.
#[test]
fn a_gpu_trains_the_gan_of_the_cpu() {
    let gpu = match device::choose(Choice::Cuda, Here { rank: 0, ranks: 1, lists_differ: false }, false) {
        Ok(chosen) => chosen.device,
        Err(reason) => {
            eprintln!("skipped: {reason}");
            return;
        }
    };
    let (settings, adam) = unruffled();
    let run = |device: Device| gan_at(device, Home::of, adam, &Solo, &settings, true).into_iter().map(f32::from_bits);
    let pairs: Vec<(f32, f32)> = run(Device::Cpu).zip(run(gpu)).collect();
    let norm = |of: fn(&(f32, f32)) -> f32| pairs.iter().map(|pair| f64::from(of(pair)).powi(2)).sum::<f64>().sqrt();
    let (difference, size) = (norm(|(x, y)| x - y), norm(|(x, _)| *x));
    assert!(difference < 1e-2 * size, "{difference} of {size}");
}

#[test]
fn any_number_of_ranks_trains_the_same_gan() {
    tch::set_num_threads(1);
    let base = GanSettings {
        loss: Loss::NonSaturating,
        precision: Precision::Fp32,
        penalty: None,
        label_flip: 0.1,
        instance_noise: 0.0,
        average: Some(0.99),
        update: Update::Alternating,
        noise: Noise::Fresh,
        discriminator_updates: 1,
        generator_updates: 1,
    };
    let several = GanSettings { discriminator_updates: 2, generator_updates: 3, ..base.clone() };
    let shared = GanSettings { noise: Noise::Shared, ..base.clone() };
    let together = GanSettings { update: Update::Simultaneous, ..base.clone() };
    let half = GanSettings { precision: Precision::Bf16, ..base.clone() };
    let half_together = GanSettings { precision: Precision::Bf16, ..together.clone() };
    // In steps 0 and 2 of 0 to 2.
    let penalty = Some(Penalty { weight: 10.0, every: 2 });
    let critic = GanSettings { loss: Loss::Wasserstein, penalty, ..several.clone() };
    let half_critic = GanSettings { precision: Precision::Bf16, update: Update::Simultaneous, penalty, ..base.clone() };
    let mut seen = Vec::new();
    for settings in [base, several, shared, together, half, half_together, critic, half_critic] {
        let alone = gan_after_three_steps(&Solo, &settings, false);
        assert!(gan_after_three_steps(&Solo, &settings, true) == alone, "begun early, {settings:?}");
        for ranks in 1..=4 {
            for got in Threads::run(ranks, |comm| gan_after_three_steps(comm, &settings, false)) {
                assert!(got == alone, "{ranks} ranks, {settings:?}");
            }
            for got in Courier::run(ranks, |comm| gan_after_three_steps(comm, &settings, true)) {
                assert!(got == alone, "{ranks} ranks with overlap, {settings:?}");
            }
        }
        assert!(!seen.contains(&alone), "each form of the game is its own: {settings:?}");
        seen.push(alone);
    }
}

/// Running moments follow the law of total variance: after one step they are those of the whole batch, however it was
/// cut, and not the mean of the parts'.
#[test]
fn running_moments_are_those_of_the_whole_batch() {
    let settings = GanSettings {
        loss: Loss::Hinge,
        precision: Precision::Fp32,
        penalty: None,
        label_flip: 0.0,
        instance_noise: 0.0,
        average: None,
        update: Update::Alternating,
        noise: Noise::Fresh,
        discriminator_updates: 1,
        generator_updates: 1,
    };
    let gan = Gan::new(&SMALL, settings, 7, Device::Cpu);
    let find = |name: &str| gan.networks()[1].store.variables()[name].detach().copy();
    let (weight, bias) = (find("project.weight"), find("project.bias"));
    let cut = Cut { global: 16, microbatches: 4 };
    let mut stepper = Stepper::new(&gan, &Solo, Draw::new(7), cut, |_| AdamSettings::default());
    let one = |m| Tensor::from_slice(&Draw::new(2).at(Stream::Simulation, 0, m).normals(4 * 256)).view([4, 1, 16, 16]);
    let maps: Vec<Batch> = (0..4).map(|m| Batch::of(vec![one(m)])).collect();
    stepper.step(0, Some(&maps), None, &|| false);

    // What came into the first batch norm, of all microbatches together: [16, 8, 4, 4].
    let noise: Vec<f32> = (0..4).flat_map(|m| Draw::new(7).at(Stream::GeneratorNoise, 0, m).normals(4 * 6)).collect();
    let x = Tensor::from_slice(&noise).view([16, 6]).linear(&weight, Some(&bias)).view([16, 8, 4, 4]);
    let dims: &[i64] = &[0, 2, 3];
    let (mean, variance) = (x.mean_dim(dims, false, Kind::Float), x.var_dim(dims, false, false));
    let near = |got: Tensor, first: f64, moment: Tensor| {
        let expected = moment * 0.1 + first * 0.9;
        assert!((got - expected).abs().max().double_value(&[]) < 1e-6);
    };
    near(find("norm0.running_mean"), 0.0, mean);
    near(find("norm0.running_var"), 1.0, variance);
}

/// In half precision too every forward sees the weights that are there: what looks at averaged weights, a refused step and
/// a restored checkpoint change nothing.
#[test]
fn in_half_precision_looking_undoing_and_restoring_change_nothing() {
    tch::set_num_threads(1);
    let settings =
        GanSettings { precision: Precision::Bf16, update: Update::Simultaneous, average: Some(0.5), ..unruffled().0 };
    let settings = GanSettings { discriminator_updates: 1, ..settings };
    let maps = |step: u64, poison: f64| -> Vec<Batch> {
        let one = |m: u32| {
            let values = Draw::new(2).at(Stream::Simulation, step, m).normals(4 * 256);
            Batch::of(vec![Tensor::from_slice(&values).view([4, 1, 16, 16]).tanh() * poison])
        };
        (0..4).map(one).collect()
    };
    let bits = |stepper: &Stepper| -> Vec<u32> {
        let of = |player| stepper.parameters(player).iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        ["discriminator", "generator"].map(of).concat()
    };
    let adam = AdamSettings { learning_rate: 0.01, ..AdamSettings::default() };
    let cut = Cut { global: 16, microbatches: 4 };
    let straight = {
        let gan = Gan::new(&SMALL, settings.clone(), 7, Device::Cpu);
        let mut stepper = Stepper::new(&gan, &Solo, Draw::new(7), cut, |_| adam);
        for step in 0..4 {
            stepper.step(step, Some(&maps(step, 1.0)), None, &|| false);
        }
        bits(&stepper)
    };
    let gan = Gan::new(&SMALL, settings.clone(), 7, Device::Cpu);
    let mut stepper = Stepper::new(&gan, &Solo, Draw::new(7), cut, |_| adam);
    for step in 0..4 {
        stepper.with_records(|_| ());
        stepper.with_model(|model| model.generator().map(|generator| generator.generate(Draw::new(7), 0..5)));
        let (ended, _) = stepper.step(step, Some(&maps(step, f64::NAN)), None, &|| false);
        assert!(matches!(ended, Ended::NotFinite { .. }));
        let kept = ["discriminator", "generator"].map(|player| stepper.parameters(player).into_owned());
        let fill = |with: [Vec<f32>; 2]| {
            move |slots: skyforge::checkpoint::NetworkSlots| -> Result<(), ()> {
                let values = &with[usize::from(slots.name == "generator")];
                slots.space.change_parameters(|parameters| parameters.write(values));
                Ok(())
            }
        };
        stepper.restore(fill(kept.clone().map(|values| vec![0.5; values.len()]))).expect("filled");
        stepper.restore(fill(kept)).expect("filled");
        let (ended, _) = stepper.step(step, Some(&maps(step, 1.0)), None, &|| false);
        assert!(matches!(ended, Ended::Accepted { .. }));
    }
    assert!(bits(&stepper) == straight);
}
