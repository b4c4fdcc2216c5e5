//! The verbs, one file each: the only room that sees all others.

pub mod bench;
pub mod doctor;
pub mod evaluate;
pub mod fanout;
pub mod ingest;
pub mod inspect;
pub mod report;
pub mod sample;
pub mod simulate;
pub mod stacks;
pub mod train;
pub mod words;

mod counter;
mod end;
mod logging;
mod output;
mod provenance;
mod session;
mod shards;

pub use end::{CommandError, refuse, run, run_in_any_world};
pub use session::Session;
