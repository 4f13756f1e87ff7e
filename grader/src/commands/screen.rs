//! A page that is written again and again: on a terminal in the same place, with
//! the old page standing until the new one begins; elsewhere one below the other.

use super::paint::Paint;
use super::say;

/// Where pages are written.
#[derive(Debug)]
pub(super) struct Screen {
    pub(super) paint: Paint,
    headline: String,
    /// Whether the page at hand has begun.
    begun: bool,
}

impl Screen {
    /// An empty screen.
    pub(super) fn new() -> Screen {
        let screen = Screen {
            paint: Paint::stdout(),
            headline: String::new(),
            begun: true,
        };
        screen.control("\x1b[2J");
        screen
    }

    /// Announces a page. What is there stays, but for its first line.
    pub(super) fn announce(&mut self, headline: String) {
        self.headline = headline;
        self.begun = false;
        match self.paint.is_on() {
            true => self.note(""),
            false => say::line(format_args!("\n{}", self.headline)),
        }
    }

    /// Says on a terminal what goes on until the page begins.
    pub(super) fn note(&self, what: &str) {
        if !self.begun {
            let what = self.paint.faint(what);
            self.control(&format!("\x1b[H\x1b[K{} {what}", self.headline));
        }
    }

    /// Begins the page that was announced, if it has not begun.
    pub(super) fn begin(&mut self) {
        if !self.begun {
            self.control(&format!("\x1b[H\x1b[J{}\n\n", self.headline));
            self.begun = true;
        }
    }

    fn control(&self, text: &str) {
        if self.paint.is_on() {
            say::piece(text);
        }
    }
}

impl Drop for Screen {
    /// What is written next stands below.
    fn drop(&mut self) {
        self.control("\x1b[999;1H\n");
    }
}
