//! The terminal: puts lines onto it, and leaves it as it was.

use crate::error::LabError;
use crate::interrupt;
use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::event::{self, Event, KeyEventKind};
use crossterm::style::{Attribute, Print, SetAttribute};
use crossterm::terminal::{self, Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen};
use crossterm::{execute, queue};
use std::io::{self, Write, stdout};
use std::time::Duration;

pub(super) use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// A line of the screen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) text: String,
    /// It stands out.
    pub(super) marked: bool,
}

/// The terminal while it is ours. It is given back when this value goes, and
/// when the program panics.
pub(super) struct Screen;

impl Screen {
    /// Takes the terminal.
    pub(super) fn take() -> io::Result<Screen> {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            give_back();
            before(panic);
        }));
        std::thread::spawn(end_when_asked);
        terminal::enable_raw_mode()?;
        let screen = Screen;
        execute!(stdout(), EnterAlternateScreen, Hide)?;
        Ok(screen)
    }

    /// Its columns and rows.
    pub(super) fn size(&self) -> (usize, usize) {
        let (columns, rows) = terminal::size().unwrap_or((80, 24));
        (columns.into(), rows.into())
    }

    /// Shows these rows, from the top.
    pub(super) fn show(&self, rows: &[Row]) -> io::Result<()> {
        let (columns, height) = self.size();
        let mut out = stdout();
        for (number, row) in rows.iter().take(height).enumerate() {
            let text: String = row.text.chars().take(columns).collect();
            queue!(out, MoveTo(0, number as u16))?;
            if row.marked {
                queue!(out, SetAttribute(Attribute::Reverse))?;
            }
            queue!(
                out,
                Print(text),
                SetAttribute(Attribute::Reset),
                Clear(ClearType::UntilNewLine)
            )?;
        }
        if rows.len() < height {
            queue!(
                out,
                MoveTo(0, rows.len() as u16),
                Clear(ClearType::FromCursorDown)
            )?;
        }
        out.flush()
    }

    /// Waits a moment for a key; `None` if none came, or something else did.
    pub(super) fn key(&self, most: Duration) -> io::Result<Option<KeyEvent>> {
        if !event::poll(most)? {
            return Ok(None);
        }
        Ok(match event::read()? {
            Event::Key(key) if key.kind != KeyEventKind::Release => Some(key),
            _ => None,
        })
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Whether somebody has pressed a key; it is swallowed.
pub(super) fn somebody_is_impatient() -> bool {
    matches!(event::poll(Duration::ZERO), Ok(true)) && matches!(event::read(), Ok(Event::Key(_)))
}

/// Ends the program a while after it was asked to, if it has not done so itself:
/// who waits for a key of a terminal that is gone waits for ever, in crossterm.
fn end_when_asked() {
    while interrupt::check().is_ok() {
        std::thread::sleep(Duration::from_millis(200));
    }
    std::thread::sleep(Duration::from_secs(1));
    give_back();
    std::process::exit(LabError::Interrupted.exit_code().into());
}

/// What fails here can be helped by nobody.
fn give_back() {
    let _ = execute!(stdout(), LeaveAlternateScreen, Show);
    let _ = terminal::disable_raw_mode();
}
