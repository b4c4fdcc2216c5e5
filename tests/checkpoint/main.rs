//! Laws of checkpoints: whole or not at all, damage is named and never used.

mod crash;
#[path = "../shared/faulty.rs"]
mod faulty;
mod files;
