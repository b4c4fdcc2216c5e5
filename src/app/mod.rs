//! The verbs, one file each: the only room that sees all others.

pub mod bench;
pub mod doctor;
pub mod evaluate;
pub mod ingest;
pub mod inpaint;
pub mod inspect;
pub mod ledger;
pub mod report;
pub mod retrieve;
pub mod sample;
pub mod simulate;
pub mod stacks;
pub mod status;
pub mod submit;
pub mod train;
pub mod words;

mod allocation;
mod counter;
mod end;
mod fit_settings;
mod fit_spectra;
mod fits;
mod logging;
mod objective;
mod output;
mod output_dataset;
mod proof;
mod provenance;
mod records;
mod session;
mod shards;
mod staging;
mod trained;

pub use end::{CommandError, refuse, run, run_alone, run_in_any_world, run_once};
pub use session::Session;
pub use trained::Trained;
