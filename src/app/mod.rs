//! The verbs, one file each: the only room that sees all others.

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
pub mod status;
pub mod submit;
pub mod train;
pub mod words;

mod allocation;
pub mod apply;
mod counter;
mod end;
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
mod staging;
mod table_output;
pub mod trained;

pub use end::{CommandError, refuse, run, run_alone, run_in_any_world, run_once};
pub use session::Session;
pub use trained::Trained;
