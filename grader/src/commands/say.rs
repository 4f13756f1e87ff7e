//! Prints for people.
//!
//! Unlike `println!` it does not panic when nobody reads any more, as with
//! `cargo lab list | head -1`: what is not wanted is not printed.

use crate::error::LabError;
use std::fmt::Arguments;
use std::io::{ErrorKind, Write};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

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

/// Does some work, and has a word if it takes longer than that.
pub(super) fn if_it_takes<T>(
    longer: Duration,
    word: impl FnOnce() + Send,
    work: impl FnOnce() -> T,
) -> T {
    let (done, is_done) = channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            if is_done.recv_timeout(longer) == Err(RecvTimeoutError::Timeout) {
                word();
            }
        });
        let result = work();
        drop(done);
        result
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_long_gets_a_word_and_what_does_not_gets_none() {
        let (said, is_said) = channel();
        let told = said.clone();
        let word = move || told.send("long").unwrap();
        let long = if_it_takes(Duration::from_millis(1), word, || is_said.recv().unwrap());
        assert_eq!(long, "long");
        let word = move || said.send("too soon").unwrap();
        assert_eq!(if_it_takes(Duration::from_secs(1_000), word, || 5), 5);
        assert!(is_said.try_recv().is_err());
    }
}
