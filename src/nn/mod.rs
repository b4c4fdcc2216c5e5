//! Networks, and the layers that any network may use: no loss, no file, no rank.
//!
//! Tensors have PyTorch's names and layouts. A layer adds its tensors to an `nn::Path` when it is made; `forward` takes a
//! [`Pass`], which says what it is for. A layer's `describe` says what it computes and where its tensors are, a network's
//! `describe` lists its layers in order of use.

// What all layers share.
pub mod conv_options;
pub mod description;
mod kernel;
pub mod pass;
mod tensor_name;
pub mod weights;
// Layers.
pub mod activation;
pub mod batch_norm;
pub mod convolution;
pub mod dropout;
pub mod group_norm;
pub mod linear;
pub mod norm;
pub mod spectral_norm;
pub mod transposed;
// Blocks of layers.
pub mod residual;
// Networks.
pub mod dcgan;
pub mod embedder;

pub use activation::Activation;
pub use batch_norm::BatchNorm;
pub use conv_options::ConvOptions;
pub use convolution::{Conv1d, Conv2d};
pub use description::{LayerDescription, NetworkDescription, Operation};
pub use dropout::Dropout;
pub use group_norm::GroupNorm;
pub use linear::Linear;
pub use norm::{NormKind, NormLayer};
pub use pass::{BatchMoments, Pass, Precision};
pub use residual::{Resample, Residual, ResidualOptions};
pub use spectral_norm::SpectralVectors;
pub use transposed::{ConvTranspose1d, ConvTranspose2d};
pub use weights::Weights;

/// Trained networks always make records in batches of so many neighbours, since libtorch's sums may depend on the batch.
pub const MADE_AT_ONCE: u64 = 64;
