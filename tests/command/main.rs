//! The binary as users run it: real ranks, real signals, real files.

mod program;

mod bad_input;
mod golden;
mod main_job;
mod ranks;
