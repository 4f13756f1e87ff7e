//! Counts what happens in a run, for a comparison of engines.
//!
//! Written down it would be many megabytes, and the writing would take longer
//! than what is measured. Entries, and traps that only end them, are left out:
//! they are the stepper's affair.

use common::trace::{Event, Record};
use common::{SystemInstruction, Trap};
use serde::{Deserialize, Serialize};
use std::mem::discriminant;
use std::time::Duration;

/// What happened in a run, in numbers. Each list is in the order in which its
/// kinds first appeared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Measured {
    /// How long it took by the host's clock.
    pub took: Duration,
    /// Exits to the monitor, by their kinds.
    pub exits: Vec<(String, u64)>,
    /// Traps to the version's virtual CPU: system instructions by their names,
    /// and what else there is. An engine that makes the virtual CPU itself has
    /// none.
    pub traps: Vec<(String, u64)>,
    /// Interrupts that were injected, by their vectors.
    pub injections: Vec<(u8, u64)>,
    /// Instructions that were carried out in software, as the hardware could not.
    pub emulated: u64,
}

/// Counts while a run goes on.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    exits: Vec<(&'static str, u64)>,
    /// The first trap of each kind, and how many there were.
    traps: Vec<(Trap, u64)>,
    injections: Vec<(u8, u64)>,
}

impl Tally {
    /// Counts one event, if it is one that counts.
    pub(crate) fn count(&mut self, record: &Record) {
        match record.event {
            Event::Exit(exit) => add(&mut self.exits, exit.kind(), |a, b| a == b),
            Event::Inject(vector) => add(&mut self.injections, vector, |a, b| a == b),
            Event::Trap { trap, .. } if !matches!(trap, Trap::Budget | Trap::Kicked) => {
                add(&mut self.traps, trap, is_of_a_kind);
            }
            _ => {}
        }
    }

    /// All of it. The rest is for who measures.
    pub(crate) fn measured(&self, took: Duration, emulated: u64) -> Measured {
        let exits = self.exits.iter();
        let traps = self.traps.iter();
        Measured {
            took,
            exits: exits
                .map(|(kind, count)| (kind.to_string(), *count))
                .collect(),
            traps: traps
                .map(|(trap, count)| (trap_kind(*trap), *count))
                .collect(),
            injections: self.injections.clone(),
            emulated,
        }
    }
}

fn add<T: Copy>(counts: &mut Vec<(T, u64)>, new: T, is_same: impl Fn(T, T) -> bool) {
    match counts.iter_mut().find(|(known, _)| is_same(*known, new)) {
        Some((_, count)) => *count += 1,
        None => counts.push((new, 1)),
    }
}

fn is_of_a_kind(one: Trap, other: Trap) -> bool {
    match (one, other) {
        (
            Trap::System {
                instruction: one, ..
            },
            Trap::System {
                instruction: other, ..
            },
        ) => discriminant(&one) == discriminant(&other),
        _ => discriminant(&one) == discriminant(&other),
    }
}

/// What the kind of a trap is called: the instruction without its operands.
pub fn trap_kind(trap: Trap) -> String {
    use SystemInstruction as I;
    let instruction = match trap {
        Trap::System { instruction, .. } => instruction,
        Trap::Fault(_) => return String::from("exception"),
        Trap::Mmio(_) => return String::from("mmio"),
        Trap::SpinLoop => return String::from("spin loop"),
        Trap::Budget | Trap::Kicked => return String::from("entry ended"),
    };
    let text = instruction.to_string();
    match instruction {
        I::ReadControl { .. } => String::from("mov from cr"),
        I::WriteControl { .. } => String::from("mov to cr"),
        I::ReadDebug { .. } => String::from("mov from dr"),
        I::WriteDebug { .. } => String::from("mov to dr"),
        I::LoadSegment { .. } => String::from("mov to segment"),
        I::StoreSegment { .. } => String::from("mov from segment"),
        I::Other => text,
        _ => {
            let mut words = text.split_whitespace().filter(|word| *word != "rep");
            words.next().unwrap_or_default().to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::{Exit, Fault, Size, Time};

    fn system(instruction: SystemInstruction) -> Trap {
        let length = 1;
        Trap::System {
            instruction,
            length,
        }
    }

    #[test]
    fn events_of_a_kind_are_counted_together_and_what_only_ends_an_entry_is_not() {
        let (size, port) = (Size::Byte, 0x3f8);
        let traps = [
            system(SystemInstruction::Sti),
            system(SystemInstruction::Out { port, size }),
            Trap::Budget,
            system(SystemInstruction::Out { port: 0xf4, size }),
            Trap::Fault(Fault::DivideError),
        ];
        let retired = 0;
        let traps = traps.map(|trap| Event::Trap { trap, retired });
        let others = [
            Event::Enter { budget: 5 },
            Event::Exit(Exit::Halted),
            Event::Inject(32),
            Event::Exit(Exit::Halted),
        ];
        let mut tally = Tally::default();
        for event in traps.into_iter().chain(others) {
            let (time, pcpu, rip) = (Time(1), 0, 0);
            tally.count(&Record {
                time,
                pcpu,
                rip,
                event,
            });
        }
        let measured = tally.measured(Duration::from_nanos(7), 3);
        let named = |list: &[(&str, u64)]| -> Vec<_> {
            let own = |(name, count): &(&str, u64)| (name.to_string(), *count);
            list.iter().map(own).collect()
        };
        let traps = named(&[("sti", 1), ("out", 2), ("exception", 1)]);
        assert_eq!(measured.traps, traps);
        assert_eq!(measured.exits, named(&[("halted", 2)]));
        assert_eq!(measured.injections, [(32, 1)]);
        assert_eq!((measured.took.as_nanos(), measured.emulated), (7, 3));
    }
}
