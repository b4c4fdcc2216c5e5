//! The GAN game: losses against their formulae, gradients against the textbook's two-step form and finite differences.

use skyforge::data::Batch;
use skyforge::nn::Precision;
use skyforge::nn::dcgan::{DcganSettings, Norm};
use skyforge::objective::gan::{Gan, GanSettings, Loss, Noise, Penalty, Update};
use skyforge::objective::{Feed, Input, Objective, StepContext};
use skyforge::rng::{Draw, Stream};
use tch::{Device, Kind, Tensor};

use crate::shared::networks::SMALL;

const LOGITS: [f32; 5] = [-3.0, -0.5, 0.0, 0.7, 4.0];

fn softplus(x: f64) -> f64 {
    (1.0 + x.exp()).ln()
}

fn check(got: &Tensor, formula: impl Fn(f64) -> f64) {
    let got = Vec::<f32>::try_from(got).expect("losses are [b]");
    for (value, logit) in got.iter().zip(LOGITS) {
        let expected = formula(f64::from(logit));
        assert!((f64::from(*value) - expected).abs() < 1e-5, "logit {logit}: {value}, expected {expected}");
    }
}

#[test]
fn each_loss_is_its_formula() {
    let logits = Tensor::from_slice(&LOGITS);
    for loss in [Loss::NonSaturating, Loss::Minimax] {
        check(&loss.of_real(&logits), |r| softplus(-r));
        check(&loss.of_generated(&logits), softplus);
    }
    check(&Loss::NonSaturating.of_generator(&logits), |f| softplus(-f));
    check(&Loss::Minimax.of_generator(&logits), |f| -softplus(f));
    check(&Loss::LeastSquares.of_real(&logits), |r| (r - 1.0).powi(2) / 2.0);
    check(&Loss::LeastSquares.of_generated(&logits), |f| f.powi(2) / 2.0);
    check(&Loss::LeastSquares.of_generator(&logits), |f| (f - 1.0).powi(2) / 2.0);
    check(&Loss::Hinge.of_real(&logits), |r| (1.0 - r).max(0.0));
    check(&Loss::Hinge.of_generated(&logits), |f| (1.0 + f).max(0.0));
    check(&Loss::Hinge.of_generator(&logits), |f| -f);
    check(&Loss::Wasserstein.of_real(&logits), |r| -r);
    check(&Loss::Wasserstein.of_generated(&logits), |f| f);
    check(&Loss::Wasserstein.of_generator(&logits), |f| -f);
}

#[test]
fn far_logits_give_finite_losses() {
    let logits = Tensor::from_slice(&[-500.0_f32, 500.0]);
    for loss in [Loss::NonSaturating, Loss::Minimax, Loss::LeastSquares, Loss::Hinge] {
        for value in [loss.of_real(&logits), loss.of_generated(&logits), loss.of_generator(&logits)] {
            assert!(bool::try_from(value.isfinite().all()).expect("a truth value"), "{loss:?}");
        }
    }
}

pub fn settings(update: Update, noise: Noise) -> GanSettings {
    GanSettings {
        loss: Loss::NonSaturating,
        precision: Precision::Fp32,
        penalty: None,
        label_flip: 0.0,
        instance_noise: 0.0,
        average: None,
        update,
        noise,
        discriminator_updates: 1,
        generator_updates: 1,
    }
}

fn place() -> StepContext {
    StepContext { draw: Draw::new(3), step: 5, microbatch: 0, microbatches: 1 }
}

fn real_maps() -> Tensor {
    Tensor::from_slice(&Draw::new(9).at(Stream::Simulation, 0, 0).normals(8 * 256)).view([8, 1, 16, 16]).tanh()
}

/// Gradients of both networks, in name order, after one step's phases from the same weights.
fn gradients(settings: GanSettings) -> Vec<Vec<f32>> {
    gradients_of(&Gan::new(&SMALL, settings, 1, Device::Cpu))
}

fn gradients_of(gan: &Gan) -> Vec<Vec<f32>> {
    let maps = Batch::of(vec![real_maps()]);
    for phase in gan.phases() {
        let input = if phase.feed == Feed::SizeOnly { Input::Size(8) } else { Input::Records(&maps) };
        let mut forward = gan.begin(&phase, &place(), input);
        for &network in &phase.networks {
            let _stats = forward.finish(network);
        }
    }
    gan.networks()
        .iter()
        .map(|network| {
            let mut named: Vec<_> = network.store.variables().into_iter().filter(|(_, t)| t.requires_grad()).collect();
            named.sort_by(|a, b| a.0.cmp(&b.0));
            let grads = named.iter().map(|(_, t)| Vec::<f32>::try_from(t.grad().flatten(0, -1)).expect("numbers"));
            grads.flatten().collect()
        })
        .collect()
}

