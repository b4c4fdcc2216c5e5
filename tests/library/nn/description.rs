//! The description of a network is all that it takes to compute what the network computes.

use std::collections::HashMap;

use skyforge::nn::dcgan::{DcganSettings, Discriminator, Generator, Norm, Output};
use skyforge::nn::embedder::{Embedder, EmbedderSize};
use skyforge::nn::{ConvOptions, LayerDescription, NetworkDescription, Operation, Pass};
use tch::{Device, Tensor, nn};

use super::{error, numbers, set};
use crate::shared::networks::SMALL;

/// What the described layers make of `x` by libtorch's own operations; `known` is the second input of the layer that has
/// one.
pub fn walk(
    layers: &NetworkDescription,
    tensors: &HashMap<String, Tensor>,
    x: &Tensor,
    known: Option<&Tensor>,
) -> Tensor {
    layers.iter().fold(x.shallow_clone(), |x, (_, layer)| step(layer, tensors, &x, known))
}

fn step(layer: &LayerDescription, tensors: &HashMap<String, Tensor>, x: &Tensor, known: Option<&Tensor>) -> Tensor {
    let tensor = |name: &str| tensors[&layer.tensors[name]].detach();
    let weight = |output_dim: i64| {
        let weight = tensor("weight");
        if !layer.tensors.contains_key("weight_u") {
            return weight;
        }
        let matrix = weight.transpose(0, output_dim).flatten(1, -1);
        let sigma = tensor("weight_u").dot(&matrix.mv(&tensor("weight_v")));
        weight / sigma
    };
    match &layer.operation {
        Operation::Linear { .. } => x.linear(&weight(0), Some(tensor("bias"))),
        Operation::Conv1d { options: ConvOptions { stride, padding, .. }, .. } => {
            x.conv1d(&weight(0), Some(tensor("bias")), *stride, *padding, 1, 1)
        }
        Operation::Conv2d { options: ConvOptions { stride, padding, .. }, .. } => {
            x.conv2d(&weight(0), Some(tensor("bias")), [*stride; 2], [*padding; 2], [1, 1], 1)
        }
        Operation::ConvTranspose1d { options: ConvOptions { stride, padding, output_padding, .. }, .. } => {
            x.conv_transpose1d(&weight(1), Some(tensor("bias")), *stride, *padding, *output_padding, 1, 1)
        }
        Operation::ConvTranspose2d { options: ConvOptions { stride, padding, output_padding, .. }, .. } => {
            let [stride, padding, output_padding] = [stride, padding, output_padding].map(|all| [*all; 2]);
            x.conv_transpose2d(&weight(1), Some(tensor("bias")), stride, padding, output_padding, 1, [1, 1])
        }
        Operation::BatchNorm { eps, .. } => {
            let [weight, bias, mean, variance] = ["weight", "bias", "running_mean", "running_var"].map(tensor);
            x.batch_norm(Some(weight), Some(bias), Some(mean), Some(variance), false, 0.0, *eps, false)
        }
        Operation::GroupNorm { num_groups, eps, .. } => {
            x.group_norm(*num_groups, Some(tensor("weight")), Some(tensor("bias")), *eps, false)
        }
        Operation::Dropout { .. } | Operation::Identity => x.shallow_clone(),
        Operation::Relu => x.relu(),
        Operation::LeakyRelu { negative_slope } => x.maximum(&(x * *negative_slope)),
        Operation::Tanh => x.tanh(),
        Operation::Sigmoid => x.sigmoid(),
        Operation::Flatten { start_dim } => x.flatten(*start_dim, -1),
        Operation::Unflatten { unflattened_size } => x.unflatten(1, &unflattened_size[..]),
        Operation::UpsampleNearest { scale_factor } => (2..x.dim() as i64)
            .fold(x.shallow_clone(), |x, axis| x.repeat_interleave_self_int(*scale_factor, axis, None)),
        Operation::Residual { body, shortcut } => walk(body, tensors, x, None) + walk(shortcut, tensors, x, None),
        Operation::FillUnknown { value } => {
            let known = known.expect("this layer has a second input");
            x * known + (1.0 - known) * *value
        }
    }
}

