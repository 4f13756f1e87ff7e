//! Reads an evidence file, whole or while it grows.

use crate::frame::{End, Frame, GivenUp, Panic, Prepared, SCHEMA};
use crate::lines::LinesIn;
use common::trace::Record;
use std::io;
use std::path::Path;

/// Everything that a runner reported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The context as the version prepared it; `None` if it did not get that
    /// far.
    pub prepared: Option<Prepared>,
    /// What happened, in order, up to the scenario's bound.
    pub records: Vec<Record>,
    /// What the guest wrote to its console, up to
    /// [`CONSOLE_BOUND`](crate::CONSOLE_BOUND).
    pub console: Vec<u8>,
    /// How many records there had been when the version came back because of
    /// the scenario's kick; `None` if it did not.
    pub stopped_after: Option<usize>,
    /// The stand stopped the version.
    pub given_up: Option<GivenUp>,
    /// The version's code panicked.
    pub panic: Option<Panic>,
    /// How things stood when the run was over; `None` if the runner did not
    /// get that far.
    pub end: Option<End>,
    /// A line in the middle is no frame: somebody else wrote to the file.
    pub damaged: bool,
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
        match frame {
            _ if self.evidence.damaged => {}
            Some(Frame::Begin { schema }) if !self.begun && schema == SCHEMA => self.begun = true,
            Some(frame) if self.begun && self.evidence.end.is_none() => self.frame(frame),
            _ => self.evidence.damaged = true,
        }
    }

    fn frame(&mut self, frame: Frame) {
        match frame {
            Frame::Begin { .. } => self.evidence.damaged = true,
            Frame::Prepared(prepared) => self.evidence.prepared = Some(*prepared),
            Frame::Stopped => self.evidence.stopped_after = Some(self.evidence.records.len()),
            Frame::Record(record) => self.evidence.records.push(record),
            Frame::Console(bytes) => self.evidence.console.extend(bytes.0),
            Frame::GivenUp(why) => self.evidence.given_up = Some(why),
            Frame::Panic(panic) => self.evidence.panic = Some(panic),
            Frame::End(end) => self.evidence.end = Some(*end),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Writer;
    use common::Time;
    use common::trace::Event;

    fn record(time: u64) -> Record {
        Record {
            time: Time(time),
            pcpu: 0,
            rip: 0x1000,
            event: Event::Inject(32),
        }
    }

    /// The bytes of a file with three records and a console.
    fn file() -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("evidence");
        let writer = Writer::create(&path, 3).unwrap();
        for time in 0..4 {
            writer.record(&record(time));
        }
        writer.console(b"hello\n");
        assert_eq!(writer.seen(), 4);
        std::fs::read(path).unwrap()
    }

    fn read(bytes: &[u8]) -> Evidence {
        let mut reader = Reader::default();
        reader.feed(bytes);
        reader.evidence
    }

    #[test]
    fn what_is_written_is_read_up_to_the_bound() {
        let evidence = read(&file());
        assert_eq!(evidence.records, [record(0), record(1), record(2)]);
        assert_eq!(evidence.console, b"hello\n");
        assert!(!evidence.damaged);
    }

    #[test]
    fn a_cut_frame_does_not_count_and_what_came_before_does() {
        let bytes = file();
        let evidence = read(&bytes[..bytes.len() - 1]);
        assert_eq!(evidence.records.len(), 3);
        assert_eq!(evidence.console, b"");
        assert!(!evidence.damaged);
    }

    #[test]
    fn pieces_of_any_length_give_the_same() {
        let bytes = file();
        for length in [1, 7, 64] {
            let mut reader = Reader::default();
            bytes.chunks(length).for_each(|piece| reader.feed(piece));
            assert_eq!(reader.evidence, read(&bytes));
        }
    }

    #[test]
    fn a_foreign_line_in_the_middle_is_noticed() {
        let mut bytes = file();
        bytes.splice(0..0, *b"PASS\n");
        assert!(read(&bytes).damaged);
    }
}
