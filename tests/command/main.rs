//! The binary as users run it: real ranks, real signals, real files.

mod program;

mod bad_input;
#[cfg(feature = "mpi")]
mod faults;
mod golden;
mod killed;
mod main_job;
mod ranks;