/// With one noise and no update between the moves, both forms ask for the same gradients.
#[test]
fn simultaneous_gradients_are_those_of_two_moves_from_the_same_weights() {
    let together = gradients(settings(Update::Simultaneous, Noise::Shared));
    let apart = gradients(settings(Update::Alternating, Noise::Shared));
    for (player, (a, b)) in ["discriminator", "generator"].iter().zip(together.iter().zip(&apart)) {
        let scale = b.iter().fold(0.0_f32, |most, g| most.max(g.abs()));
        let worst = a.iter().zip(b).fold(0.0_f32, |most, (a, b)| most.max((a - b).abs()));
        assert!(scale > 0.0 && worst < 1e-5 * scale, "{player}: {worst} of {scale}");
    }
}

/// The discriminator's gradient is that of its own loss alone, written out with autograd.
#[test]
fn the_generator_leaves_nothing_in_the_discriminators_gradient() {
    let fresh = gradients(settings(Update::Alternating, Noise::Fresh));
    let shared = gradients(settings(Update::Alternating, Noise::Shared));
    assert_eq!(fresh[0], shared[0], "the discriminator's move is the same whatever the generator's noise");
    assert_ne!(fresh[1], shared[1], "fresh noise is not the discriminator's");
}

/// With every label flipped, the discriminator's loss is that of calling real maps generated and generated ones real.
#[test]
fn a_flipped_label_trades_the_two_terms_of_a_map() {
    let maps = real_maps();
    let loss_and_logits = |label_flip: f64| {
        let gan =
            Gan::new(&SMALL, GanSettings { label_flip, ..settings(Update::Alternating, Noise::Fresh) }, 1, Device::Cpu);
        let phase = &gan.phases()[0];
        let maps = Batch::of(vec![maps.shallow_clone()]);
        let tally = gan.begin(phase, &place(), Input::Records(&maps)).finish(0);
        tally.metrics.iter().map(|value| value.double_value(&[])).collect::<Vec<_>>()
    };
    let (straight, flipped) = (loss_and_logits(0.0), loss_and_logits(1.0));
    assert_eq!(straight[1..], flipped[1..], "the logits are the same");
    // softplus(-x) = softplus(x) - x: flipping adds the mean real logit and takes away the mean generated one.
    let expected = straight[0] + straight[1] - straight[2];
    assert!((flipped[0] - expected).abs() < 1e-5, "{flipped:?}, expected {expected}");
}

/// Flips are drawn for each map: at a rate of a half the loss lies between those of no flips and of all, and no two
/// microbatches have the same.
#[test]
fn label_flips_are_drawn_for_each_map() {
    let maps = real_maps();
    let loss = |label_flip: f64, microbatch: u32| {
        let gan =
            Gan::new(&SMALL, GanSettings { label_flip, ..settings(Update::Alternating, Noise::Fresh) }, 1, Device::Cpu);
        let place = StepContext { microbatch, microbatches: 4, ..place() };
        let phase = &gan.phases()[0];
        let maps = Batch::of(vec![maps.shallow_clone()]);
        let tally = gan.begin(phase, &place, Input::Records(&maps)).finish(0);
        tally.metrics[0].double_value(&[])
    };
    let share = |microbatch| {
        let (none, half, all) = (loss(0.0, microbatch), loss(0.5, microbatch), loss(1.0, microbatch));
        (half - none) / (all - none)
    };
    let shares: Vec<f64> = (0..4).map(share).collect();
    assert!(shares.iter().all(|share| share.abs() > 1e-6 && (share - 1.0).abs() > 1e-6), "not all or none: {shares:?}");
    assert!((1..4).all(|other| (shares[other] - shares[0]).abs() > 1e-9), "no two microbatches share flips");
}

/// The flattening defect of a published code gives several logits a map; here it is one.
#[test]
fn there_is_one_logit_a_map() {
    let gan = Gan::new(&SMALL, settings(Update::Alternating, Noise::Fresh), 1, Device::Cpu);
    let logit = &gan.networks()[0].store.variables()["logit.weight"];
    assert_eq!(logit.size(), [1, 8 * 16]);
}

