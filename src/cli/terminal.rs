//! Messages on standard error.

use std::io::Write;

/// Steps between two lines of a log, and on a standard error that is no terminal.
pub const LOG_EVERY: usize = 10;

/// Says `text` on standard error; one that is closed or full is no reason to stop.
pub fn report(text: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
