//! Where a VM's time went.

use crate::State;
use common::Time;

/// What became of every tick since a VM was started. The four together are the
/// time from then until now.
///
/// What is paid for is `run`. What a cloud's customers see in `top` as "steal"
/// is `waiting`: the VM could have run, and another one did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// It ran, in ticks.
    pub run: u64,
    /// It was ready, and another VM ran.
    pub waiting: u64,
    /// It slept, of its own will.
    pub halted: u64,
    /// Its owner had paused it.
    pub paused: u64,
    /// Until when all this is counted.
    until: Time,
}

impl Account {
    /// Begins to count at `now`.
    pub fn open(now: Time) -> Account {
        Account {
            until: now,
            ..Account::default()
        }
    }

    /// Counts the time up to `now`, during all of which the VM was in `state`.
    ///
    /// # Exercise v5-E5: account for every tick
    ///
    /// Call this whenever the state changes, with the state that *ends*. Each
    /// tick is counted once, and for one thing. A clock that is behind counts
    /// nothing (another physical CPU was ahead); before the start and after the
    /// end nothing is counted either.
    pub fn count(&mut self, state: State, now: Time) {
        // BEGIN SOLUTION
        let ticks = now.since(self.until);
        self.until = self.until.max(now);
        match state {
            State::Running => self.run += ticks,
            State::Ready => self.waiting += ticks,
            State::Asleep(_) => self.halted += ticks,
            State::Paused => self.paused += ticks,
            State::Created | State::Ended(_) => {}
        }
        // END SOLUTION
        // STUB: // TODO v5-E5: count the ticks since the last time
    }

    /// All that was counted.
    pub fn total(&self) -> u64 {
        self.run + self.waiting + self.halted + self.paused
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tick_is_counted_once_and_for_what_it_was() {
        let mut account = Account::open(Time(100));
        account.count(State::Ready, Time(110));
        account.count(State::Running, Time(130));
        account.count(State::Asleep(Time(500)), Time(170));
        account.count(State::Paused, Time(175));
        let Account {
            run,
            waiting,
            halted,
            paused,
            ..
        } = account;
        assert_eq!([run, waiting, halted, paused], [20, 10, 40, 5]);
        assert_eq!(account.total(), 75);
    }

    #[test]
    fn a_clock_that_is_behind_counts_nothing_and_nothing_twice() {
        let mut account = Account::open(Time(100));
        account.count(State::Running, Time(90));
        account.count(State::Running, Time(101));
        assert_eq!(account.run, 1);
    }
}