/// A critic with the same slope everywhere pays lambda (|w| - 1)^2 at any map.
#[test]
fn a_linear_critic_pays_for_the_length_of_its_slope() {
    for (weight, length) in [(10.0, 3.0_f64), (10.0, 1.0), (0.5, 0.25), (2.0, 0.0)] {
        let slope = Tensor::from_slice(&Draw::new(4).at(Stream::Simulation, 1, 0).normals(256)).view([1, 1, 16, 16]);
        let slope = &slope * (length / slope.norm().double_value(&[]));
        let maps = real_maps().set_requires_grad(true);
        let logits = (&maps * &slope).flatten(1, -1).sum_dim_intlist(1, false, Kind::Float) + 7.0;
        let penalty = Penalty { weight, every: 3 }.of(&maps, &logits).double_value(&[]);
        assert!((penalty - weight * (length - 1.0).powi(2)).abs() < 1e-5, "{penalty} for a slope of {length}");
    }
}

/// A critic without batch norm, with a gradient penalty.
fn critic(penalty: Option<Penalty>, update: Update) -> Gan {
    let model = DcganSettings { norm: Norm::Generator, ..SMALL };
    Gan::new(&model, GanSettings { loss: Loss::Wasserstein, penalty, ..settings(update, Noise::Fresh) }, 1, Device::Cpu)
}

/// The gradient that the penalty leaves in the discriminator is how the penalty grows with the weights.
#[test]
fn the_gradient_of_the_penalty_is_that_of_finite_differences() {
    let penalty = Some(Penalty { weight: 10.0, every: 1 });
    let with = gradients_of(&critic(penalty, Update::Alternating));
    let without = gradients_of(&critic(None, Update::Alternating));
    let gradient: Vec<f64> = with[0].iter().zip(&without[0]).map(|(a, b)| f64::from(a - b)).collect();
    let length = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
    assert!(length > 0.1, "the penalty has a gradient: {length}");
    // The penalty with weights that have gone `by` along its gradient.
    let after = |by: f64| {
        let gan = critic(penalty, Update::Alternating);
        let networks = gan.networks();
        let mut named: Vec<_> = networks[0].store.variables().into_iter().collect();
        named.sort_by(|a, b| a.0.cmp(&b.0));
        let mut offset = 0;
        for (_, mut tensor) in named {
            let count = tensor.numel();
            let towards: Vec<f32> = gradient[offset..offset + count].iter().map(|g| (by * g / length) as f32).collect();
            tch::no_grad(|| tensor += Tensor::from_slice(&towards).view_as(&tensor));
            offset += count;
        }
        assert_eq!(offset, gradient.len());
        let phase = &gan.phases()[0];
        let maps = Batch::of(vec![real_maps()]);
        gan.begin(phase, &place(), Input::Records(&maps)).finish(0).metrics[3].double_value(&[])
    };
    let step = 3e-3;
    let slope = (after(step) - after(-step)) / (2.0 * step);
    assert!((slope / length - 1.0).abs() < 0.03, "{slope} by differences, {length} by backward");
}

/// A penalty that comes every third step counts three times then, and between them nothing is different.
#[test]
fn a_lazy_penalty_counts_as_often_as_it_was_left_out() {
    for update in [Update::Alternating, Update::Simultaneous] {
        let of = |penalty: Option<Penalty>| gradients_of(&critic(penalty, update));
        let lazy = |every: u64| Some(Penalty { weight: 10.0, every });
        let (none, each, fifth, third) = (of(None), of(lazy(1)), of(lazy(5)), of(lazy(3)));
        assert_eq!(place().step, 5);
        assert_eq!(third, none, "step 5 is no multiple of 3");
        assert_eq!(each[1], none[1], "the generator does not feel it");
        let scale = each[0].iter().zip(&none[0]).fold(0.0_f32, |most, (a, b)| most.max((a - b).abs()));
        assert!(scale > 0.0);
        for ((none, each), fifth) in none[0].iter().zip(&each[0]).zip(&fifth[0]) {
            assert!((fifth - none - 5.0 * (each - none)).abs() < 1e-4 * scale, "{none}, {each}, {fifth}");
        }
    }
}

/// Half precision rounds to 1 in 256, several times on the way.
#[test]
fn gradients_in_half_precision_are_those_of_single_precision_to_its_rounding() {
    for update in [Update::Alternating, Update::Simultaneous] {
        let of = |precision| gradients(GanSettings { precision, ..settings(update, Noise::Fresh) });
        for (single, half) in of(Precision::Fp32).iter().zip(of(Precision::Bf16)) {
            let norm = |values: &mut dyn Iterator<Item = f32>| values.map(|x| f64::from(x).powi(2)).sum::<f64>().sqrt();
            let size = norm(&mut single.iter().copied());
            let difference = norm(&mut single.iter().zip(&half).map(|(a, b)| a - b));
            assert!(difference > 1e-5 * size && difference < 0.1 * size, "{difference} of {size}");
        }
    }
}