/// Moments and affine numbers that batch norm does not begin with.
fn disturb(store: &nn::VarStore) {
    let mut names: Vec<String> = store.variables().into_keys().filter(|name| name.contains("norm")).collect();
    names.sort();
    for (place, name) in (100..).zip(&names) {
        let values = numbers(place, &store.variables()[name].size()) * 0.3;
        set(store, name, &if name.contains("running_var") { values.exp() } else { values });
    }
}

/// A description as it comes back from JSON.
fn read_back(layers: &NetworkDescription) -> NetworkDescription {
    let text = serde_json::to_string(layers).expect("a description is plain data");
    let back: NetworkDescription = serde_json::from_str(&text).expect("it reads what it wrote");
    assert_eq!(back, *layers);
    back
}

#[test]
fn walking_the_description_of_a_network_gives_what_the_network_gives() {
    for (side, width, norm, output) in [
        (16, 16, Norm::Batch, Output::Tanh),
        (17, 3, Norm::Generator, Output::Sigmoid),
        (16, 4, Norm::None, Output::Tanh),
    ] {
        let settings = DcganSettings { side, width, norm, output, ..SMALL };
        let [generator, discriminator, embedder] = [(); 3].map(|()| nn::VarStore::new(Device::Cpu));
        let g = Generator::new(&generator.root(), &settings, 1);
        let d = Discriminator::new(&discriminator.root(), &settings, 1);
        let e = Embedder::new(&embedder.root(), &settings, &EmbedderSize { hidden: 20 }, 1);
        disturb(&generator);
        disturb(&discriminator);
        let noise = numbers(0, &[3, settings.latent_dim]);
        let maps = g.forward(&noise, Pass::Inference);
        let walked = walk(&read_back(&g.describe()), &generator.variables(), &noise, None);
        assert!(error(&walked, &maps) < 1e-4, "generator, {settings:?}");
        let maps = numbers(1, &maps.size()).tanh();
        let logits = d.forward(&maps, Pass::Inference);
        let walked = walk(&read_back(&d.describe()), &discriminator.variables(), &maps, None);
        assert!(error(&walked, &logits) < 1e-4, "discriminator, {settings:?}");
        let known = numbers(2, &maps.size()).gt(0.0).to_kind(maps.kind());
        let latents = e.forward(&maps, &known, Pass::Inference);
        let walked = walk(&read_back(&e.describe()), &embedder.variables(), &maps, Some(&known));
        assert!(error(&walked, &latents) < 1e-4, "embedder, {settings:?}");
    }
}

#[test]
fn a_description_names_every_tensor_of_its_network_once() {
    let store = nn::VarStore::new(Device::Cpu);
    let generator = Generator::new(&store.root(), &SMALL, 1);
    let layers = generator.describe();
    let mut named: Vec<&String> = layers.iter().flat_map(|(_, layer)| layer.tensors.values()).collect();
    named.sort();
    let variables = store.variables();
    let mut there: Vec<&String> = variables.keys().collect();
    there.sort();
    assert_eq!(named, there);
    let mut names: Vec<&String> = layers.iter().map(|(name, _)| name).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), layers.len(), "layers have names of their own");
}

#[test]
fn a_description_reads_like_pytorch() {
    let store = nn::VarStore::new(Device::Cpu);
    let discriminator = Discriminator::new(&store.root(), &DcganSettings { width: 4, ..SMALL }, 1);
    let (name, first) = &discriminator.describe()[0];
    assert_eq!(name, "down1");
    let wanted = serde_json::json!({
        "kind": "Conv2d",
        "in_channels": 1,
        "out_channels": 4,
        "options": { "kernel_size": 5, "stride": 2, "padding": 2, "output_padding": 0 },
        "tensors": { "weight": "down1.weight", "bias": "down1.bias" },
    });
    assert_eq!(serde_json::to_value(first).expect("plain data"), wanted);
}
