//! Files that were changed at random: no reader panics, asks for giant memory or hangs, and what it says names the file.
//!
//! Each law runs in a process of its own with little memory, so that what kills a reader is a failure with a name.

mod mutation;
mod readers;
