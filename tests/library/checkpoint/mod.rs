//! Laws of checkpoints: whole or not at all, damage is named and never used.

mod crash;
mod files;
mod identity;
