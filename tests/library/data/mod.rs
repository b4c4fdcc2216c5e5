//! The data room: what is written is read back, whichever rank wrote it, and damage has a name.
#![expect(clippy::float_cmp, reason = "the same bits are the point")]

mod batch;
mod constant;
mod crash;
mod damage;
mod dataset;
pub mod folder;
pub mod loader;
mod mask;
mod normalise;
mod peers;
mod sampler;
mod stage;
