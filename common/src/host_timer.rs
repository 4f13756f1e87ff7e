//! The host's own timer, as the monitor sees it.
//!
//! A host CPU that runs a guest must not be lost to it: the host's timer
//! interrupts, and the interrupt is a VM exit. The guest did nothing, gets
//! nothing, and must lose nothing. Here the host's timer ticks in virtual time,
//! so that it interrupts the guest at the same instructions in every run.

use crate::Time;

/// A periodic timer of the host, and the time at which the host has had enough.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostTimer {
    period: u64,
    limit: Time,
    next: Time,
    ticks: u64,
}

/// What a tick of the host's timer means for the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tick {
    /// The guest may go on.
    Again,
    /// The guest has used up its time.
    LimitReached,
}

impl HostTimer {
    /// A timer that ticks every `period` until `limit`. A period of 0 counts as
    /// 1, since time has to pass between two ticks.
    pub fn new(period: u64, limit: Time) -> HostTimer {
        let period = period.max(1);
        HostTimer {
            period,
            limit,
            next: Time::ZERO + period,
            ticks: 0,
        }
    }

    /// A timer that never rings: for a VM whose time somebody else keeps.
    pub fn never() -> HostTimer {
        HostTimer::new(u64::MAX, Time::NEVER)
    }

    /// When it must next be looked at: at the next tick or the limit, whichever
    /// is earlier.
    pub fn deadline(&self) -> Time {
        self.next.min(self.limit)
    }

    /// Counts the ticks up to `now`, and says whether the guest may go on.
    ///
    /// Ticks that came while nobody looked are counted too, once each, and the
    /// ones after them come when they would have come anyway.
    pub fn tick(&mut self, now: Time) -> Tick {
        let reached = now.min(self.limit);
        if self.next <= reached {
            let due = reached.since(self.next) / self.period + 1;
            self.ticks += due;
            self.next += due.saturating_mul(self.period);
        }
        if now < self.limit {
            Tick::Again
        } else {
            Tick::LimitReached
        }
    }

    /// How many ticks there were.
    pub fn ticks(&self) -> u64 {
        self.ticks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_come_at_multiples_of_the_period() {
        let mut timer = HostTimer::new(100, Time(1000));
        assert_eq!(timer.deadline(), Time(100));
        assert_eq!(timer.tick(Time(100)), Tick::Again);
        assert_eq!((timer.ticks(), timer.deadline()), (1, Time(200)));
    }

    #[test]
    fn a_tick_before_its_time_is_none() {
        let mut timer = HostTimer::new(100, Time(1000));
        assert_eq!(timer.tick(Time(99)), Tick::Again);
        assert_eq!((timer.ticks(), timer.deadline()), (0, Time(100)));
    }

    #[test]
    fn missed_ticks_are_counted_once_each_and_cause_no_drift() {
        let mut timer = HostTimer::new(100, Time(1000));
        timer.tick(Time(350));
        assert_eq!((timer.ticks(), timer.deadline()), (3, Time(400)));
    }

    #[test]
    fn the_limit_is_a_deadline_even_between_two_ticks() {
        let mut timer = HostTimer::new(100, Time(250));
        timer.tick(Time(200));
        assert_eq!(timer.deadline(), Time(250));
        assert_eq!(timer.tick(Time(250)), Tick::LimitReached);
        assert_eq!(timer.ticks(), 2);
    }

    #[test]
    fn no_tick_is_counted_after_the_limit() {
        let mut timer = HostTimer::new(100, Time(250));
        assert_eq!(timer.tick(Time(5000)), Tick::LimitReached);
        assert_eq!(timer.ticks(), 2);
    }

    #[test]
    fn a_period_of_zero_still_lets_time_pass() {
        let mut timer = HostTimer::new(0, Time(10));
        assert_eq!(timer.tick(Time(3)), Tick::Again);
        assert_eq!((timer.ticks(), timer.deadline()), (3, Time(4)));
    }
}
