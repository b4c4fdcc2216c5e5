//! What the commands do, a file or folder each, without clap.

pub mod apply;
pub mod bench;
pub mod columns;
pub mod doctor;
pub mod evaluate;
pub mod ingest;
pub mod inpaint;
pub mod inspect;
pub mod ledger;
pub mod report;
pub mod restore;
pub mod retrieve;
pub mod sample;
pub mod simulate;
pub mod stacks;
pub mod staging;
pub mod status;
pub mod submit;
pub mod train;
pub mod versions;

mod allocation;
mod counter;
mod end;
mod error;
pub mod fit_settings;
mod logging;
mod new_records;
mod objective;
mod output;
mod output_dataset;
mod proof;
mod provenance;
mod session;
mod shards;
pub mod trained;

pub use end::{is_first_task, run_alone, run_in_any_world, run_on_ranks, run_once};
pub use error::CommandError;
pub use output::say;
pub use session::Session;
pub use trained::Trained;
