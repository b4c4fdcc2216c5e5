//! The verbs, one file each: the only room that sees all others.

pub mod evaluate;
pub mod inspect;
pub mod report;
pub mod sample;
pub mod simulate;
pub mod train;

mod end;
mod logging;
mod provenance;
mod session;

pub use end::{CommandError, refuse, run};
pub use session::Session;
