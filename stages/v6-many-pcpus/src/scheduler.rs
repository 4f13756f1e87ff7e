//! One turn on one of the physical CPUs.

use crate::queue::{Current, Local, Slot, Ticket};
use crate::table::{Entry, Table, Wish};
use crate::{Peers, Runnable};
use common::drive::{Progress, Schedule};
use common::sync::MutexGuard;
use common::{Ending, Kick, Pcpu, Time};
use std::sync::Arc;
use v5::{Id, State, Stop};

/// The scheduler of all physical CPUs, which they share.
///
/// Invariant: a VM whose place says [`Ready`](State::Ready) or
/// [`Asleep`](State::Asleep) stands in the queue of that physical CPU, once, or
/// somebody has just taken it out and is about to ask the place. No VM that is
/// in another state is in any queue. A VM that is [`Running`](State::Running) is
/// the `current` of exactly one physical CPU; the context of every other one is
/// saved.
pub struct Scheduler<R> {
    pub(crate) slots: Vec<Slot>,
    pub(crate) table: Table<R>,
    pub(crate) slice: u64,
}

impl<R: Runnable> Scheduler<R> {
    /// How long a turn is unless somebody says otherwise, in ticks.
    pub const SLICE: u64 = 10_000;

    /// A scheduler without VMs for the physical CPUs that these kicks reach, in
    /// the order of their numbers; a turn lasts `slice` ticks at most.
    ///
    /// # Panics
    /// If there is no physical CPU, or there are more than 64.
    pub fn new(kicks: impl IntoIterator<Item = Kick>, slice: u64) -> Scheduler<R> {
        let slots: Vec<_> = kicks.into_iter().map(Slot::new).collect();
        let most = crate::Affinity::CAPACITY;
        assert!(
            (1..=most).contains(&slots.len()),
            "{} physical cpus: must be from 1 to {most}",
            slots.len()
        );
        Scheduler {
            slots,
            table: Table::new(),
            slice: slice.max(1),
        }
    }

    /// How many physical CPUs there are, plugged in or not.
    pub fn pcpus(&self) -> usize {
        self.slots.len()
    }

    /// One turn on `pcpu`, or a part of one.
    ///
    /// # Exercise v6-E1: a turn with a queue that others use too (first third)
    ///
    /// Go on with the one who runs here, if it may ([`keep_on`](Scheduler::keep_on)),
    /// or else with the next of the queue ([`pick`](Scheduler::pick)), or else
    /// with one from a busier physical CPU ([`balance`](Scheduler::balance)
    /// fetches it if there is one; then pick again), or else there is nothing to
    /// do ([`idle`](Scheduler::idle)). Each of the two gives who, and until when:
    /// lock its body, let it have its [`turn`](Runnable::turn), and see what
    /// comes [`after`](Scheduler::after).
    pub fn schedule_once(&self, pcpu: &mut Pcpu<R::Cpu>) -> Progress {
        self.wake_due(pcpu);
        // BEGIN SOLUTION
        let next = self.keep_on(pcpu).or_else(|| self.pick(pcpu)).or_else(|| {
            self.balance(pcpu.id);
            self.pick(pcpu)
        });
        let Some((entry, until)) = next else {
            return self.idle(pcpu.id);
        };
        let stop = entry.body.lock().turn(pcpu, until, self);
        self.after(pcpu, &entry, stop);
        Progress::Ran
        // END SOLUTION
        // STUB: todo!("v6-E1: go on, or pick the next, and let it run")
    }

    /// Who runs on `pcpu` already, if it may go on, and until when. If its slice
    /// is over, somebody else should run, or its owner or the physical CPU's
    /// wants it gone, it is put away.
    fn keep_on(&self, pcpu: &mut Pcpu<R::Cpu>) -> Option<(Arc<Entry<R>>, Time)> {
        let local = self.slots[pcpu.id].local();
        let current = local.current?;
        let may = local.online && pcpu.now < current.end && !local.is_overtaken();
        let until = current.end.min(local.next_due());
        drop(local);
        let entry = self.table.get(current.id).ok()?;
        let mut place = entry.place();
        if may && place.wish.is_none() {
            place.woken = false;
            drop(place);
            return Some((entry, until));
        }
        drop(place);
        self.put_away(pcpu, &entry, Stop::TimeUp);
        self.balance_sometimes(pcpu.id, pcpu.now);
        None
    }

