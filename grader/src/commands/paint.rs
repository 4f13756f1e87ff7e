//! Colours, where somebody can see them.

use std::io::IsTerminal;

/// Puts colour on words, or leaves them as they are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paint(bool);

impl Paint {
    /// For standard output.
    pub(super) fn stdout() -> Paint {
        Paint(std::io::stdout().is_terminal() && wanted())
    }

    /// For who looks at the words alone.
    #[cfg(test)]
    pub(super) fn plain() -> Paint {
        Paint(false)
    }

    /// Whether somebody watches: then lines may be rewritten, too.
    pub(super) fn is_on(self) -> bool {
        self.0
    }

    /// What is right.
    pub(super) fn good(self, text: &str) -> String {
        self.with("32", text)
    }

    /// What is wrong.
    pub(super) fn bad(self, text: &str) -> String {
        self.with("31", text)
    }

    /// What is still to be done.
    pub(super) fn open(self, text: &str) -> String {
        self.with("33", text)
    }

    /// What matters less.
    pub(super) fn faint(self, text: &str) -> String {
        self.with("2", text)
    }

    fn with(self, code: &str, text: &str) -> String {
        match self.0 {
            true => format!("\x1b[{code}m{text}\x1b[0m"),
            false => text.to_string(),
        }
    }
}

/// See <https://no-color.org>.
fn wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// A bar of ten, so much of it full.
pub(super) fn bar(done: u32, of: u32) -> String {
    let full = (done * 10 / of.max(1)) as usize;
    "█".repeat(full) + &"░".repeat(10 - full)
}
