//! The embedder beside the GAN's players: whose loss moves whom, and what it sees.

use skyforge::data::Batch;
use skyforge::objective::embedder::EmbedderSettings;
use skyforge::objective::gan::{Gan, GanSettings, Noise, Update};
use skyforge::objective::masking::PixelMasking;
use skyforge::objective::{BackwardStats, Feed, Input, Objective, StepContext};
use skyforge::rng::{Draw, Stream};
use tch::{Device, Tensor};

use crate::objective::gan;
use crate::shared::networks::SMALL;

pub fn settings() -> GanSettings {
    GanSettings { generator_updates: 2, ..gan::settings(Update::Alternating, Noise::Fresh) }
}

fn with(embedder: &EmbedderSettings) -> Gan {
    let embedder = EmbedderSettings { hidden: 16, ..embedder.clone() };
    let masking = Box::new(PixelMasking::new(embedder.masked_fraction));
    Gan::new(&SMALL, settings(), 1, Device::Cpu).with_embedder(&SMALL, embedder, masking, 1)
}

/// Eight maps.
pub fn real_maps(side: i64) -> Tensor {
    let count = (8 * side * side) as usize;
    Tensor::from_slice(&Draw::new(9).at(Stream::Simulation, 0, 0).normals(count)).view([8, 1, side, side]).sigmoid()
}

/// Gradients of all networks, in name order, and what they report, after the phases of a step from the same weights.
pub fn moved(gan: &Gan, maps: &Tensor) -> Vec<(Vec<f32>, BackwardStats)> {
    let context = StepContext { draw: Draw::new(3), step: 5, microbatch: 0, microbatches: 1 };
    let maps = Batch::of(vec![maps.shallow_clone()]);
    let mut reported: Vec<Option<BackwardStats>> = gan.networks().iter().map(|_| None).collect();
    for phase in gan.phases() {
        let input = if phase.feed == Feed::SizeOnly { Input::Size(8) } else { Input::Records(&maps) };
        let mut forward = gan.begin(&phase, &context, input);
        for &network in &phase.networks {
            reported[network] = Some(forward.finish(network));
        }
    }
    let gradients = gan.networks().into_iter().map(|network| {
        let mut named: Vec<_> = network.store.variables().into_iter().filter(|(_, t)| t.requires_grad()).collect();
        named.sort_by(|a, b| a.0.cmp(&b.0));
        let grads = named.iter().filter(|(_, t)| t.grad().defined());
        grads.flat_map(|(_, t)| Vec::<f32>::try_from(t.grad().flatten(0, -1)).expect("numbers")).collect()
    });
    gradients.zip(reported).map(|(gradient, stats)| (gradient, stats.expect("each has a phase"))).collect()
}

#[test]
fn who_sees_generated_maps_only_moves_nobody_else() {
    let maps = real_maps(16);
    let alone = moved(&Gan::new(&SMALL, settings(), 1, Device::Cpu), &maps);
    let watched = moved(&with(&EmbedderSettings { reconstruction: 0.0, ..EmbedderSettings::default() }), &maps);
    assert_eq!(alone.len(), 2);
    assert_eq!(watched.len(), 3);
    for player in 0..2 {
        assert_eq!(alone[player].0, watched[player].0, "player {player}");
    }
    assert!(watched[2].0.iter().any(|gradient| *gradient != 0.0));
    assert_eq!(watched[2].1.metrics.len(), 1);
}

#[test]
fn reconstruction_teaches_generator_and_embedder_but_not_the_discriminator() {
    let maps = real_maps(16);
    let without = moved(&with(&EmbedderSettings { reconstruction: 0.0, ..EmbedderSettings::default() }), &maps);
    let taught = moved(&with(&EmbedderSettings { reconstruction: 50.0, ..EmbedderSettings::default() }), &maps);
    assert_eq!(without[0].0, taught[0].0, "the discriminator does not know of it");
    assert_ne!(without[1].0, taught[1].0);
    assert_ne!(without[2].0, taught[2].0);
    assert_eq!(taught[2].1.metrics.len(), 3);
}

#[test]
fn a_step_down_the_gradient_brings_the_embedder_nearer() {
    let maps = real_maps(16);
    let gan = with(&EmbedderSettings { reconstruction: 10.0, latent_l2: 0.0, ..EmbedderSettings::default() });
    let loss = |stats: &BackwardStats| {
        let of = |metric: usize| stats.metrics[metric].double_value(&[]);
        of(0) + 10.0 * of(1)
    };
    let before = loss(&moved(&gan, &maps)[2].1);
    {
        let _guard = tch::no_grad_guard();
        for (_, mut weight) in gan.networks()[2].store.variables() {
            let step = weight.grad() * 1e-3;
            weight -= step;
        }
    }
    for player in gan.networks() {
        player.store.variables().values().for_each(|tensor| {
            if tensor.requires_grad() && tensor.grad().defined() {
                let _ = tensor.grad().zero_();
            }
        });
    }
    // The same place, so the same noise and veils.
    let after = loss(&moved(&gan, &maps)[2].1);
    assert!(after < before, "{after} after {before}");
}

#[test]
fn instance_noise_is_before_the_discriminator_only() {
    let maps = real_maps(16);
    let of = |instance_noise: f64| {
        moved(&Gan::new(&SMALL, GanSettings { instance_noise, ..settings() }, 1, Device::Cpu), &maps)
    };
    let (none, some, again) = (of(0.0), of(0.1), of(0.1));
    assert_ne!(none[0].0, some[0].0);
    assert_eq!(some[0].0, again[0].0, "its noise is a function of place");
}
