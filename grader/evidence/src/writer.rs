//! Writes an evidence file while the guest runs.

use crate::frame::{Bytes, End, Frame, GivenUp, Panic, Prepared, SCHEMA};
use common::trace::Record;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Console bytes beyond this many are counted by the device, but not reported.
pub const CONSOLE_BOUND: usize = 1 << 20;

/// An evidence file that is being written. Clones write to the same file.
///
/// Every frame is one `write` of its own and nothing is held back: whatever
/// the version's code does next (overflow the stack, abort, exit), what
/// happened before is on record. A frame after [`end`](Writer::end) is dropped.
#[derive(Clone)]
pub struct Writer(Arc<Mutex<State>>);

struct State {
    file: File,
    /// The line being made; kept for its memory.
    line: Vec<u8>,
    /// How many more records may be written.
    records: u64,
    /// How many records there were.
    seen: u64,
    /// How many more console bytes may be written.
    console: usize,
    /// The last frame has been written.
    over: bool,
}

impl Writer {
    /// Creates the file, to hold at most `records` records.
    ///
    /// # Errors
    /// If the file cannot be created or written.
    pub fn create(path: &Path, records: u64) -> io::Result<Writer> {
        let mut state = State {
            file: File::create(path)?,
            line: Vec::with_capacity(512),
            records,
            seen: 0,
            console: CONSOLE_BOUND,
            over: false,
        };
        let schema = SCHEMA.to_string();
        state.write(&Frame::Begin { schema })?;
        Ok(Writer(Arc::new(Mutex::new(state))))
    }

    /// Reports a record, or only counts it if there were too many.
    pub fn record(&self, record: &Record) {
        let mut state = self.state();
        state.seen += 1;
        if state.records > 0 {
            state.records -= 1;
            state.put(&Frame::Record(*record));
        }
    }

    /// Reports what the guest wrote to its console.
    pub fn console(&self, bytes: &[u8]) {
        let mut state = self.state();
        let shown = &bytes[..bytes.len().min(state.console)];
        if !shown.is_empty() {
            state.console -= shown.len();
            state.put(&Frame::Console(Bytes(shown.to_vec())));
        }
    }

    /// Reports the context as the version prepared it.
    pub fn prepared(&self, prepared: Prepared) {
        self.state().put(&Frame::Prepared(Box::new(prepared)));
    }

    /// Reports that the version came back because of a kick.
    pub fn stopped(&self) {
        self.state().put(&Frame::Stopped);
    }

    /// Reports that the stand stops the version.
    pub fn given_up(&self, why: GivenUp) {
        self.state().put(&Frame::GivenUp(why));
    }

    /// Reports a panic of the version's code.
    pub fn panic(&self, panic: Panic) {
        self.state().put(&Frame::Panic(panic));
    }

    /// How many records there were so far.
    pub fn seen(&self) -> u64 {
        self.state().seen
    }

    /// Reports how things stood at the end. Nothing is written after it.
    pub fn end(&self, end: End) {
        let mut state = self.state();
        state.put(&Frame::End(Box::new(end)));
        state.over = true;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Writes a frame unless the last one has been written. A file that cannot
    /// be written any more shows in the parent as one that stops early.
    fn put(&mut self, frame: &Frame) {
        if !self.over && self.write(frame).is_err() {
            self.over = true;
        }
    }

    fn write(&mut self, frame: &Frame) -> io::Result<()> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, frame)?;
        self.line.push(b'\n');
        self.file.write_all(&self.line)
    }
}

/// The console of a guest: every byte is reported as it comes.
impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.console(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
