//! CosmoGAN's networks: sizes, names, and that weights are a function of seed and name.

use skyforge::device::{self, Choice, Here};
use skyforge::nn::dcgan::{DcganSettings, Discriminator, Generator, Latent, Norm, Output};
use skyforge::nn::{BatchMoments, Pass, Precision};
use skyforge::rng::{Draw, Stream};
use tch::{Device, Kind, Tensor, nn};

fn settings(side: i64, width: i64) -> DcganSettings {
    DcganSettings {
        side,
        width,
        depth: 4,
        latent_dim: 64,
        norm: Norm::Batch,
        latent: Latent::Normal,
        output: Output::Tanh,
    }
}

fn noise(b: i64) -> Tensor {
    Tensor::from_slice(&Draw::new(1).at(Stream::Noise, 0, 0).normals(b as usize * 64)).view([b, 64])
}

fn parameters(store: &nn::VarStore) -> i64 {
    store.trainable_variables().iter().map(|tensor| tensor.numel() as i64).sum()
}

/// Kernels, dense layers, biases and batch norms of Mustafa et al. 2019, counted by hand.
#[test]
fn at_full_width_the_networks_have_cosmogans_parameters() {
    for (side, small) in [(64, 4), (128, 8), (256, 16)] {
        let (generator, discriminator) = (nn::VarStore::new(Device::Cpu), nn::VarStore::new(Device::Cpu));
        Generator::new(&generator.root(), &settings(side, 64), 0);
        Discriminator::new(&discriminator.root(), &settings(side, 64), 0);
        let kernels = 25 * (512 * 256 + 256 * 128 + 128 * 64 + 64);
        let dense = 512 * small * small;
        let up = 64 * dense + dense + kernels + (256 + 128 + 64 + 1) + 2 * (512 + 256 + 128 + 64);
        let down = kernels + (64 + 128 + 256 + 512) + 2 * (128 + 256 + 512) + dense + 1;
        assert_eq!((parameters(&generator), parameters(&discriminator)), (up, down), "{side} px");
    }
}

#[test]
fn maps_have_the_side_that_was_asked_for_and_lie_in_the_range_of_tanh() {
    for side in [64, 128, 256] {
        let (generator, discriminator) = (nn::VarStore::new(Device::Cpu), nn::VarStore::new(Device::Cpu));
        let g = Generator::new(&generator.root(), &settings(side, 4), 0);
        let d = Discriminator::new(&discriminator.root(), &settings(side, 4), 0);
        let moments = BatchMoments::default();
        let maps = tch::no_grad(|| g.forward(&noise(3), Pass::Training(&moments)));
        assert_eq!(maps.size(), [3, 1, side, side]);
        assert!(maps.abs().max().double_value(&[]) <= 1.0);
        assert_eq!(moments.flat().len(), 3 * g.norms().len());
        assert_eq!(tch::no_grad(|| d.forward(&maps, Pass::Inference)).size(), [3]);
    }
}

#[test]
fn weights_are_a_function_of_seed_and_name() {
    let make = |width: i64, seed: u64| {
        let store = nn::VarStore::new(Device::Cpu);
        Generator::new(&store.root(), &settings(64, width), seed);
        store.variables()
    };
    let values = |tensor: &Tensor| Vec::<f32>::try_from(tensor.detach().flatten(0, -1)).expect("numbers");
    let (a, b, other) = (make(4, 1), make(4, 1), make(4, 2));
    assert_eq!(values(&a["up1.weight"]), values(&b["up1.weight"]));
    assert_ne!(values(&a["up1.weight"]), values(&other["up1.weight"]));
    // Names that are PyTorch's, so that weights can be read there.
    for name in ["project.weight", "project.bias", "norm0.weight", "norm0.running_var", "up4.bias"] {
        assert!(a.contains_key(name), "{name}");
    }
    let weight = values(&make(32, 1)["up1.weight"]);
    let deviation = (weight.iter().map(|w| f64::from(*w).powi(2)).sum::<f64>() / weight.len() as f64).sqrt();
    assert!((deviation - 0.02).abs() < 2e-4, "weights are normal, 0.02: {deviation}");
}

