//! Writes the evidence about many VMs while they run.

use super::frame::{Frame, Holds, SCHEMA};
use super::scenario::Scenario;
use crate::Measured;
use crate::frame::Bytes;
use crate::held::Held;
use crate::lines::LinesOut;
use crate::out::Out;
use crate::session::Session;
use crate::tally::Tally;
use common::trace::{Event, Record};
use common::{Trap, sync::Mutex};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Of each VM's console this many bytes are reported in a run.
pub const CONSOLE_BOUND: usize = 256 << 10;

/// So many changes of who runs where are reported in a run, beside the records:
/// whoever wants to know that wants to know all of it.
const TURNS: u64 = 200_000;

/// An evidence file that is being written. Clones write to the same file.
#[derive(Clone)]
pub(crate) struct Writer(Arc<Mutex<State>>);

struct State {
    lines: Out<Frame>,
    /// What may be written in each run.
    bounds: Bounds,
    /// What may still be written in this one.
    left: Bounds,
    /// How many records there were in this run.
    seen: u64,
    /// What they were, if somebody wants to know.
    tally: Option<Tally>,
}

#[derive(Clone, Copy)]
struct Bounds {
    records: u64,
    turns: u64,
}

impl Writer {
    /// Creates the file.
    ///
    /// # Errors
    /// If the file cannot be created or written.
    pub(crate) fn create(path: &Path, scenario: &Scenario) -> io::Result<Writer> {
        let schema = SCHEMA.to_string();
        let bounds = match scenario.seeds {
            0 | 1 => Bounds {
                records: scenario.records,
                turns: TURNS,
            },
            _ => Bounds {
                records: 0,
                turns: 0,
            },
        };
        let mut held = Held::new(LinesOut::create(path, &Frame::Begin { schema })?);
        if scenario.hold {
            held.hold();
        }
        let tally = scenario.measure.then(Tally::default);
        Ok(Writer::of(Out::File(held), bounds, tally))
    }

    /// Tells everything to whoever looks at the run.
    pub(crate) fn to(session: &Session) -> Writer {
        let bounds = Bounds {
            records: u64::MAX,
            turns: u64::MAX,
        };
        Writer::of(Out::Session(session.clone()), bounds, None)
    }

    fn of(lines: Out<Frame>, bounds: Bounds, tally: Option<Tally>) -> Writer {
        Writer(Arc::new(Mutex::new(State {
            lines,
            bounds,
            left: bounds,
            seen: 0,
            tally,
        })))
    }

    /// A run begins.
    pub(crate) fn run(&self, seed: u64) {
        let mut state = self.0.lock();
        (state.seen, state.left) = (0, state.bounds);
        state.lines.put(Frame::Run { seed });
    }

    /// Reports a record, or only counts it if there were too many.
    pub(crate) fn record(&self, record: &Record) {
        let mut state = self.0.lock();
        state.seen += 1;
        if let Some(tally) = &mut state.tally {
            tally.count(record);
        }
        let left = match record.event {
            Event::Runs(_) | Event::Idle => &mut state.left.turns,
            _ => &mut state.left.records,
        };
        if *left > 0 {
            *left -= 1;
            state.lines.put(Frame::Record(*record));
        }
    }

    /// Reports that a vCPU came back with a lock, unless there were too many
    /// records already.
    pub(crate) fn holds(&self, holds: Holds) {
        let mut state = self.0.lock();
        if state.left.records > 0 {
            state.lines.put(Frame::Holds(holds));
        }
    }

    /// Reports what a guest wrote to its console.
    pub(crate) fn console(&self, vm: u32, bytes: &[u8]) {
        if !bytes.is_empty() {
            let bytes = Bytes(bytes.to_vec());
            self.put(Frame::Console { vm, bytes });
        }
    }

    /// Writes any other frame. What the run ends with has everything that was held
    /// back before it.
    pub(crate) fn put(&self, frame: Frame) {
        let mut state = self.0.lock();
        if let Frame::End(_) | Frame::Panic(_) | Frame::GivenUp(_) | Frame::Refused(_) = frame {
            state.lines.release();
        }
        state.lines.put(frame);
    }

    /// What was counted, given the rest; `None` if nobody wanted to know.
    pub(crate) fn measured(&self, took: Duration, emulated: u64) -> Option<Measured> {
        let state = self.0.lock();
        Some(state.tally.as_ref()?.measured(took, emulated))
    }

    /// How many records there were in this run so far.
    pub(crate) fn seen(&self) -> u64 {
        self.0.lock().seen
    }
}

/// Whether a record only says that the stepper cut in: nothing of the machine.
pub(crate) fn is_noise(event: Event) -> bool {
    matches!(
        event,
        Event::Enter { .. }
            | Event::Trap {
                trap: Trap::Budget | Trap::Kicked,
                ..
            }
    )
}
