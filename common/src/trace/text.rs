//! The trace as text: one line a record, to be read from top to bottom.
//!
//! ```text
//!         time  who     what                                              where
//!            0  enter   at most 1,000 instructions                        start
//!          377  trap    after 376 instructions: out 0x3f8, al             print+0x04
//!          377  exit    port-out: byte 0x48 to port 0x3f8                 print+0x04
//!          377  device  serial data <- 'H'                                print+0x04
//!          377  enter   at most 623 instructions                          print+0x05
//!        1,000  trap    after 623 instructions: budget used up            worker+0x1c
//!        1,000  exit    deadline: the time given is up                    worker+0x1c
//! ```
//!
//! The words do not depend on the host or on the run, so that a trace can be
//! compared with one that was kept.

use super::{Event, Record};
use crate::Symbols;
use crate::time::grouped;
use std::fmt;

/// Puts records into words, with the guest's own names for its places.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    symbols: &'a Symbols,
    pcpus: bool,
}

impl<'a> Text<'a> {
    /// For a machine with one physical CPU.
    pub fn new(symbols: &'a Symbols) -> Text<'a> {
        let pcpus = false;
        Text { symbols, pcpus }
    }

    /// The same, with a column that says on which physical CPU it happened.
    pub fn with_pcpus(self) -> Text<'a> {
        Text {
            pcpus: true,
            ..self
        }
    }

    /// The heads of the columns.
    pub fn header(&self) -> Line {
        let pcpu = self.pcpus.then(|| "cpu".to_string());
        let [time, who, what, place] = ["time", "who", "what", "where"].map(str::to_string);
        Line {
            time,
            pcpu,
            who,
            what,
            place,
        }
    }

    /// One record.
    pub fn line(&self, record: &Record) -> Line {
        let (who, what) = describe(record.event);
        Line {
            time: record.time.to_string(),
            pcpu: self.pcpus.then(|| record.pcpu.to_string()),
            who: who.to_string(),
            what,
            place: self.symbols.place(record.rip).to_string(),
        }
    }

    /// The header and all `records`, each line with its line end.
    pub fn all<'r>(&self, records: impl IntoIterator<Item = &'r Record>) -> String {
        let lines = records.into_iter().map(|record| self.line(record));
        std::iter::once(self.header())
            .chain(lines)
            .map(|line| format!("{line}\n"))
            .collect()
    }
}

fn describe(event: Event) -> (&'static str, String) {
    match event {
        Event::Enter { budget } => ("enter", format!("at most {}", instructions(budget))),
        Event::Trap { trap, retired } => {
            let retired = instructions(retired);
            ("trap", format!("after {retired}: {trap}"))
        }
        Event::Exit(exit) => ("exit", exit.to_string()),
        Event::Inject(vector) => ("inject", format!("vector {vector}")),
        Event::Runs(name) => ("runs", name.to_string()),
        Event::Idle => ("idle", String::new()),
        Event::Device(access) => ("device", access.to_string()),
    }
}

fn instructions(count: u64) -> String {
    match count {
        1 => "1 instruction".to_string(),
        _ => format!("{} instructions", grouped(count)),
    }
}

/// One line of the trace, in columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When.
    pub time: String,
    /// On which physical CPU, if that is shown.
    pub pcpu: Option<String>,
    /// Who did it: `enter`, `trap`, `exit`, `inject` or `device`.
    pub who: String,
    /// What was done.
    pub what: String,
    /// Where the guest was.
    pub place: String,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Line {
            time,
            pcpu,
            who,
            what,
            place,
        } = self;
        write!(f, "{time:>12}  ")?;
        if let Some(pcpu) = pcpu {
            write!(f, "{pcpu:>3}  ")?;
        }
        write!(f, "{who:<6}  {what:<48}  {place}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::{Bus, COM1};
    use crate::scripted::{Scripted, Step};
    use crate::{Exit, Memory, Pcpu, Size, SystemInstruction, Time, Trap};

    fn symbols() -> Symbols {
        let names = [("start", 0x1000), ("print", 0x1100)];
        let names = names.map(|(name, address)| (name.to_string(), address));
        let everywhere = 0x1000..0x2000;
        Symbols::new(names, [everywhere])
    }

    /// A guest that prints one character and is then interrupted.
    fn run() -> Pcpu<Scripted> {
        let (port, size) = (COM1, Size::Byte);
        let instruction = SystemInstruction::Out { port, size };
        let trap = Trap::System {
            instruction,
            length: 1,
        };
        let steps = vec![
            Step::new(trap, 376).doing(|context| context.rip = 0x1104),
            Step::new(Trap::Budget, 623).doing(|context| context.rip = 0x1000),
        ];
        let mut pcpu = Pcpu::new(0, Scripted::new(Memory::new(4096).unwrap(), steps));
        pcpu.context().rip = 0x1000;
        let mut bus = Bus::new(Box::new(std::io::sink()));
        pcpu.enter(1000);
        let value = u32::from(b'H');
        let exit = Exit::PortOut { port, size, value };
        pcpu.recorder.record(pcpu.now, Event::Exit(exit));
        bus.write_port(&mut pcpu.recorder, pcpu.now, port, size, value);
        pcpu.context().rip += 1;
        pcpu.enter(623);
        pcpu.recorder.record(pcpu.now, Event::Exit(Exit::Deadline));
        pcpu
    }

    #[test]
    fn the_trace_of_a_run_reads_from_top_to_bottom() {
        let symbols = symbols();
        let shown = Text::new(&symbols).all(run().recorder.last());
        let expected =
            "        time  who     what                                              where
           0  enter   at most 1,000 instructions                        start
         377  trap    after 376 instructions: out 0x3f8, al             print+0x04
         377  exit    port-out: byte 0x48 to port 0x3f8                 print+0x04
         377  device  serial data <- 'H'                                print+0x04
         377  enter   at most 623 instructions                          print+0x05
       1,000  trap    after 623 instructions: budget used up            start
       1,000  exit    deadline: the time given is up                    start
";
        assert_eq!(shown, expected);
    }

    #[test]
    fn the_physical_cpu_is_shown_when_asked_for() {
        let record = Record {
            time: Time(7),
            pcpu: 3,
            rip: 0x9000,
            event: Event::Inject(32),
        };
        let symbols = symbols();
        let shown = Text::new(&symbols).with_pcpus().line(&record).to_string();
        let words: Vec<_> = shown.split_whitespace().collect();
        assert_eq!(words, ["7", "3", "inject", "vector", "32", "0x9000"]);
    }
}
