//! Laws of the objectives.

pub mod embedder;
mod gan;
