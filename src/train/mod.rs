//! Training: step after step, with checkpoints, records and an orderly end.
//!
//! In reading order: what a run is given (`settings`), the loop (`run`), the step (`step`), a network of it on this rank
//! (`replica`); then what belongs to them.

pub mod settings;

pub mod run;

pub mod step;

mod replica;

mod averaged;
mod bad_step;
mod compare;
pub mod drill;
mod error;
mod lock;
pub mod metrics;
pub mod outcome;
pub mod progress;
mod recorder;
mod resume;
mod save;
pub mod scaling;
pub mod signals;
mod straggler;
pub mod tensorboard;
pub mod validation;
mod watch;

pub use bad_step::NotFinite;
pub use compare::ParameterMismatch;
pub use drill::{Drill, Drills};
pub use error::TrainError;
pub use lock::RunLock;
pub use outcome::{Outcome, Status};
pub use run::Run;
pub use settings::{Schedule, Training};
pub use step::{Cut, Ended, Spent, Stepper};
pub use validation::{Measured, Score, Validator};