#[test]
fn running_moments_are_left_alone_by_training_and_used_in_inference() {
    let store = nn::VarStore::new(Device::Cpu);
    let g = Generator::new(&store.root(), &settings(64, 4), 0);
    let all = || {
        let mut state: Vec<(String, Vec<f32>)> = store
            .variables()
            .into_iter()
            .filter(|(name, _)| name.contains("running"))
            .map(|(name, tensor)| (name, Vec::<f32>::try_from(tensor).expect("numbers")))
            .collect();
        state.sort_by(|a, b| a.0.cmp(&b.0));
        state
    };
    let before = all();
    let moments = BatchMoments::default();
    let _maps = tch::no_grad(|| g.forward(&noise(8), Pass::Training(&moments)));
    assert_eq!(all(), before);
    // In inference a map does not depend on its neighbours in the batch.
    let maps = tch::no_grad(|| g.forward(&noise(8), Pass::Inference));
    let alone = tch::no_grad(|| g.forward(&noise(8).narrow(0, 3, 1), Pass::Inference));
    assert!((maps.narrow(0, 3, 1) - alone).abs().max().double_value(&[]) < 1e-6);
}

/// Without norms a map's way depends on no neighbour, in training too, and nothing but kernels and biases is left.
#[test]
fn networks_without_norms_have_no_state_and_see_each_map_alone() {
    let bare = DcganSettings { norm: Norm::None, ..settings(64, 4) };
    let (generator, discriminator) = (nn::VarStore::new(Device::Cpu), nn::VarStore::new(Device::Cpu));
    let g = Generator::new(&generator.root(), &bare, 0);
    let d = Discriminator::new(&discriminator.root(), &bare, 0);
    assert!(g.norms().is_empty() && d.norms().is_empty());
    for store in [&generator, &discriminator] {
        assert!(store.variables().keys().all(|name| !name.starts_with("norm")));
        assert_eq!(store.variables().len(), store.trainable_variables().len());
    }
    let moments = BatchMoments::default();
    let logits = |noise: &Tensor| {
        let pass = Pass::Training(&moments);
        tch::no_grad(|| d.forward(&g.forward(noise, pass), pass))
    };
    let difference = logits(&noise(8)).narrow(0, 3, 1) - logits(&noise(8).narrow(0, 3, 1));
    assert!(difference.abs().max().double_value(&[]) < 1e-6);
    assert!(moments.flat().is_empty());
}

/// The discriminator that a gradient penalty wants beside a generator that keeps its norms.
#[test]
fn norms_in_the_generator_alone_leave_the_discriminator_to_each_map() {
    let mixed = DcganSettings { norm: Norm::Generator, ..settings(64, 4) };
    let (generator, discriminator) = (nn::VarStore::new(Device::Cpu), nn::VarStore::new(Device::Cpu));
    let g = Generator::new(&generator.root(), &mixed, 0);
    let d = Discriminator::new(&discriminator.root(), &mixed, 0);
    assert_eq!(g.norms(), ["norm0", "norm1", "norm2", "norm3"]);
    assert!(d.norms().is_empty());
    assert!(discriminator.variables().keys().all(|name| !name.starts_with("norm")));
}

