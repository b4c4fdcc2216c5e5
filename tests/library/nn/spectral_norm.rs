//! Spectral norm.

use skyforge::nn::{BatchMoments, Conv2d, ConvOptions, ConvTranspose2d, Linear, Pass, SpectralVectors, Weights};
use skyforge::optim::FlatSpace;
use tch::{Device, Kind, Tensor, nn};

use super::{bits, error, numbers, set};

fn weights() -> Weights {
    Weights::normal("n", 0, 0.3).with_spectral_norm()
}

/// The largest singular value of a weight whose outputs are along `output_dim`.
fn largest(weight: &Tensor, output_dim: i64) -> f64 {
    let matrix = weight.detach().transpose(0, output_dim).flatten(1, -1);
    matrix.svd(true, false).1.max().double_value(&[])
}

#[test]
fn power_iterations_find_the_largest_singular_value() {
    let store = nn::VarStore::new(Device::Cpu);
    let (path, options) = (store.root(), ConvOptions::same(3));
    let layers = [
        (Linear::new(&(&path / "l"), &weights(), 9, 7).spectral(), 0, [7, 9]),
        (Conv2d::new(&(&path / "c"), &weights(), 4, 6, options).spectral(), 0, [6, 36]),
        (ConvTranspose2d::new(&(&path / "t"), &weights(), 4, 6, options).spectral(), 1, [6, 36]),
    ];
    for (vectors, output_dim, lengths) in layers {
        let vectors = vectors.expect("it is under spectral norm");
        assert_eq!([vectors.u.size()[0], vectors.v.size()[0]], lengths);
        for (name, vector) in [("weight_u", &vectors.u), ("weight_v", &vectors.v)] {
            assert_eq!(
                *vector,
                store.variables()[&format!("{}.{name}", vectors.name)],
                "they are state of the network"
            );
            assert!(!vector.requires_grad());
        }
        let right = largest(&vectors.weight, output_dim);
        let sigma = || vectors.sigma().double_value(&[]);
        assert!((0.8..1.0 + 1e-6).contains(&(sigma() / right)), "new weights are iterated on: {} of {right}", sigma());
        (0..300).for_each(|_| vectors.iterate());
        assert!((sigma() / right - 1.0).abs() < 1e-4, "{} of {right}", sigma());
        assert!((largest(&vectors.normalised(), output_dim) - 1.0).abs() < 1e-4);
    }
}

#[test]
fn an_iteration_is_that_of_miyato_and_has_the_same_bits_each_time() {
    let run = || {
        let store = nn::VarStore::new(Device::Cpu);
        let layer = Conv2d::new(&(store.root() / "c"), &weights(), 4, 6, ConvOptions::same(3));
        let vectors = layer.spectral().expect("it is under spectral norm");
        set(&store, "c.weight", &numbers(0, &[6, 4, 3, 3]));
        let u = vectors.u.copy();
        vectors.iterate();
        (vectors, u)
    };
    let (vectors, u) = run();
    let matrix = vectors.weight.detach().view([6, 36]);
    let v = matrix.tr().matmul(&u.unsqueeze(1)).squeeze_dim(1);
    let v = &v / v.square().sum(Kind::Float).sqrt();
    let u = matrix.matmul(&v.unsqueeze(1)).squeeze_dim(1);
    let u = &u / u.square().sum(Kind::Float).sqrt();
    assert!(error(&vectors.v, &v) < 1e-5 && error(&vectors.u, &u) < 1e-5);
    let (again, _) = run();
    assert_eq!([bits(&vectors.u), bits(&vectors.v)], [bits(&again.u), bits(&again.v)]);
}

/// d/dW of <G, W/sigma> is (G - <G, W/sigma> u v^T) / sigma (Miyato et al. 2018, eq. 12).
#[test]
fn the_gradient_passes_through_sigma_with_vectors_that_are_constant() {
    let store = nn::VarStore::new(Device::Cpu);
    let layer = Linear::new(&store.root(), &weights(), 5, 4);
    let SpectralVectors { weight, u, v, .. } = &layer.spectral().expect("it is under spectral norm");
    let vectors = layer.spectral().expect("it is under spectral norm");
    let pull = numbers(0, &[4, 5]);
    (vectors.normalised() * &pull).sum(Kind::Float).backward();
    let sigma = (u.outer(v) * weight.detach()).sum(Kind::Float);
    let along = (&pull * weight.detach() / &sigma).sum(Kind::Float);
    let right = (&pull - along * u.outer(v)) / sigma;
    assert!(error(&weight.grad(), &right) < 1e-5);
}

