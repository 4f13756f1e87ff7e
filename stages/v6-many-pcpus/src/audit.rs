//! Looks whether the scheduler's invariant holds. Given: nothing to do here.

use crate::{Runnable, Scheduler};
use std::collections::BTreeMap;
use v5::{Id, State};

impl<R: Runnable> Scheduler<R> {
    /// Looks whether everybody is where they say, once, and nobody is lost. Only
    /// when no thread is inside the scheduler: between two steps of the stepper,
    /// or at the end.
    ///
    /// # Errors
    /// The first thing that is wrong, in words.
    pub fn audit(&self) -> Result<(), String> {
        let mut found = self.standing();
        for entry in self.table.all() {
            let place = entry.place();
            let (id, here) = (entry.id, place.pcpu);
            let expected = match place.state {
                State::Ready => vec![Stand::Ready(here)],
                State::Running => vec![Stand::Running(here)],
                State::Asleep(common::Time::NEVER) => vec![],
                State::Asleep(_) => vec![Stand::Asleep(here)],
                State::Created | State::Paused | State::Ended(_) => vec![],
            };
            let seen = found.remove(&id).unwrap_or_default();
            if seen != expected {
                return Err(format!(
                    "{id} is {} on pcpu {here}, so it should be {expected:?}, and is {seen:?}",
                    place.state.name()
                ));
            }
        }
        match found.into_iter().next() {
            Some((id, seen)) => Err(format!("{id} does not exist, and is {seen:?}")),
            None => Ok(()),
        }
    }

    /// Where the queues say that everybody is.
    fn standing(&self) -> BTreeMap<Id, Vec<Stand>> {
        let mut found: BTreeMap<Id, Vec<Stand>> = BTreeMap::new();
        for (pcpu, slot) in self.slots.iter().enumerate() {
            let local = slot.local();
            for (ticket, _) in local.ready() {
                found.entry(ticket.id).or_default().push(Stand::Ready(pcpu));
            }
            for (ticket, _) in local.sleepers() {
                let stand = Stand::Asleep(pcpu);
                found.entry(ticket.id).or_default().push(stand);
            }
            if let Some(current) = local.current {
                let stand = Stand::Running(pcpu);
                found.entry(current.id).or_default().push(stand);
            }
        }
        found
    }
}

/// One place where somebody is, on the physical CPU of this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
    Ready(usize),
    Asleep(usize),
    Running(usize),
}
