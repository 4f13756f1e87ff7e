//! A file with one JSON value a line, while it is written and while it is read.

use crate::seal::Seal;
use serde::Serialize;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// The writing end. Every value is one `write` of its own, and nothing is held
/// back: whatever happens next, what came before is in the file.
pub(crate) struct LinesOut {
    file: File,
    /// The line being made; kept for its memory.
    line: Vec<u8>,
    /// Nothing more is written.
    over: bool,
    /// What each line is sealed with, if the reader asks for it.
    seal: Option<Seal>,
}

impl LinesOut {
    /// Creates the file, with its first value. A key that lies beside it is taken.
    ///
    /// # Errors
    /// If the file cannot be created or written.
    pub(crate) fn create(path: &Path, first: &impl Serialize) -> io::Result<LinesOut> {
        let mut lines = LinesOut {
            file: File::create(path)?,
            line: Vec::with_capacity(512),
            over: false,
            seal: Seal::take(path)?,
        };
        lines.write(first)?;
        Ok(lines)
    }

    /// Writes a value unless all is [over](LinesOut::end). A file that cannot be
    /// written any more shows to its reader as one that stops early.
    pub(crate) fn put(&mut self, value: &impl Serialize) {
        if !self.over && self.write(value).is_err() {
            self.over = true;
        }
    }

    /// From now on drops what comes.
    pub(crate) fn end(&mut self) {
        self.over = true;
    }

    fn write(&mut self, value: &impl Serialize) -> io::Result<()> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, value)?;
        if let Some(seal) = &mut self.seal {
            seal.put(&mut self.line);
        }
        self.line.push(b'\n');
        self.file.write_all(&self.line)
    }
}

/// The reading end: makes lines of pieces of a file. A line without its end was
/// cut off, and is never given.
#[derive(Debug, Default)]
pub(crate) struct LinesIn {
    /// A line whose end has not come yet.
    rest: Vec<u8>,
}

impl LinesIn {
    /// Takes the next piece of the file, and gives `line` each line that it
    /// completes.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], mut line: impl FnMut(&[u8])) {
        while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            self.rest.extend_from_slice(&bytes[..end]);
            bytes = &bytes[end + 1..];
            line(&self.rest);
            self.rest.clear();
        }
        self.rest.extend_from_slice(bytes);
    }
}
