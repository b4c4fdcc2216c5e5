//! skyforge trains generative models of the sky on a supercomputer and puts them to work on whole catalogues.
//!
//! Each folder is a room; `docs/architecture.md` says which room may import which, and `tests/library/rooms.rs` fails on
//! any other import.

// The ground every room stands on.
pub mod device;
pub mod exit;
pub mod files;
pub use skyforge_kernels as kernels;
pub mod machine;
pub mod one_line;
pub mod pages;
pub mod rng;

// Labels and wavelengths of exoplanets' spectra, for all rooms that make or use them.
pub mod atmosphere;

// config -> data shards -> nn -> objective -> train (over comm) -> checkpoint
pub mod checkpoint;
pub mod comm;
pub mod config;
pub mod data;
pub mod ingest;
pub mod nn;
pub mod objective;
pub mod optim;
pub mod simulate;
pub mod train;
// -> infer (over ledger) -> catalog, statistics -> report
pub mod catalog;
pub mod infer;
pub mod ledger;
pub mod report;
pub mod statistics;
// What is true of one family of models alone.
pub mod family;
// jobs and sites -> batch scripts
pub mod launch;
// What the commands do, without clap; and the command line, which clap reads.
mod app;
pub mod cli;
