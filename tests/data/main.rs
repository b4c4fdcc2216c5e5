//! The data room: what is written is read back, whichever rank wrote it, and damage has a name.
#![expect(clippy::float_cmp, reason = "the same bits are the point")]

mod aspa;
mod aspa_tensors;
mod crash;
mod damage;
mod dataset;
#[path = "../shared/faulty.rs"]
mod faulty;
mod folder;
mod loader;
mod mask;
mod normalise;
mod peers;
mod sampler;
#[path = "../shared/spectra.rs"]
mod spectra;
mod stage;
