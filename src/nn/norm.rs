//! The norm of a block whose settings say which one it is.

use serde::{Deserialize, Serialize};
use tch::{Tensor, nn};

use super::batch_norm::BatchNorm;
use super::description::LayerDescription;
use super::group_norm::GroupNorm;
use super::pass::Pass;

/// Which norm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum NormKind {
    /// None.
    #[default]
    None,
    /// Batch norm.
    Batch,
    /// Group norm.
    Group {
        /// Groups of channels.
        groups: i64,
    },
}

/// A norm, or none.
#[derive(Debug)]
pub enum NormLayer {
    /// None.
    None,
    /// Batch norm.
    Batch(BatchNorm),
    /// Group norm.
    Group(GroupNorm),
}

impl NormLayer {
    /// For `channels` channels.
    pub fn new(path: &nn::Path, kind: NormKind, channels: i64) -> Self {
        match kind {
            NormKind::None => NormLayer::None,
            NormKind::Batch => NormLayer::Batch(BatchNorm::new(path, channels)),
            NormKind::Group { groups } => NormLayer::Group(GroupNorm::new(path, groups, channels)),
        }
    }

    /// `x` normalised, or as it is.
    pub fn forward(&self, x: Tensor, pass: Pass) -> Tensor {
        match self {
            NormLayer::None => x,
            NormLayer::Batch(norm) => norm.forward(&x, pass),
            NormLayer::Group(norm) => norm.forward(&x),
        }
    }

    /// Its name, if it is a batch norm.
    pub fn batch_norm_name(&self) -> Option<String> {
        match self {
            NormLayer::Batch(norm) => Some(norm.name().to_owned()),
            NormLayer::None | NormLayer::Group(_) => None,
        }
    }

    /// What it computes, and the names of its tensors, if it is one.
    pub fn describe(&self) -> Option<LayerDescription> {
        match self {
            NormLayer::None => None,
            NormLayer::Batch(norm) => Some(norm.describe()),
            NormLayer::Group(norm) => Some(norm.describe()),
        }
    }
}
