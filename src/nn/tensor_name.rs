//! Names of layers and of their tensors in a network.

use tch::nn;

/// The name of a tensor in its network: `up1.weight`.
pub(super) fn full_name(path: &nn::Path, name: &str) -> String {
    name_in(&layer_name(path), name)
}

/// The name in its network of a layer's tensor `name`.
pub(super) fn name_in(layer: &str, name: &str) -> String {
    if layer.is_empty() { name.to_owned() } else { format!("{layer}.{name}") }
}

/// The name of the layer whose tensors `path` holds: `up1`.
pub(super) fn layer_name(path: &nn::Path) -> String {
    path.components().collect::<Vec<&str>>().join(".")
}
