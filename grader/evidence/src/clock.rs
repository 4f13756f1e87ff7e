//! Finds code that gets nowhere, in every run at the same event.

use crate::GivenUp;
use common::Time;

/// Looks whether virtual time passes, and whether it passes too far: code that
/// gets nowhere is found here, and in every run at the same event. By the host's
/// time it would be found, too, but on a busy host sooner than on an idle one.
pub(crate) struct Clock {
    now: Time,
    /// How many events there were at this time.
    events: u64,
    /// When the last [`MANY`] events began, and how many there were since.
    since: Time,
    many: u64,
    /// Long after the limit: not even an entry too many comes here.
    end: Time,
}

/// Events at one time that are too many.
const TOO_MANY: u64 = 1_000;

/// Events that are too many if the guest has carried out [`FEW`] instructions.
const MANY: u64 = 1_000_000;

/// Three instructions in four events: a guest that gets anywhere makes many more.
const FEW: u64 = MANY / 4 * 3;

impl Clock {
    /// A clock for a run that is to end at `limit`.
    pub(crate) fn new(limit: Time) -> Clock {
        Clock {
            now: Time::ZERO,
            events: 0,
            since: Time::ZERO,
            many: 0,
            end: limit + limit.0 + 1_000_000,
        }
    }

    /// An event happened at `now`: whether that was one too many.
    pub(crate) fn look(&mut self, now: Time) -> Option<GivenUp> {
        if now != self.now {
            (self.now, self.events) = (now, 0);
        }
        self.events += 1;
        self.many += 1;
        if self.events == TOO_MANY {
            return Some(GivenUp::StandsStill);
        }
        if now > self.end {
            return Some(GivenUp::RunsOn);
        }
        if self.many == MANY {
            let passed = now.0.saturating_sub(self.since.0);
            (self.since, self.many) = (now, 0);
            return (passed < FEW).then_some(GivenUp::OnlyTraps);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the clock says of `events` of them at each time.
    fn seen(limit: Time, events: u64) -> Option<GivenUp> {
        let mut clock = Clock::new(limit);
        let times = (0..10_000_000).flat_map(|time| (0..events).map(move |_| Time(time)));
        times.into_iter().find_map(|time| clock.look(time))
    }

    #[test]
    fn time_that_stands_still_is_seen() {
        assert_eq!(seen(Time::NEVER, TOO_MANY), Some(GivenUp::StandsStill));
    }

    #[test]
    fn time_that_is_long_over_is_seen() {
        assert_eq!(seen(Time(1_000), 1), Some(GivenUp::RunsOn));
    }

    #[test]
    fn a_trap_at_each_instruction_without_end_is_seen() {
        assert_eq!(seen(Time::NEVER, 2), Some(GivenUp::OnlyTraps));
    }

    #[test]
    fn an_event_at_each_instruction_is_not_too_many() {
        assert_eq!(seen(Time::NEVER, 1), None);
    }
}
