//! Trained networks at work.

pub mod latent_fit;
pub mod networks;
pub mod sample;

pub use networks::Networks;
pub use sample::RecordSampler;
