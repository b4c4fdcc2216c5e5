//! Laws of the objectives.

mod embedder;
mod gan;
