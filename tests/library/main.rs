//! Tests of the library, in folders that mirror `src/`. One binary, since each costs seconds to link and more in CI.
//!
//! Any two of these tests may run at the same time in one process. A test that needs a process of its own (signal handlers, limits,
//! a crash) starts this binary again with its own name.

mod catalog;
mod checkpoint;
mod cli;
mod comm;
mod config;
mod data;
mod documents;
mod family;
mod fuzz;
mod infer;
mod ingest;
mod kernels;
mod launch;
mod ledger;
mod nn;
mod objective;
mod optim;
mod report;
mod rooms;
mod shared;
mod simulate;
mod statistics;
mod train;