/// Training alone is in half precision: what is said of maps, and the maps that are kept, are of single precision.
#[test]
fn half_precision_is_for_training_alone() {
    let run = |precision: Precision| {
        let (generator, discriminator) = (nn::VarStore::new(Device::Cpu), nn::VarStore::new(Device::Cpu));
        let g = Generator::new(&generator.root(), &settings(64, 4), 0).at(precision);
        let d = Discriminator::new(&discriminator.root(), &settings(64, 4), 0).at(precision);
        let moments = BatchMoments::default();
        let both = |pass: Pass| {
            tch::no_grad(|| {
                let maps = g.forward(&noise(8), pass);
                let logits = d.forward(&maps, pass);
                assert_eq!((maps.kind(), logits.kind()), (Kind::Float, Kind::Float));
                [maps, logits]
            })
        };
        let all = [Pass::Training(&moments), Pass::Smooth(&moments), Pass::Inference].map(both);
        assert!(moments.flat().iter().all(|moment| moment.kind() == Kind::Float));
        all
    };
    let [single, half] = [Precision::Fp32, Precision::Bf16].map(run);
    for (here, there) in single[0].iter().zip(&half[0]) {
        let (difference, size) = ((here - there).norm().double_value(&[]), here.norm().double_value(&[]));
        assert!(difference > 1e-4 * size && difference < 0.05 * size, "{difference} of {size}");
    }
    assert_eq!(single[1..], half[1..]);
}

/// To the precision of TF32, in which convolutions may be done there.
#[test]
fn on_a_gpu_the_networks_say_what_they_say_on_the_cpu() {
    let gpu = match device::choose(Choice::Cuda, Here { rank: 0, ranks: 1, lists_differ: false }, false) {
        Ok(chosen) => chosen.device,
        Err(reason) => {
            eprintln!("skipped: {reason}");
            return;
        }
    };
    let run = |device: Device| {
        let (generator, discriminator) = (nn::VarStore::new(device), nn::VarStore::new(device));
        let g = Generator::new(&generator.root(), &settings(64, 4), 0);
        let d = Discriminator::new(&discriminator.root(), &settings(64, 4), 0);
        let moments = BatchMoments::default();
        let maps = tch::no_grad(|| g.forward(&noise(8).to_device(device), Pass::Training(&moments)));
        let logits = tch::no_grad(|| d.forward(&maps, Pass::Training(&moments)));
        [maps, logits].map(|tensor| tensor.to_device(Device::Cpu))
    };
    for (here, there) in run(Device::Cpu).iter().zip(run(gpu)) {
        let (difference, size) = ((here - there).norm().double_value(&[]), here.norm().double_value(&[]));
        assert!(difference < 1e-2 * size, "{difference} of {size}");
    }
}

#[test]
fn sizes_that_cannot_be_halved_are_refused() {
    assert!(settings(64, 64).fault().is_none() && settings(33, 64).fault().is_none());
    for (wrong, key) in [
        (DcganSettings { side: 15, ..settings(64, 8) }, "side"),
        (DcganSettings { side: 0, ..settings(64, 8) }, "side"),
        (DcganSettings { width: 0, ..settings(64, 8) }, "width"),
        (DcganSettings { depth: 0, ..settings(64, 8) }, "depth"),
        (DcganSettings { depth: 99, ..settings(64, 8) }, "depth"),
        (DcganSettings { latent_dim: 0, ..settings(64, 8) }, "latent_dim"),
    ] {
        assert_eq!(wrong.fault().expect("it is wrong").0, key);
    }
}

#[test]
fn the_work_of_a_forward_is_what_torch_counts() {
    // torch.utils.flop_counter on the same layers: 158.9 and 159.4 million at 64 px and full width.
    let (generator, discriminator) = settings(64, 64).macs();
    assert_eq!((generator, discriminator), (159_449_088, 158_932_992));
}

/// The networks of ExoGAN: 33-17-9-5-3.
fn exogan(width: i64) -> DcganSettings {
    DcganSettings { latent_dim: 100, latent: Latent::Uniform, output: Output::Sigmoid, ..settings(33, width) }
}

/// Counted by hand from its `model.py`, with a judge that has a weight for each of its 3 x 3 x 512 inputs.
#[test]
fn at_33_pixels_the_networks_have_exogans_parameters() {
    let (generator, discriminator) = (nn::VarStore::new(Device::Cpu), nn::VarStore::new(Device::Cpu));
    Generator::new(&generator.root(), &exogan(64), 0);
    Discriminator::new(&discriminator.root(), &exogan(64), 0);
    let kernels = 25 * (512 * 256 + 256 * 128 + 128 * 64 + 64);
    let up = 100 * 4608 + 4608 + kernels + (256 + 128 + 64 + 1) + 2 * (512 + 256 + 128 + 64);
    let down = kernels + (64 + 128 + 256 + 512) + 2 * (128 + 256 + 512) + 4608 + 1;
    assert_eq!((parameters(&generator), parameters(&discriminator)), (up, down));
    let convolutions = 25 * (512 * 256 * 9 + 256 * 128 * 25 + 128 * 64 * 81 + 64 * 289);
    assert_eq!(exogan(64).macs(), (convolutions + 100 * 4608, convolutions + 4608));
}

