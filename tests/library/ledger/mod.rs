//! Ledgers and workers: every object once, whoever is lost on the way.

mod shared;

mod differences;
mod disturbed;
mod payloads;
mod poison;
mod retry;
mod workers;
