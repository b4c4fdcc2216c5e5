//! Laws of the layers and of the networks that are made of them.

mod activation;
mod batch_norm;
mod convolution;
mod dcgan;
mod description;
mod dropout;
mod every_layer;
mod group_norm;
mod linear;
mod residual;
mod spectral_norm;
mod transposed;
mod weights;

use skyforge::rng::{Draw, Stream};
use tch::{Kind, Tensor, nn};

/// Standard normal numbers, a function of `place`.
fn numbers(place: u64, shape: &[i64]) -> Tensor {
    let count = shape.iter().product::<i64>() as usize;
    Tensor::from_slice(&Draw::new(7).at(Stream::Simulation, place, 0).normals(count)).view(shape)
}

/// Sets the tensor `name` of a layer to other values.
fn set(store: &nn::VarStore, name: &str, values: &Tensor) {
    tch::no_grad(|| store.variables()[name].shallow_clone().copy_(values));
}

/// The largest difference, in units of the root mean square of what is right.
fn error(ours: &Tensor, right: &Tensor) -> f64 {
    assert_eq!(ours.size(), right.size());
    let [ours, right] = [ours, right].map(|tensor| tensor.detach().to_kind(Kind::Double));
    let scale = right.square().mean(Kind::Double).sqrt().double_value(&[]);
    (ours - right).abs().max().double_value(&[]) / scale
}

fn bits(tensor: &Tensor) -> Vec<u32> {
    let values = Vec::<f32>::try_from(tensor.detach().contiguous().flatten(0, -1)).expect("single precision");
    values.into_iter().map(f32::to_bits).collect()
}
