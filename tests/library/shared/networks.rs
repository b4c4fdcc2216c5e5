//! Networks that are small enough for a test to train.

use skyforge::nn::dcgan::{DcganSettings, Latent, Norm, Output};

/// Of maps of 16 px, with batch norm.
pub const SMALL: DcganSettings = DcganSettings {
    side: 16,
    width: 4,
    depth: 2,
    latent_dim: 6,
    norm: Norm::Batch,
    latent: Latent::Normal,
    output: Output::Tanh,
};
