//! The training loop: step after step, with checkpoints, records and an orderly end.

pub mod run;
pub mod step;

mod player;

pub mod metrics;
pub mod outcome;
pub mod progress;
pub mod signals;
pub mod tensorboard;

pub use outcome::{Outcome, Status};
pub use run::{Schedule, TrainError, Training, train};
pub use step::{Cut, Ended, Stepper};
