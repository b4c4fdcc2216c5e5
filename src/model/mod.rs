//! Networks only: no loss, no file, no rank.

pub mod dcgan;
pub mod layers;

pub use layers::{BatchMoments, Pass, Precision};
