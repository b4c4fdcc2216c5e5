//! The training loop: step after step, with checkpoints, records and an orderly end.

mod player;
pub mod step;

pub use step::{Cut, Ended, Stepper};
