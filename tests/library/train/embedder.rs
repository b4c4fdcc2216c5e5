//! A third player in the step: the same bits on any number of ranks, with overlap and without.

use skyforge::comm::{Communicator, Courier, Solo, Threads};
use skyforge::data::Batch;
use skyforge::nn::Precision;
use skyforge::objective::embedder::EmbedderSettings;
use skyforge::objective::gan::{Gan, GanSettings, Loss, Noise, Update};
use skyforge::objective::masking::PixelMasking;
use skyforge::optim::AdamSettings;
use skyforge::rng::{Draw, Stream};
use skyforge::train::{Cut, Ended, Stepper};
use tch::{Device, Tensor};

use crate::shared::networks::SMALL;

/// Parameters and averages of all three after three steps.
fn after_three_steps(comm: &dyn Communicator, update: Update, overlap: bool) -> Vec<u32> {
    let settings = GanSettings {
        loss: Loss::LeastSquares,
        precision: Precision::Fp32,
        penalty: None,
        label_flip: 0.0,
        instance_noise: 0.05,
        average: Some(0.9),
        update,
        noise: Noise::Fresh,
        discriminator_updates: 1,
        generator_updates: if update == Update::Alternating { 2 } else { 1 },
    };
    let embedder = EmbedderSettings { hidden: 8, reconstruction: 10.0, ..EmbedderSettings::default() };
    let masking = Box::new(PixelMasking::new(embedder.masked_fraction));
    let gan = Gan::new(&SMALL, settings, 7, Device::Cpu).with_embedder(&SMALL, embedder, masking, 7);
    let cut = Cut { global: 16, microbatches: 4 };
    let mut stepper =
        Stepper::new(&gan, comm, Draw::new(7), cut, |_| AdamSettings { half_life: 2, ..AdamSettings::default() });
    stepper.set_overlap(overlap);
    let run = stepper.run_of_microbatches();
    let maps = |step: u64| -> Vec<Batch> {
        let one = |microbatch: usize| {
            let values = Draw::new(2).at(Stream::Simulation, step, microbatch as u32).normals(4 * 256);
            Batch::of(vec![Tensor::from_slice(&values).view([4, 1, 16, 16]).tanh()])
        };
        run.clone().map(one).collect()
    };
    for step in 0..3 {
        let (ended, _) = stepper.step(step, Some(&maps(step)), maps(step + 1).first(), &|| false);
        let Ended::Accepted { metrics } = ended else { panic!("{ended:?}") };
        for name in ["latent_error", "masked_error", "embedder_gradient_norm"] {
            assert!(metrics.iter().any(|(have, value)| have == name && value.is_finite()), "{name} in {metrics:?}");
        }
    }
    stepper.with_records(|players| {
        assert_eq!(players.len(), 3);
        let of = |player: &skyforge::checkpoint::NetworkRecord| -> Vec<u32> {
            let average = player.average.map(|(weights, _)| weights.host().into_owned()).unwrap_or_default();
            player.space.parameters().host().iter().chain(&average).map(|value| value.to_bits()).collect()
        };
        players.iter().flat_map(of).collect()
    })
}

#[test]
fn any_number_of_ranks_trains_the_same_embedder() {
    tch::set_num_threads(1);
    for update in [Update::Alternating, Update::Simultaneous] {
        let alone = after_three_steps(&Solo, update, false);
        assert!(after_three_steps(&Solo, update, true) == alone, "begun early, {update:?}");
        for ranks in 2..=4 {
            for got in Threads::run(ranks, |comm| after_three_steps(comm, update, false)) {
                assert!(got == alone, "{ranks} ranks, {update:?}");
            }
            for got in Courier::run(ranks, |comm| after_three_steps(comm, update, true)) {
                assert!(got == alone, "{ranks} ranks with overlap, {update:?}");
            }
        }
    }
}
