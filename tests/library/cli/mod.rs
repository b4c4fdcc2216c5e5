//! The command line.

mod help;