    /// Takes the first of the queue, and loads it.
    ///
    /// # Exercise v6-E1: a turn with a queue that others use too (second third)
    ///
    /// A name in the queue is only a hint. Take it out under the queue's lock,
    /// open that lock, and then ask the place of the entry: is it still
    /// [`State::Ready`], on *this* physical CPU? If not, somebody was faster: on
    /// to the next name. If so, it is [`State::Running`] from now on, and whatever
    /// came for it so far it will see in this turn: `woken` is no more;
    /// [`begin`](Scheduler::begin) does the rest.
    fn pick(&self, pcpu: &mut Pcpu<R::Cpu>) -> Option<(Arc<Entry<R>>, Time)> {
        // BEGIN SOLUTION
        loop {
            let (ticket, overtaken_below) = self.next_name(pcpu.id)?;
            let Ok(entry) = self.table.get(ticket.id) else {
                continue;
            };
            let mut place = entry.place();
            if place.state == State::Ready && place.pcpu == pcpu.id {
                place.woken = false;
                place.enter(State::Running, pcpu.now);
                drop(place);
                let until = self.begin(pcpu, &entry, overtaken_below);
                return Some((entry, until));
            }
        }
        // END SOLUTION
        // STUB: todo!("v6-E1: take the first of the queue")
    }

    /// Takes the first name out of a queue (see [`Local::take`]). A physical CPU that is not plugged in
    /// has none, and one whose queue is empty idles from this moment.
    fn next_name(&self, pcpu: usize) -> Option<(Ticket, u64)> {
        let mut local = self.slots[pcpu].local();
        let first = local.take();
        local.idle = first.is_none();
        first
    }

    /// Loads a VM, and begins its slice. Gives the time until which it may run.
    /// Who has had less than `overtaken_below` may overtake it.
    fn begin(&self, pcpu: &mut Pcpu<R::Cpu>, entry: &Entry<R>, overtaken_below: u64) -> Time {
        entry.body.lock().load(pcpu);
        let weight = entry.place().share.weight;
        let mut local = self.slots[pcpu.id].local();
        let end = pcpu.now + self.slice;
        local.current = Some(Current {
            id: entry.id,
            weight,
            overtaken_below,
            begin: pcpu.now,
            end,
        });
        end.min(local.next_due())
    }

    /// What comes after a turn.
    ///
    /// # Exercise v6-E1: a turn with a queue that others use too (last third)
    ///
    /// A kick only means that something may have changed: the VM stays where it
    /// is, and `keep_on` will look. So it does when its time is up: that may be
    /// because a sleeper is due, and if the slice is over, `keep_on` sees that,
    /// too, and balances. All else puts the VM away.
    fn after(&self, pcpu: &mut Pcpu<R::Cpu>, entry: &Entry<R>, stop: Stop) {
        // BEGIN SOLUTION
        match stop {
            Stop::Kicked | Stop::TimeUp => {}
            Stop::Yielded | Stop::Asleep { .. } | Stop::Ended(_) => {
                self.put_away(pcpu, entry, stop);
            }
        }
        // END SOLUTION
        // STUB: todo!("v6-E1: what now?")
    }

