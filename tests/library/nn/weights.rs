//! Initial weights.

use skyforge::nn::{Activation, Conv1d, Conv2d, ConvOptions, ConvTranspose2d, Linear, Weights};
use skyforge::rng::{Draw, Stream};
use tch::{Device, Kind, Tensor, nn};

use super::bits;

/// The weight of a layer.
fn weight(make: impl FnOnce(&nn::Path)) -> Tensor {
    let store = nn::VarStore::new(Device::Cpu);
    make(&(store.root() / "up" / "one"));
    store.variables()["up.one.weight"].detach()
}

fn deviation(weight: &Tensor) -> f64 {
    weight.square().mean(Kind::Double).sqrt().double_value(&[])
}

#[test]
fn weights_are_drawn_at_the_place_that_their_name_says() {
    let weight = weight(|path| drop(Linear::new(path, &Weights::normal("generator", 3, 0.02), 7, 5)));
    let place = xxhash_rust::xxh3::xxh3_64(b"generator.up.one.weight");
    let mut drawn = Draw::new(3).at(Stream::Weights, place, 0).normals(35);
    for value in &mut drawn {
        *value *= 0.02;
    }
    assert_eq!(bits(&weight), drawn.into_iter().map(f32::to_bits).collect::<Vec<_>>());
}

#[test]
fn the_state_of_libtorchs_generator_does_not_matter() {
    let options = ConvOptions::same(3);
    let make = |path: &nn::Path| {
        for (name, weights) in [
            ("a", Weights::normal("n", 0, 1.0)),
            ("b", Weights::he("n", 0, Activation::Relu)),
            ("c", Weights::orthogonal("n", 0, 1.0)),
            ("d", Weights::normal("n", 0, 1.0).with_spectral_norm()),
        ] {
            Conv2d::new(&(path / name), &weights, 3, 4, options);
        }
    };
    let [a, b] = [1, 2].map(|seed| {
        tch::manual_seed(seed);
        let store = nn::VarStore::new(Device::Cpu);
        make(&store.root());
        store.variables()
    });
    for (name, tensor) in &a {
        assert_eq!(bits(tensor), bits(&b[name]), "{name}");
    }
}

#[test]
fn he_weights_keep_the_size_of_what_passes() {
    let he = |activation| Weights::he("n", 0, activation);
    let leaky = Activation::LeakyRelu { negative_slope: 0.2 };
    let options = ConvOptions { kernel: 4, stride: 2, padding: 1, output_padding: 0 };
    let cases = [
        (weight(|path| drop(Linear::new(path, &he(Activation::Relu), 300, 100))), 2.0 / 300.0),
        (weight(|path| drop(Conv1d::new(path, &he(Activation::Tanh), 30, 100, options))), 25.0 / 9.0 / 120.0),
        (weight(|path| drop(Conv2d::new(path, &he(leaky), 30, 100, options))), 2.0 / 1.04 / 480.0),
        // Of 16 taps 4 fall on a pixel.
        (weight(|path| drop(ConvTranspose2d::new(path, &he(Activation::Identity), 30, 100, options))), 1.0 / 120.0),
    ];
    for (weight, variance) in cases {
        let count = weight.numel() as f64;
        let ratio = deviation(&weight).powi(2) / variance;
        assert!((ratio - 1.0).abs() < 5.0 * (2.0 / count).sqrt(), "{ratio} times the variance of {:?}", weight.size());
    }
}

/// As `torch.nn.init.orthogonal_`, which takes the axes after the first for one.
#[test]
fn orthogonal_weights_have_orthonormal_rows_or_columns() {
    let orthogonal = Weights::orthogonal("n", 0, 1.5);
    let cases = [
        weight(|path| drop(Linear::new(path, &orthogonal, 20, 12))),
        weight(|path| drop(Linear::new(path, &orthogonal, 12, 20))),
        weight(|path| drop(Conv2d::new(path, &orthogonal, 3, 8, ConvOptions::same(3)))),
        weight(|path| drop(ConvTranspose2d::new(path, &orthogonal, 8, 3, ConvOptions::same(3)))),
    ];
    for weight in cases {
        let matrix = weight.flatten(1, -1);
        let (rows, columns) = matrix.size2().expect("a matrix");
        let products = if rows < columns { matrix.matmul(&matrix.tr()) } else { matrix.tr().matmul(&matrix) };
        let one = Tensor::eye(rows.min(columns), (Kind::Float, Device::Cpu)) * 2.25;
        assert!((products - one).abs().max().double_value(&[]) < 1e-5, "{:?}", weight.size());
    }
    let [a, b] = [0, 1].map(|seed| weight(|path| drop(Linear::new(path, &Weights::orthogonal("n", seed, 1.0), 6, 6))));
    assert_ne!(bits(&a), bits(&b));
}
