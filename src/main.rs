//! The one binary: runs a command, ends with an exit code.

use skyforge::{cli, pages};

fn main() {
    pages::keep();
    let code = cli::run();
    // Everything with a destructor, MPI among it, is gone by now.
    std::process::exit(code as i32);
}
