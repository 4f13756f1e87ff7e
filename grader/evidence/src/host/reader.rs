//! Reads the evidence about many VMs, whole or while it grows.

use super::frame::{CarriedOut, End, Ended, Frame, Holds, Lost, SCHEMA, Violation, VmEnd};
use crate::frame::{GivenUp, Panic};
use crate::lines::LinesIn;
use common::trace::Record;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// Everything that a runner of many VMs reported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// One entry for each run, in the order of the seeds; fewer if it did not get
    /// that far.
    pub runs: Vec<RunEvidence>,
    /// A line in the middle is no frame: somebody else wrote to the file.
    pub damaged: bool,
}

/// What was reported of one run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunEvidence {
    /// The seed of its order; 0 if it has none.
    pub seed: u64,
    /// What happened, up to the scenario's bound, in the order in which it was
    /// reported: of each physical CPU in the order of its time.
    pub records: Vec<Record>,
    /// When vCPUs came back with a lock of their guest, up to the same bound.
    pub holds: Vec<Holds>,
    /// What each VM wrote to its console, up to
    /// [`CONSOLE_BOUND`](super::CONSOLE_BOUND).
    pub consoles: BTreeMap<u32, Vec<u8>>,
    /// What the version was asked for.
    pub commands: Vec<CarriedOut>,
    /// Which VMs have ended, in the order in which it was known.
    pub ended: Vec<Ended>,
    /// What must not have been.
    pub violations: Vec<Violation>,
    /// Somebody was lost, by the version's own books: the first time.
    pub lost: Option<Lost>,
    /// The engine refuses to make the VMs, in its own words.
    pub refused: Option<String>,
    /// The stand stopped the version.
    pub given_up: Option<GivenUp>,
    /// The version's code panicked: the first panic, which the others follow
    /// from.
    pub panic: Option<Panic>,
    /// How things stood with each VM when the run was over or it was destroyed.
    pub vms: BTreeMap<u32, VmEnd>,
    /// How the run was over; `None` if the runner did not get that far.
    pub end: Option<End>,
}

impl Evidence {
    /// Reads a file. What is there of a file that was cut off is returned.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn read(path: &Path) -> io::Result<Evidence> {
        let mut reader = Reader::default();
        reader.feed(&std::fs::read(path)?);
        Ok(reader.evidence)
    }
}

/// Collects evidence from pieces of a file, in order.
#[derive(Debug, Default)]
pub struct Reader {
    /// What the pieces so far say.
    pub evidence: Evidence,
    begun: bool,
    lines: LinesIn,
}

impl Reader {
    /// Takes the next piece of the file.
    pub fn feed(&mut self, bytes: &[u8]) {
        let mut lines = std::mem::take(&mut self.lines);
        lines.feed(bytes, |line| self.line(line));
        self.lines = lines;
    }

    fn line(&mut self, line: &[u8]) {
        let frame = serde_json::from_slice(line).ok();
        match (frame, self.evidence.runs.last_mut()) {
            _ if self.evidence.damaged => {}
            (Some(Frame::Begin { schema }), None) if !self.begun && schema == SCHEMA => {
                self.begun = true;
            }
            (Some(Frame::Run { seed }), _) if self.begun => {
                self.evidence.runs.push(RunEvidence {
                    seed,
                    ..RunEvidence::default()
                });
            }
            (Some(frame), Some(run)) if run.end.is_none() => run.frame(frame),
            _ => self.evidence.damaged = true,
        }
    }
}

impl RunEvidence {
    /// The evidence of a run that never began.
    pub const fn none() -> RunEvidence {
        RunEvidence {
            seed: 0,
            records: Vec::new(),
            holds: Vec::new(),
            consoles: BTreeMap::new(),
            commands: Vec::new(),
            ended: Vec::new(),
            violations: Vec::new(),
            lost: None,
            refused: None,
            given_up: None,
            panic: None,
            vms: BTreeMap::new(),
            end: None,
        }
    }

    fn frame(&mut self, frame: Frame) {
        match frame {
            Frame::Begin { .. } | Frame::Run { .. } => {}
            Frame::Record(record) => self.records.push(record),
            Frame::Holds(holds) => self.holds.push(holds),
            Frame::Console { vm, bytes } => self.consoles.entry(vm).or_default().extend(bytes.0),
            Frame::CarriedOut(done) => self.commands.push(done),
            Frame::Ended(ended) => self.ended.push(ended),
            Frame::Lost(lost) => self.lost = Some(lost),
            Frame::Violation(violation) => self.violations.push(violation),
            Frame::Refused(why) => self.refused = Some(why),
            Frame::GivenUp(why) => self.given_up = Some(why),
            Frame::Panic(panic) => {
                self.panic.get_or_insert(panic);
            }
            Frame::Vm(end) => {
                self.vms.insert(end.vm, *end);
            }
            Frame::End(end) => self.end = Some(end),
        }
    }
}
