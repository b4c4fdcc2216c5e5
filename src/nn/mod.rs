//! Networks only: no loss, no file, no rank.

pub mod dcgan;
pub mod embedder;
pub mod layers;

pub use layers::{BatchMoments, Pass, Precision};

/// Trained networks always make records in batches of so many neighbours, since libtorch's sums may depend on the batch.
pub const MADE_AT_ONCE: u64 = 64;
