//! A guest that goes on in the wrong place.
//!
//! What comes of it is nonsense that begins later and tells nothing of the reason:
//! the guest executes a piece of an instruction, or one twice. So it is looked for
//! where it happens, between a trap and the next entry. It must never be the reason
//! why a check fails, only what is said of one that does.

use super::{Failure, Run};
use common::trace::{Event, Record};
use common::{Exit, SystemInstruction, Trap};

/// The bytes of the longest instruction (SDM vol. 2, 2.3.11). Who goes on farther
/// away has jumped, and did not count wrong.
const LONGEST: u64 = 15;

/// An entry that is not where the guest stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Misstep {
    /// The number of the entry's record.
    pub(super) at: usize,
    /// Why and where the guest had stopped.
    trap: Trap,
    stopped: u64,
    /// Where it had to go on, and where it does.
    wanted: u64,
    seen: u64,
}

/// A guest between a trap and the next entry.
struct Stopped {
    trap: Trap,
    rip: u64,
    /// Where it goes on if nothing else comes in between.
    wanted: u64,
    /// Whether an instruction was carried out for it, or none had to be.
    is_over: bool,
}

impl Stopped {
    /// `None` where the version decides, or the guest, where it goes on.
    fn by(trap: Trap, rip: u64) -> Option<Stopped> {
        use SystemInstruction::{In, Out};
        let (length, is_over) = match trap {
            Trap::Budget | Trap::Kicked => (0, true),
            Trap::System {
                instruction: In { .. } | Out { .. },
                length,
            } => (u64::from(length), false),
            _ => return None,
        };
        Some(Stopped {
            trap,
            rip,
            wanted: rip.wrapping_add(length),
            is_over,
        })
    }
}

impl Misstep {
    /// The first one of a run.
    pub(super) fn first(records: &[Record]) -> Option<Misstep> {
        let mut stopped: Option<Stopped> = None;
        for (at, record) in records.iter().enumerate() {
            match record.event {
                Event::Trap { trap, .. } => stopped = Stopped::by(trap, record.rip),
                Event::Exit(Exit::PortIn { .. } | Exit::PortOut { .. }) => {
                    if let Some(stopped) = &mut stopped {
                        stopped.is_over = true;
                    }
                }
                // Its handler comes first.
                Event::Inject(_) => stopped = None,
                Event::Enter { .. } => {
                    let left = stopped.take().filter(|stopped| stopped.is_over);
                    let misstep = left.and_then(|left| Misstep::between(left, at, record.rip));
                    if misstep.is_some() {
                        return misstep;
                    }
                }
                _ => {}
            }
        }
        None
    }

    fn between(stopped: Stopped, at: usize, seen: u64) -> Option<Misstep> {
        let Stopped {
            trap, rip, wanted, ..
        } = stopped;
        let is_one = seen != wanted && seen.abs_diff(wanted) <= LONGEST;
        is_one.then_some(Misstep {
            at,
            trap,
            stopped: rip,
            wanted,
            seen,
        })
    }

    /// What there is to say of it.
    pub(super) fn told(&self, run: &Run) -> Failure {
        let place = |rip| run.observation.image.symbols.place(rip).to_string();
        let [stopped, wanted, seen] = [self.stopped, self.wanted, self.seen].map(place);
        let (seen, thought) = match self.trap {
            Trap::System { .. } => (
                format!(
                    "after `{}` at {stopped} it goes on at {seen}, and that instruction ends at \
                     {wanted}",
                    self.trap
                ),
                "an instruction that you carry out for the guest is over once. Who moves RIP \
                 behind it, how far, and how often?",
            ),
            _ => (
                format!("stopped before its instruction at {stopped}, it goes on at {seen}"),
                "the guest was stopped between two instructions, with all its registers in \
                 place. Who moved RIP?",
            ),
        };
        let expected = format!("the guest goes on at {wanted}");
        run.failure(expected, seen, Some(self.at)).thought(thought)
    }

    /// The exercise of version 1 that carries out what went before.
    pub(super) fn exercise(&self) -> &'static str {
        match self.trap {
            Trap::System { .. } => "v1-E4",
            _ => "v1-E3",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::{Size, Time};

    const BYTE: Size = Size::Byte;

    fn enter() -> Event {
        Event::Enter { budget: 9 }
    }

    fn trap(trap: Trap) -> Event {
        Event::Trap { trap, retired: 1 }
    }

    /// `out 0x80, al`, of two bytes.
    fn out() -> Event {
        let instruction = SystemInstruction::Out {
            port: 0x80,
            size: BYTE,
        };
        trap(Trap::System {
            instruction,
            length: 2,
        })
    }

    fn written() -> Event {
        Event::Exit(Exit::PortOut {
            port: 0x80,
            size: BYTE,
            value: 7,
        })
    }

    /// Where the first misstep leads, and where it should.
    fn seen(events: &[(u64, Event)]) -> Option<(u64, u64)> {
        let record = |(rip, event): &(u64, Event)| Record {
            time: Time(0),
            pcpu: 0,
            rip: *rip,
            event: *event,
        };
        let records: Vec<_> = events.iter().map(record).collect();
        Misstep::first(&records).map(|misstep| (misstep.seen, misstep.wanted))
    }

    #[test]
    fn an_entry_behind_or_before_the_end_of_an_instruction_is_a_misstep() {
        let after = |rip| seen(&[(0x10, out()), (rip, written()), (rip, enter())]);
        assert_eq!(after(0x13), Some((0x13, 0x12)));
        assert_eq!(after(0x10), Some((0x10, 0x12)));
        assert_eq!(after(0x12), None);
    }

    #[test]
    fn a_guest_that_was_only_stopped_goes_on_in_the_same_place() {
        let after = |rip| seen(&[(0x10, trap(Trap::Budget)), (rip, enter())]);
        assert_eq!(after(0x11), Some((0x11, 0x10)));
        assert_eq!(after(0x10), None);
    }

    #[test]
    fn a_handler_and_an_instruction_that_was_not_carried_out_are_no_missteps() {
        let interrupted = [
            (0x10, out()),
            (0x12, written()),
            (0x12, Event::Inject(32)),
            (0x18, enter()),
        ];
        assert_eq!(seen(&interrupted), None);
        assert_eq!(seen(&[(0x10, out()), (0x18, enter())]), None);
        assert_eq!(seen(&[(0x10, trap(Trap::Budget)), (0x900, enter())]), None);
    }
}
