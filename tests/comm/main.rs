//! Laws of the ranks.

mod tree;
mod words;
