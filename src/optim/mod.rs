//! Flat parameter spaces and the rules that move them.

mod adam;
mod flat;

pub use adam::{Adam, AdamSettings};
pub use flat::{Entry, FlatSpace, Lent};
