//! Finds code that gets nowhere, in every run at the same event.

use crate::GivenUp;
use common::trace::{Event, Record};
use common::{Time, Trap};

/// Looks whether virtual time passes, whether it passes too far, and whether the guest
/// gets anywhere in it. Code that does not is found here in every run at the same
/// event. By the host's time it would be found, too, but on a busy host sooner than
/// on an idle one.
pub(crate) struct Clock {
    now: Time,
    /// How many events there were at this time.
    events: u64,
    /// How many traps there were since a time.
    traps: u64,
    since: Time,
    /// How many entries there were, one behind the other, in which there was no time
    /// for a single instruction.
    empty: u64,
    /// Long after the limit: not even an entry too many comes here.
    end: Time,
}

/// Events at one time that are too many.
const EVENTS: u64 = 1_000;

/// Traps that are too many if the guest has carried out fewer than [`FEW`]
/// instructions between them.
const TRAPS: u64 = 250_000;

/// Three instructions for two traps.
const FEW: u64 = TRAPS / 2 * 3;

/// Entries without time that are too many: nobody has looked at the deadline behind
/// them.
const EMPTY: u64 = 10_000;

impl Clock {
    /// A clock for a run that is to end at `limit`.
    pub(crate) fn new(limit: Time) -> Clock {
        Clock {
            now: Time::ZERO,
            events: 0,
            traps: 0,
            since: Time::ZERO,
            empty: 0,
            end: limit + limit.0 + 1_000_000,
        }
    }

    /// Something happened at `now`: whether that was one too many.
    pub(crate) fn look(&mut self, now: Time) -> Option<GivenUp> {
        if now != self.now {
            (self.now, self.events) = (now, 0);
        }
        self.events += 1;
        if self.events == EVENTS {
            Some(GivenUp::StandsStill)
        } else if now > self.end {
            Some(GivenUp::RunsOn)
        } else {
            None
        }
    }

    /// The machine reports this: whether that was one too many.
    pub(crate) fn look_at(&mut self, record: &Record) -> Option<GivenUp> {
        self.look(record.time).or_else(|| match record.event {
            Event::Trap {
                trap: Trap::Budget | Trap::Kicked,
                retired,
            } => self.no_trap(retired),
            Event::Trap { .. } => self.trap(record.time),
            _ => None,
        })
    }

    fn no_trap(&mut self, retired: u64) -> Option<GivenUp> {
        self.empty = match retired {
            0 => self.empty + 1,
            _ => 0,
        };
        (self.empty == EMPTY).then_some(GivenUp::RunsOn)
    }

    fn trap(&mut self, now: Time) -> Option<GivenUp> {
        self.empty = 0;
        self.traps += 1;
        if self.traps < TRAPS {
            return None;
        }
        let passed = now.0.saturating_sub(self.since.0);
        (self.since, self.traps) = (now, 0);
        (passed < FEW).then_some(GivenUp::OnlyTraps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a clock says of a guest that traps after so many instructions.
    fn trapping_every(instructions: u64, trap: Trap) -> Option<GivenUp> {
        let mut clock = Clock::new(Time::NEVER);
        let mut times = (0..3 * TRAPS).map(|number| number * instructions);
        times.find_map(|time| clock.look_at(&record(time, trap, 1)))
    }

    fn record(time: u64, trap: Trap, retired: u64) -> Record {
        Record {
            time: Time(time),
            pcpu: 0,
            rip: 0,
            event: Event::Trap { trap, retired },
        }
    }

    #[test]
    fn time_that_stands_still_is_seen() {
        let mut clock = Clock::new(Time::NEVER);
        let told: Vec<_> = (0..EVENTS).map(|_| clock.look(Time(7))).collect();
        assert_eq!(told.last(), Some(&Some(GivenUp::StandsStill)));
        assert_eq!(told.iter().flatten().count(), 1);
    }

    #[test]
    fn time_that_is_long_over_is_seen() {
        let mut clock = Clock::new(Time(1_000));
        assert_eq!(clock.look(Time(1_002_000)), None);
        assert_eq!(clock.look(Time(1_002_001)), Some(GivenUp::RunsOn));
    }

    #[test]
    fn a_trap_at_each_instruction_without_end_is_seen() {
        assert_eq!(trapping_every(1, Trap::SpinLoop), Some(GivenUp::OnlyTraps));
    }

    #[test]
    fn a_trap_at_every_second_instruction_is_not_too_many() {
        assert_eq!(trapping_every(2, Trap::SpinLoop), None);
    }

    #[test]
    fn entries_that_nobody_ends_though_there_is_no_time_are_seen() {
        let mut clock = Clock::new(Time::NEVER);
        let mut enter = |time, retired| clock.look_at(&record(time, Trap::Budget, retired));
        assert!((1..EMPTY).all(|time| enter(time, 0).is_none()));
        assert_eq!(enter(EMPTY, 1), None);
        let told = (1..=EMPTY).find_map(|time| enter(EMPTY + time, 0));
        assert_eq!(told, Some(GivenUp::RunsOn));
    }

    #[test]
    fn entries_that_only_end_are_no_traps_of_the_guest() {
        assert_eq!(trapping_every(1, Trap::Budget), None);
    }
}
