//! Results, on stdout.

use std::io::{self, Write};

use super::CommandError;

/// Prints `text` and a line end. Who stops reading has read enough.
pub fn say(text: &str) -> Result<(), CommandError> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(CommandError::io("stdout")(error)),
        _ => Ok(()),
    }
}
