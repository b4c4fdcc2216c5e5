//! Trained networks at work.

pub mod sample;

pub use sample::RecordSampler;