#[test]
fn a_forward_leaves_the_vectors_alone() {
    let store = nn::VarStore::new(Device::Cpu);
    let layer = Linear::new(&store.root(), &weights(), 5, 4);
    let vectors = layer.spectral().expect("it is under spectral norm");
    let before = [bits(&vectors.u), bits(&vectors.v)];
    let moments = BatchMoments::default();
    for pass in [Pass::Training(&moments), Pass::Smooth(&moments), Pass::Inference, Pass::Descent] {
        let _ = layer.forward(&numbers(0, &[3, 5]), pass);
    }
    assert_eq!([bits(&vectors.u), bits(&vectors.v)], before);
}

/// Once the trainer has bound a network, vectors are views of its state, which a step that is not accepted restores.
#[test]
fn vectors_lie_in_the_state_and_are_rolled_back_with_it() {
    let store = nn::VarStore::new(Device::Cpu);
    let layer = Linear::new(&(store.root() / "l"), &weights(), 5, 4);
    let mut space = FlatSpace::bind(&store, 0);
    let names: Vec<&str> = space.state_layout().iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(names, ["l.weight_u", "l.weight_v"]);
    let vectors = layer.spectral().expect("it is under spectral norm");
    let before = space.state().as_slice().to_vec();
    let x = numbers(0, &[3, 5]);
    let y = bits(&layer.forward(&x, Pass::Inference));
    let undo = space.parameters().as_slice().to_vec();
    space.change_parameters(|parameters| parameters.change(|weights| weights.iter_mut().for_each(|w| *w = w.sin())));
    vectors.iterate();
    assert_ne!(space.state().as_slice(), before);
    assert_ne!(bits(&layer.forward(&x, Pass::Inference)), y);
    space.change_parameters(|parameters| parameters.change(|weights| weights.copy_from_slice(&undo)));
    space.state_mut().change(|state| state.copy_from_slice(&before));
    assert_eq!(bits(&layer.forward(&x, Pass::Inference)), y);
}

/// Our own kernels know weights by their address, which a weight that was divided by sigma has from one that is gone.
#[test]
fn our_own_kernels_follow_weights_under_spectral_norm() {
    let options = ConvOptions { kernel: 5, stride: 2, padding: 2, output_padding: 0 };
    let store = nn::VarStore::new(Device::Cpu);
    let layer = Conv2d::new(&(store.root() / "c"), &weights(), 16, 16, options);
    let vectors = layer.spectral().expect("it is under spectral norm");
    let x = numbers(0, &[2, 16, 8, 8]);
    for place in 1..6 {
        set(&store, "c.weight", &numbers(place, &[16, 16, 5, 5]));
        vectors.iterate();
        let weight = vectors.normalised();
        let right = x.conv2d(&weight, None::<Tensor>, [2, 2], [2, 2], [1, 1], 1);
        drop(weight);
        let y = tch::no_grad(|| layer.forward(&x, Pass::Inference));
        assert!(error(&y, &right) < 1e-4, "weights {place}");
    }
}

/// The divided weight is cast in each forward, since it is not one of the parameters whose halves the trainer renews.
#[test]
fn half_precision_casts_the_divided_weight() {
    let store = nn::VarStore::new(Device::Cpu);
    let mut layer = Linear::new(&(store.root() / "l"), &weights(), 50, 40);
    layer.halve();
    let names: Vec<String> = layer.halves().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["l.bias"]);
    let moments = BatchMoments::default();
    let x = numbers(0, &[30, 50]);
    let y = layer.forward(&x.to_kind(Kind::BFloat16), Pass::Training(&moments));
    assert_eq!(y.kind(), Kind::BFloat16);
    assert!(error(&y, &layer.forward(&x, Pass::Inference)) < 0.05);
    y.sum(Kind::Float).backward();
    assert_eq!(store.variables()["l.weight"].grad().kind(), Kind::Float);
}
