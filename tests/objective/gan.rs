//! The GAN game: losses against their formulae, gradients against the textbook's two-step form.

use skyforge::model::Precision;
use skyforge::model::dcgan::{DcganSettings, Norm};
use skyforge::objective::gan::{Gan, GanSettings, Loss, Noise, Update};
use skyforge::objective::{Batch, Objective, Place};
use skyforge::rng::{Draw, Stream};
use tch::{Device, Tensor};

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

fn model() -> DcganSettings {
    DcganSettings { side: 16, width: 4, depth: 2, latent_dim: 6, norm: Norm::Batch }
}

fn settings(update: Update, noise: Noise) -> GanSettings {
    GanSettings {
        loss: Loss::NonSaturating,
        precision: Precision::Fp32,
        label_flip: 0.0,
        average: None,
        update,
        noise,
        discriminator_moves: 1,
        generator_moves: 1,
    }
}

fn place() -> Place {
    Place { draw: Draw::new(3), step: 5, microbatch: 0, microbatches: 1 }
}

fn real_maps() -> Tensor {
    Tensor::from_slice(&Draw::new(9).at(Stream::Simulation, 0, 0).normals(8 * 256)).view([8, 1, 16, 16]).tanh()
}

/// Gradients of both players, in name order, after one step's moves from the same weights.
fn gradients(settings: GanSettings) -> Vec<Vec<f32>> {
    let gan = Gan::new(&model(), settings, 1, Device::Cpu);
    let maps = real_maps();
    for a_move in gan.moves() {
        let batch = if a_move.wants_records { Batch::Records(&maps) } else { Batch::Size(8) };
        let mut graph = gan.begin(&a_move, &place(), batch);
        for &player in &a_move.players {
            let _tally = gan.finish(&a_move, player, &place(), &mut graph);
        }
    }
    gan.players()
        .iter()
        .map(|player| {
            let mut named: Vec<_> = player.store.variables().into_iter().filter(|(_, t)| t.requires_grad()).collect();
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
        let gan = Gan::new(
            &model(),
            GanSettings { label_flip, ..settings(Update::Alternating, Noise::Fresh) },
            1,
            Device::Cpu,
        );
        let a_move = &gan.moves()[0];
        let mut graph = gan.begin(a_move, &place(), Batch::Records(&maps));
        let tally = gan.finish(a_move, 0, &place(), &mut graph);
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
        let gan = Gan::new(
            &model(),
            GanSettings { label_flip, ..settings(Update::Alternating, Noise::Fresh) },
            1,
            Device::Cpu,
        );
        let place = Place { microbatch, microbatches: 4, ..place() };
        let a_move = &gan.moves()[0];
        let mut graph = gan.begin(a_move, &place, Batch::Records(&maps));
        let tally = gan.finish(a_move, 0, &place, &mut graph);
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
    let gan = Gan::new(&model(), settings(Update::Alternating, Noise::Fresh), 1, Device::Cpu);
    let judge = &gan.players()[0].store.variables()["judge.weight"];
    assert_eq!(judge.size(), [1, 8 * 16]);
}
