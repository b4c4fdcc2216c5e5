//! Flat parameter spaces and the rules that move them.

mod adam;
mod buffer;
mod flat;

pub use adam::{Adam, AdamSettings};
pub use buffer::{Buffer, Home};
pub use flat::{Entry, FlatSpace, Lent};
