//! Whose turn it is on the physical CPU.

use crate::lifecycle::Entry;
use crate::{LifecycleError, Runqueue, State, Stop, Switch};
use common::drive::{Progress, Schedule};
use common::{Ending, Pcpu, Time};
use std::fmt;

/// The number of a VM in the scheduler's table, from 0 in the order of creation.
/// Numbers are not used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub u32);

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The scheduler of one physical CPU.
///
/// Invariant: between two calls every VM that is [`Ready`](State::Ready) or
/// [`Asleep`](State::Asleep) stands in the queue, once, and no other does; no VM
/// is [`Running`](State::Running), and every context is saved.
pub struct Scheduler<V: Switch> {
    /// By number. To look somebody up must not take longer when there are many.
    table: Vec<Option<Box<Entry<V>>>>,
    queue: Runqueue<Id>,
    slice: u64,
    /// How many of the table's VMs have not ended.
    alive: usize,
}

impl<V: Switch> Scheduler<V> {
    /// How long a turn is unless somebody says otherwise, in ticks.
    pub const SLICE: u64 = 10_000;

    /// A scheduler without VMs, whose turns last `slice` ticks at most (at least
    /// one).
    pub fn new(slice: u64) -> Scheduler<V> {
        Scheduler {
            table: Vec::new(),
            queue: Runqueue::new(),
            slice: slice.max(1),
            alive: 0,
        }
    }

    /// One turn.
    ///
    /// # Exercise v5-E3: everybody in turn (second half)
    ///
    /// Take the first of the queue and load it. It may run for a slice
    /// ([`run_slice`](Scheduler::run_slice) lets it). Store it again, charge its
    /// share for the ticks that it ran, and let
    /// [`settle`](Scheduler::settle) put it where its [`Stop`] says. Mind the
    /// accounts: it is [`State::Running`] from when it is loaded. Charge by
    /// `pcpu.now` before and after; what ran before is not this VM's.
    ///
    /// If nobody is ready: [`idle`](Scheduler::idle) knows what that means.
    pub fn schedule_once(&mut self, pcpu: &mut Pcpu<V::Cpu>) -> Progress {
        self.wake_due(pcpu.now);
        // BEGIN SOLUTION
        let Some((id, _)) = self.queue.take() else {
            return self.idle();
        };
        self.entry_of(id).vm.load(pcpu);
        let begin = pcpu.now;
        self.enter_state(id, State::Running, begin);
        let stop = self.run_slice(id, pcpu);
        let entry = self.entry_of(id);
        entry.vm.store(pcpu);
        entry.share.charge(pcpu.now.since(begin));
        self.settle(id, stop, pcpu.now);
        Progress::Ran
        // END SOLUTION
        // STUB: todo!("v5-E3: let the first of the queue run for a slice")
    }

    /// Lets a VM that is on `pcpu` run until its slice is over. At each sleeper's
    /// time it is stopped for a moment: if who wakes has had less, it is their
    /// turn now.
    fn run_slice(&mut self, id: Id, pcpu: &mut Pcpu<V::Cpu>) -> Stop {
        let end = pcpu.now + self.slice;
        loop {
            let until = end.min(self.queue.next_due());
            let entry = self.entry_of(id);
            let pass = entry.share.pass;
            let stop = entry.vm.turn(pcpu, until);
            if stop != Stop::TimeUp || pcpu.now >= end {
                return stop;
            }
            self.wake_due(pcpu.now);
            if self.queue.least().is_some_and(|least| least < pass) {
                return stop;
            }
        }
    }

    /// The turn of `id` ended with `stop` at `now`.
    ///
    /// # Exercise v5-E4: who halts leaves the queue (last third)
    ///
    /// Who sleeps goes to the sleepers of the queue, until they are due; who has
    /// ended goes nowhere; who only had to stop goes back.
    fn settle(&mut self, id: Id, stop: Stop, now: Time) {
        self.enter_state(id, stop.state(), now);
        let share = self.entry_of(id).share;
        match stop {
            Stop::TimeUp | Stop::Kicked | Stop::Yielded => self.queue.put_back(id, share),
            // BEGIN SOLUTION
            Stop::Asleep { wake } => self.queue.sleep(id, wake),
            // END SOLUTION
            // STUB: Stop::Asleep { .. } => todo!("v5-E4: it sleeps"),
            Stop::Ended(_) => self.alive -= 1,
        }
    }

    /// Nobody is ready: the physical CPU sleeps until the next sleeper is due. If
    /// nobody is alive, all is done.
    fn idle(&self) -> Progress {
        match self.alive {
            0 => Progress::Done,
            _ => Progress::Idle {
                wake: self.queue.next_due(),
            },
        }
    }

    /// Makes all sleepers ready who are due.
    fn wake_due(&mut self, now: Time) {
        while let Some(id) = self.queue.take_due(now) {
            self.make_ready(id, now);
        }
    }

    /// Puts a VM that was away into the queue.
    pub(crate) fn make_ready(&mut self, id: Id, now: Time) {
        self.enter_state(id, State::Ready, now);
        let share = self.entry_of(id).share;
        let joined = self.queue.join(id, share, share.cost(self.slice));
        self.entry_of(id).share = joined;
    }

    /// Takes a VM out of the queue, if it is there.
    pub(crate) fn leave_queue(&mut self, id: Id) {
        let Entry { state, share, .. } = *self.entry_of(id);
        match state {
            State::Asleep(due) => self.queue.remove_sleeper(id, due),
            _ => self.queue.remove(id, share),
        };
    }

    /// A VM is in another state from `now` on.
    pub(crate) fn enter_state(&mut self, id: Id, state: State, now: Time) {
        let entry = self.entry_of(id);
        entry.account.count(entry.state, now);
        entry.state = state;
    }

    /// A VM that is in no queue has ended.
    pub(crate) fn end(&mut self, id: Id, ending: Ending, now: Time) {
        self.settle(id, Stop::Ended(ending), now);
    }

    pub(crate) fn insert(&mut self, entry: Entry<V>) -> Id {
        let id = Id(self.table.len() as u32);
        self.alive += 1;
        self.table.push(Some(Box::new(entry)));
        id
    }

    pub(crate) fn remove(&mut self, id: Id) -> Result<Entry<V>, LifecycleError> {
        let row = self.table.get_mut(id.0 as usize).and_then(Option::take);
        row.map(|entry| *entry).ok_or(LifecycleError::NoSuchVm(id))
    }

    pub(crate) fn look(&self, id: Id) -> Result<&Entry<V>, LifecycleError> {
        let row = self.table.get(id.0 as usize).and_then(Option::as_deref);
        row.ok_or(LifecycleError::NoSuchVm(id))
    }

    pub(crate) fn entry(&mut self, id: Id) -> Result<&mut Entry<V>, LifecycleError> {
        let row = self.table.get_mut(id.0 as usize);
        row.and_then(Option::as_deref_mut)
            .ok_or(LifecycleError::NoSuchVm(id))
    }

    /// # Panics
    /// If the queue names a VM that the table does not have.
    fn entry_of(&mut self, id: Id) -> &mut Entry<V> {
        self.entry(id).expect("who is in the queue is in the table")
    }
}

impl<V: Switch> Schedule<V::Cpu> for Scheduler<V> {
    fn schedule_once(&mut self, pcpu: &mut Pcpu<V::Cpu>) -> Progress {
        Scheduler::schedule_once(self, pcpu)
    }
}

#[cfg(test)]
mod tests;
