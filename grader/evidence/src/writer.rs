//! Writes an evidence file while the guest runs.

use crate::Measured;
use crate::frame::{Bytes, End, Frame, GivenUp, Panic, Prepared, SCHEMA};
use crate::held::Held;
use crate::lines::LinesOut;
use crate::out::Out;
use crate::session::Session;
use crate::tally::Tally;
use common::trace::Record;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Console bytes beyond this many are counted by the device, but not reported.
pub const CONSOLE_BOUND: usize = 1 << 20;

/// An evidence file that is being written. Clones write to the same file.
///
/// Nothing is held back, unless the scenario asks for it: whatever the version's code
/// does next (overflow the stack, abort, exit), what happened before is on record. A frame after [`end`](Writer::end) is dropped.
#[derive(Clone)]
pub struct Writer(Arc<Mutex<State>>);

struct State {
    lines: Out<Frame>,
    /// How many more records may be written.
    records: u64,
    /// How many records there were.
    seen: u64,
    /// What they were, if somebody wants to know.
    tally: Option<Tally>,
    /// How many more console bytes may be written.
    console: usize,
}

impl Writer {
    /// Creates the file, to hold at most `records` records.
    ///
    /// # Errors
    /// If the file cannot be created or written.
    pub fn create(path: &Path, records: u64) -> io::Result<Writer> {
        let schema = SCHEMA.to_string();
        let held = Held::new(LinesOut::create(path, &Frame::Begin { schema })?);
        Ok(Writer::of(Out::File(held), records))
    }

    /// Tells everything to whoever looks at the run.
    pub(crate) fn to(session: &Session) -> Writer {
        Writer::of(Out::Session(session.clone()), u64::MAX)
    }

    fn of(lines: Out<Frame>, records: u64) -> Writer {
        Writer(Arc::new(Mutex::new(State {
            lines,
            records,
            seen: 0,
            tally: None,
            console: CONSOLE_BOUND,
        })))
    }

    /// Reports a record, or only counts it if there were too many.
    pub fn record(&self, record: &Record) {
        let mut state = self.state();
        state.seen += 1;
        if let Some(tally) = &mut state.tally {
            tally.count(record);
        }
        if state.records > 0 {
            state.records -= 1;
            state.lines.put(Frame::Record(*record));
        }
    }

    /// Reports what the guest wrote to its console.
    pub fn console(&self, bytes: &[u8]) {
        let mut state = self.state();
        let shown = &bytes[..bytes.len().min(state.console)];
        if !shown.is_empty() {
            state.console -= shown.len();
            state.lines.put(Frame::Console(Bytes(shown.to_vec())));
        }
    }

    /// Reports the context as the version prepared it.
    pub fn prepared(&self, prepared: Prepared) {
        self.state().lines.put(Frame::Prepared(Box::new(prepared)));
    }

    /// Reports that the version came back because of a kick.
    pub fn stopped(&self) {
        self.state().lines.put(Frame::Stopped);
    }

    /// Reports that the stand stops the version.
    pub fn given_up(&self, why: GivenUp) {
        self.last(Frame::GivenUp(why));
    }

    /// Reports a panic of the version's code.
    pub fn panic(&self, panic: Panic) {
        self.last(Frame::Panic(panic));
    }

    /// From now on also counts what the records are.
    pub(crate) fn count(&self) {
        self.state().tally = Some(Tally::default());
    }

    /// What was counted, given the rest; `None` if nobody wanted to know.
    pub(crate) fn measured(&self, took: Duration, emulated: u64) -> Option<Measured> {
        let state = self.state();
        Some(state.tally.as_ref()?.measured(took, emulated))
    }

    /// How many records there were so far.
    pub fn seen(&self) -> u64 {
        self.state().seen
    }

    /// Reports how things stood at the end. Nothing is written after it.
    pub fn end(&self, end: End) {
        let mut state = self.state();
        state.lines.release();
        state.lines.put(Frame::End(Box::new(end)));
        state.lines.end();
    }

    /// From now on holds everything back until the run is over.
    pub(crate) fn hold(&self) {
        self.state().lines.hold();
    }

    /// Reports what the run ends with; what was held back is written before.
    fn last(&self, frame: Frame) {
        let mut state = self.state();
        state.lines.release();
        state.lines.put(frame);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
