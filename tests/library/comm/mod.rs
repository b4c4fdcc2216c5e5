//! Laws of the ranks.

mod courier;
mod tree;
mod words;