/// Narrow networks are libtorch's, those of 16 channels ours: any side comes out as it was asked for.
#[test]
fn odd_sides_come_out_as_they_were_asked_for() {
    for (side, width) in [(33, 4), (33, 16), (35, 4), (50, 16), (16, 4)] {
        let settings = DcganSettings { side, ..exogan(width) };
        let (generator, discriminator) = (nn::VarStore::new(Device::Cpu), nn::VarStore::new(Device::Cpu));
        let g = Generator::new(&generator.root(), &settings, 0);
        let d = Discriminator::new(&discriminator.root(), &settings, 0);
        let (moments, draw) = (BatchMoments::default(), Draw::new(1));
        let noise = Latent::Uniform.draw(&mut draw.at(Stream::Noise, 0, 0), 300);
        let noise = Tensor::from_slice(&noise).view([3, 100]);
        for pass in [Pass::Training(&moments), Pass::Smooth(&moments), Pass::Inference] {
            let images = tch::no_grad(|| g.forward(&noise, pass));
            assert_eq!(images.size(), [3, 1, side, side]);
            assert!(images.min().double_value(&[]) >= 0.0 && images.max().double_value(&[]) <= 1.0);
            assert_eq!(tch::no_grad(|| d.forward(&images, pass)).size(), [3]);
        }
    }
}

#[test]
fn uniform_latent_numbers_fill_their_range_evenly() {
    let numbers = Latent::Uniform.draw(&mut Draw::new(2).at(Stream::Noise, 0, 0), 10_000);
    assert!(numbers.iter().all(|number| number.abs() <= 1.0));
    let moment = |power| numbers.iter().map(|number| f64::from(*number).powi(power)).sum::<f64>() / 1e4;
    // Within four standard errors of 0, 1/3, 1/5.
    assert!(moment(1).abs() < 0.024 && (moment(2) - 1.0 / 3.0).abs() < 0.012 && (moment(4) - 0.2).abs() < 0.011);
}

/// ExoGAN's discriminator flattens its 3 x 3 x 512 numbers of a sample into rows of 8192, so that of 64 samples came 36
/// logits, each of parts of two of them.
#[test]
fn each_sample_has_a_logit_of_its_own() {
    for settings in [exogan(16), settings(64, 4)] {
        let store = nn::VarStore::new(Device::Cpu);
        let d = Discriminator::new(&store.root(), &settings, 0);
        let pixels = settings.side * settings.side;
        let images = Tensor::from_slice(&Draw::new(3).at(Stream::Simulation, 0, 0).normals(64 * pixels as usize));
        let images = images.view([64, 1, settings.side, settings.side]);
        let logits = |images: &Tensor| tch::no_grad(|| d.forward(images, Pass::Inference));
        let all = logits(&images);
        assert_eq!(all.size(), [64]);
        assert!(all.std(false).double_value(&[]) > 0.0);
        let changed = images.copy();
        changed.narrow(0, 20, 1).copy_(&(images.narrow(0, 20, 1) + 1.0));
        let difference = Vec::<f32>::try_from((logits(&changed) - &all).abs()).expect("numbers");
        for (sample, difference) in difference.iter().enumerate() {
            assert_eq!(*difference > 1e-6, sample == 20, "sample {sample} moves by {difference}");
        }
        let alone = logits(&images.narrow(0, 20, 1));
        assert!((alone - all.narrow(0, 20, 1)).abs().max().double_value(&[]) < 1e-5);
    }
}
