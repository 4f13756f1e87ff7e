//! Prints for people.
//!
//! Unlike `println!` it does not panic when nobody reads any more, as with
//! `cargo lab list | head -1`: what is not wanted is not printed.

use crate::error::LabError;
use std::fmt::Arguments;
use std::io::{ErrorKind, Write};

/// Prints a line, or as much of it as somebody reads.
pub(super) fn line(text: Arguments<'_>) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Prints a piece of a line at once, or as much of it as somebody reads.
pub(super) fn piece(text: &str) {
    let mut stdout = std::io::stdout();
    let _ = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
}

/// The same beside the output, on standard error.
pub(super) fn note_line(text: Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Prints a text there as it is.
pub(super) fn note_text(text: Arguments<'_>) {
    let _ = write!(std::io::stderr(), "{text}");
}

/// Prints something that a program reads, and that must not be lost in silence.
///
/// # Errors
/// If it could not be written, unless it is that nobody reads any more.
pub(super) fn for_programs(text: &str) -> Result<(), LabError> {
    let mut stdout = std::io::stdout();
    let written = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(LabError::infrastructure(
            "the verdict cannot be written to standard output",
            error,
        )),
        _ => Ok(()),
    }
}

/// A line for people on standard output.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::commands::say::line(format_args!($($text)*))
    };
}
pub(super) use say;

/// A line for people on standard error.
macro_rules! note {
    ($($text:tt)*) => {
        $crate::commands::say::note_line(format_args!($($text)*))
    };
}
pub(super) use note;
