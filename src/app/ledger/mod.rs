//! `skyforge ledger`: the progress of work that many workers share, another attempt at what failed, and all results in one file.

pub mod drill;
pub mod hand;
pub mod merge;
pub mod retry;
pub mod status;
