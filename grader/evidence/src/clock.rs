//! Finds code that gets nowhere, in every run at the same event.

use crate::GivenUp;
use common::Time;

/// Looks whether virtual time passes, and whether it passes too far: code that
/// gets nowhere is found here, and in every run at the same event.
pub(crate) struct Clock {
    now: Time,
    /// How many events there were at this time.
    events: u64,
    /// Long after the limit: not even an entry too many comes here.
    end: Time,
}

impl Clock {
    /// A clock for a run that is to end at `limit`.
    pub(crate) fn new(limit: Time) -> Clock {
        Clock {
            now: Time::ZERO,
            events: 0,
            end: limit + limit.0 + 1_000_000,
        }
    }

    /// An event happened at `now`: whether that was one too many.
    pub(crate) fn look(&mut self, now: Time) -> Option<GivenUp> {
        const TOO_MANY: u64 = 1_000;
        if now != self.now {
            (self.now, self.events) = (now, 0);
        }
        self.events += 1;
        if self.events == TOO_MANY {
            Some(GivenUp::StandsStill)
        } else if now > self.end {
            Some(GivenUp::RunsOn)
        } else {
            None
        }
    }
}
