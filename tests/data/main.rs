//! The data room: what is written is read back, whichever rank wrote it, and damage has a name.

mod dataset;
mod folder;
mod loader;
mod normalise;
mod peers;
mod sampler;
