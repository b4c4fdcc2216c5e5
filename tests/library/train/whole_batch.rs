//! Cutting a batch over microbatches and ranks leaves the gradient what it is: that of the whole batch, where no map
//! depends on its neighbours.

use skyforge::comm::{Communicator, Threads};
use skyforge::data::Batch;
use skyforge::nn::dcgan::{DcganSettings, Discriminator, Generator, Norm};
use skyforge::nn::{BatchMoments, Pass, Precision};
use skyforge::objective::gan::{Gan, GanSettings, Loss, Noise, Update};
use skyforge::optim::AdamSettings;
use skyforge::rng::{Draw, Stream};
use skyforge::train::{Cut, Ended, Stepper};
use tch::{Device, Kind, Tensor, nn};

use crate::shared::networks::SMALL;

const SEED: u64 = 7;
const STEP: u64 = 3;
const CUT: Cut = Cut { global: 32, microbatches: 4 };
const MODEL: DcganSettings = DcganSettings { width: 8, norm: Norm::None, ..SMALL };

/// The maps of a microbatch, `[8, 1, 16, 16]`.
fn maps(microbatch: usize) -> Tensor {
    let values = Draw::new(2).at(Stream::Simulation, 0, microbatch as u32).normals(8 * 256);
    Tensor::from_slice(&values).view([8, 1, 16, 16]).tanh()
}

/// The latent noise of all microbatches, `[32, 6]`.
fn noise(stream: Stream) -> Tensor {
    let draw = |microbatch| Draw::new(SEED).at(stream, STEP, microbatch).normals(8 * 6);
    Tensor::from_slice(&(0..4).flat_map(draw).collect::<Vec<f32>>()).view([32, 6])
}

/// One step on this rank: the summed gradients of discriminator and generator, and the discriminator's new weights.
fn one_step(comm: &dyn Communicator, update: Update) -> [Vec<f32>; 3] {
    let settings = GanSettings {
        // At birth all logits are near 0 and only real maps pull at the discriminator: nothing large cancels.
        loss: Loss::LeastSquares,
        precision: Precision::Fp32,
        penalty: None,
        label_flip: 0.0,
        instance_noise: 0.0,
        average: None,
        update,
        noise: Noise::Fresh,
        discriminator_updates: 1,
        generator_updates: 1,
    };
    let gan = Gan::new(&MODEL, settings, SEED, Device::Cpu);
    let mut stepper = Stepper::new(&gan, comm, Draw::new(SEED), CUT, |_| AdamSettings::default());
    let records: Vec<Batch> = stepper.run_of_microbatches().map(|m| Batch::of(vec![maps(m)])).collect();
    let (ended, _) = stepper.step(STEP, Some(&records), None, &|| false);
    assert!(matches!(ended, Ended::Accepted { .. }));
    let [discriminator, generator] = stepper.with_records(|players| {
        [0, 1].map(|player| players[player].space.gradient()[..players[player].space.len()].to_vec())
    });
    [discriminator, generator, stepper.parameters("discriminator").to_vec()]
}

/// A network's trained tensors in name order.
fn in_name_order(store: &nn::VarStore) -> Vec<Tensor> {
    let mut named: Vec<_> = store.variables().into_iter().filter(|(_, tensor)| tensor.requires_grad()).collect();
    named.sort_by(|a, b| a.0.cmp(&b.0));
    named.into_iter().map(|(_, tensor)| tensor).collect()
}

/// The gradient of `loss` by a network's weights, flat.
fn gradient(loss: &Tensor, store: &nn::VarStore) -> Vec<f32> {
    let weights = in_name_order(store);
    let parts = Tensor::run_backward(&[loss], &weights, true, false);
    parts.iter().flat_map(|part| Vec::<f32>::try_from(part.flatten(0, -1)).expect("numbers")).collect()
}

/// The same gradients in one piece: the whole batch through the networks at once, and libtorch's own backward.
fn in_one_piece(update: Update, new_weights: &[f32]) -> [Vec<f32>; 2] {
    let (store_d, store_g) = (nn::VarStore::new(Device::Cpu), nn::VarStore::new(Device::Cpu));
    let d = Discriminator::new(&store_d.root(), &MODEL, SEED);
    let g = Generator::new(&store_g.root(), &MODEL, SEED);
    let moments = BatchMoments::default();
    let pass = Pass::Training(&moments);
    let real = Tensor::cat(&(0..4).map(maps).collect::<Vec<_>>(), 0);
    let generated = g.forward(&noise(Stream::Noise), pass);
    let (real_logits, generated_logits) = (d.forward(&real, pass), d.forward(&generated, pass));
    let loss_d = ((real_logits - 1.0).square() + generated_logits.square()).mean(Kind::Float) * 0.5;
    let of_d = gradient(&loss_d, &store_d);
    let logits = match update {
        Update::Simultaneous => generated_logits,
        Update::Alternating => {
            let mut rest = new_weights;
            for mut weight in in_name_order(&store_d) {
                let (own, others) = rest.split_at(weight.numel());
                tch::no_grad(|| weight.copy_(&Tensor::from_slice(own).view_as(&weight)));
                rest = others;
            }
            d.forward(&g.forward(&noise(Stream::GeneratorNoise), pass), pass)
        }
    };
    let of_g = gradient(&((logits - 1.0).square().mean(Kind::Float) * 0.5), &store_g);
    assert!(moments.flat().is_empty(), "there is no batch norm");
    [of_d, of_g]
}

#[test]
fn on_any_ranks_the_summed_gradients_are_those_of_the_whole_batch() {
    tch::set_num_threads(1);
    for update in [Update::Alternating, Update::Simultaneous] {
        for ranks in 1..=4 {
            for [of_d, of_g, new_weights] in Threads::run(ranks, |comm| one_step(comm, update)) {
                let expected = in_one_piece(update, &new_weights);
                for (name, got, expected) in [("discriminator", of_d, &expected[0]), ("generator", of_g, &expected[1])]
                {
                    let largest = expected.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
                    let worst = got.iter().zip(expected).fold(0.0_f32, |most, (a, b)| most.max((a - b).abs()));
                    assert_eq!(got.len(), expected.len());
                    assert!(largest > 1e-4, "there is a gradient: {largest}");
                    assert!(worst <= 1e-6 * largest, "{name}, {update:?}, {ranks} ranks: {worst} of {largest}");
                }
            }
        }
    }
}
