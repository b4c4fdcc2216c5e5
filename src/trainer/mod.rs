//! trainer

pub mod metrics;
pub mod progress;
pub mod signals;
pub mod tensorboard;