    /// Takes the VM that runs on `pcpu` off it, and puts it where its stop says.
    ///
    /// # Exercise v6-E3: a wake is never lost (second half)
    ///
    /// The VM says that it sleeps. But between its last look and this moment
    /// somebody may have sent it something, and have found it
    /// [`State::Running`]: then `woken` is set in its place. Look at it under
    /// the lock of the place, and let nobody in between the look and the new
    /// state. Who was woken is ready, not asleep.
    fn put_away(&self, pcpu: &mut Pcpu<R::Cpu>, entry: &Entry<R>, stop: Stop) {
        entry.body.lock().store(pcpu);
        let (id, now) = (pcpu.id, pcpu.now);
        let ran = self.slots[id].local().current.take();
        let mut place = entry.place();
        if let Some(current) = ran {
            place.share.charge(now.since(current.begin));
        }
        match (place.wish.take(), stop) {
            (_, Stop::Ended(ending)) => self.end(&mut place, ending, now),
            (Some(Wish::ShutDown), _) => self.end(&mut place, Ending::Stopped, now),
            (Some(Wish::Pause), _) => place.enter(State::Paused, now),
            // BEGIN SOLUTION
            (None, Stop::Asleep { wake }) if !place.woken => {
                place.enter(State::Asleep(wake), now);
                self.lay_down(entry.id, &mut place, wake);
            }
            // END SOLUTION
            // STUB: (None, Stop::Asleep { .. }) => todo!("v6-E3: it sleeps, or does it?"),
            (None, stop) => {
                place.enter(State::Ready, now);
                self.put_back(entry.id, &mut place, stop);
            }
        }
    }

    /// Puts a VM that ran back into the queue of its physical CPU, or of another
    /// if that is no longer plugged in.
    fn put_back(&self, id: Id, place: &mut crate::table::Place, stop: Stop) {
        let mut local = self.slots[place.pcpu].local();
        if !local.online {
            drop(local);
            return self.enqueue(id, place);
        }
        if stop == Stop::Yielded {
            // Behind the first of those who wait, or it would be taken again.
            let behind = local.least().map_or(0, |least| least + 1);
            place.share.pass = place.share.pass.max(behind);
        }
        let affinity = place.affinity;
        local.put_back(Ticket { id, affinity }, place.share);
        let is_crowded = local.is_crowded();
        drop(local);
        if is_crowded {
            self.call_one_that_idles(place);
        }
    }

    /// A VM has ended. With the last one all is done, and every physical CPU
    /// must hear of it.
    pub(crate) fn end(&self, place: &mut crate::table::Place, ending: Ending, now: Time) {
        place.enter(State::Ended(ending), now);
        if self.table.one_less() == 0 {
            self.slots.iter().for_each(|slot| slot.kick.kick());
        }
    }

    /// There is nobody to run on this physical CPU.
    fn idle(&self, pcpu: usize) -> Progress {
        if self.table.alive() == 0 {
            return Progress::Done;
        }
        let local = self.slots[pcpu].local();
        match local.waiting() {
            0 => Progress::Idle {
                wake: local.next_due(),
            },
            // Somebody came while we looked elsewhere.
            _ => Progress::Ran,
        }
    }

    /// Two queues, locked in the order of their numbers: first the one of `a`.
    ///
    /// # Panics
    /// If they are the same.
    pub(crate) fn both(
        &self,
        a: usize,
        b: usize,
    ) -> (MutexGuard<'_, Local>, MutexGuard<'_, Local>) {
        assert_ne!(a, b, "a queue cannot be locked twice");
        // BEGIN SOLUTION
        if a < b {
            let first = self.slots[a].local();
            (first, self.slots[b].local())
        } else {
            let first = self.slots[b].local();
            (self.slots[a].local(), first)
        }
        // END SOLUTION
        // STUB: todo!("v6-E4: lock two queues in the order of their numbers")
    }
}

impl<R: Runnable> Schedule<R::Cpu> for &Scheduler<R> {
    fn schedule_once(&mut self, pcpu: &mut Pcpu<R::Cpu>) -> Progress {
        Scheduler::schedule_once(self, pcpu)
    }
}

impl<R: Runnable> Peers for Scheduler<R> {
    fn wake(&self, id: Id, now: Time) {
        Scheduler::wake(self, id, now);
    }

    fn promote(&self, id: Id, except: Option<usize>) -> bool {
        Scheduler::promote(self, id, except)
    }
}

#[cfg(test)]
mod tests;
