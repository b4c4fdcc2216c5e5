//! Laws of the objectives.

#[path = "../shared/networks.rs"]
mod networks;

mod embedder;
mod gan;
