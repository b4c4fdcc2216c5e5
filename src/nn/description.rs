//! What a network computes in inference, as a list that can be walked: the export of a network needs no other source.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::conv_options::ConvOptions;
use super::tensor_name::name_in;

/// The layers of a network in order of use, each with its name; a layer works on what the one before returns.
pub type NetworkDescription = Vec<(String, LayerDescription)>;

/// One layer: its operation, and where its tensors are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LayerDescription {
    /// What it computes.
    #[serde(flatten)]
    pub operation: Operation,
    /// Names of its tensors in the network, by PyTorch's name of the tensor in a layer: `weight` is `up1.weight`. With
    /// `weight_u` and `weight_v` among them the layer uses W / (u^T W v), where W is `weight` as `[outputs, all others]`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tensors: BTreeMap<String, String>,
}

impl LayerDescription {
    /// A layer that has no tensors.
    pub fn without_tensors(operation: Operation) -> Self {
        Self { operation, tensors: BTreeMap::new() }
    }

    /// A layer called `layer` with the tensors `names`.
    pub(super) fn with_tensors(operation: Operation, layer: &str, names: &[&str]) -> Self {
        Self { operation, tensors: names.iter().map(|name| ((*name).to_owned(), name_in(layer, name))).collect() }
    }
}

/// Operations, with PyTorch's names of modules and of their arguments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
#[allow(missing_docs, reason = "fields are the arguments of the modules of `torch.nn`")]
pub enum Operation {
    /// `[b, in_features]` to `[b, out_features]`.
    Linear { in_features: i64, out_features: i64 },
    /// `[b, in_channels, l]` to `[b, out_channels, l']`.
    Conv1d { in_channels: i64, out_channels: i64, options: ConvOptions },
    /// `[b, in_channels, h, w]` to `[b, out_channels, h', w']`.
    Conv2d { in_channels: i64, out_channels: i64, options: ConvOptions },
    /// `[b, in_channels, l]` to `[b, out_channels, l']`; `weight` is `[in_channels, out_channels, k]`.
    ConvTranspose1d { in_channels: i64, out_channels: i64, options: ConvOptions },
    /// `[b, in_channels, h, w]` to `[b, out_channels, h', w']`; `weight` is `[in_channels, out_channels, k, k]`.
    ConvTranspose2d { in_channels: i64, out_channels: i64, options: ConvOptions },
    /// With running moments.
    BatchNorm { num_features: i64, eps: f64 },
    /// `num_groups` groups of neighbouring channels, each normalised within a record.
    GroupNorm { num_groups: i64, num_channels: i64, eps: f64 },
    /// Does nothing in inference.
    Dropout { p: f64 },
    /// x
    Identity,
    /// max(x, 0)
    Relu,
    /// max(x, negative_slope x)
    LeakyRelu { negative_slope: f64 },
    /// Hyperbolic tangent.
    Tanh,
    /// 1 / (1 + exp(-x))
    Sigmoid,
    /// All axes from `start_dim` on become one.
    Flatten { start_dim: i64 },
    /// Axis 1 becomes axes of these sizes.
    Unflatten { unflattened_size: Vec<i64> },
    /// Repeats each pixel `scale_factor` times along every axis.
    UpsampleNearest { scale_factor: i64 },
    /// The sum of what two branches make of the same input.
    Residual { body: NetworkDescription, shortcut: NetworkDescription },
    /// x where a second input is 1, `value` where it is 0.
    FillUnknown { value: f64 },
}
