//! The training loop: step after step, with checkpoints, records and an orderly end.

pub mod drill;
pub mod run;
pub mod step;

mod bad_step;
mod lock;
mod player;
mod scribe;
mod straggler;
mod watch;

pub mod metrics;
pub mod outcome;
pub mod progress;
pub mod signals;
pub mod tensorboard;
pub mod validation;

pub use bad_step::NotFinite;
pub use drill::{Drill, Drills};
pub use lock::RunLock;
pub use outcome::{Outcome, Status};
pub use run::{Run, Schedule, TrainError, Training};
pub use step::{Cut, Ended, Odd, Spent, Stepper};
pub use validation::{Score, Scores, Validator};
