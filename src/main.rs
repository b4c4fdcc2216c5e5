//! The one binary: reads the command line, runs a verb, ends with an exit code.

fn main() {}
