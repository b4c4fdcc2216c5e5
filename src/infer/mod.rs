//! Trained networks at work.

pub mod latent_fit;
pub mod model;
pub mod networks;

pub use model::{Generate, Reconstruct, TrainedModel};
pub use networks::Networks;
