//! Ledgers and workers: every object once, whoever is lost on the way.

#[path = "../shared/faulty.rs"]
#[allow(dead_code)]
mod faulty;
mod shared;

mod differences;
mod disturbed;
mod payloads;
mod poison;
mod retry;
mod workers;
