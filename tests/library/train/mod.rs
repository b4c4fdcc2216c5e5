//! The trainer's rooms: what is recorded, what is told, what stops a run.

mod chance;
mod embedder;
mod metrics;
mod progress;
mod scores;
mod signals;
mod spectral;
mod step;
mod tensorboard;
mod whole_batch;
