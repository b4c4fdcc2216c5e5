//! The data room: what is written is read back, whichever rank wrote it, and damage has a name.
#![expect(clippy::float_cmp, reason = "the same bits are the point")]

mod dataset;
mod folder;
mod loader;
mod normalise;
mod peers;
mod sampler;
