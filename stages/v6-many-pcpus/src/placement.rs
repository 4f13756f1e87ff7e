//! On which physical CPU somebody waits, and who must hear of it.

use crate::queue::{Local, Ticket};
use crate::table::Place;
use crate::{Runnable, Scheduler};
use common::sync::MutexGuard;
use common::{Pcpu, Time};
use v5::{Id, Share, State};

impl<R: Runnable> Scheduler<R> {
    /// Something has come for `id` at `now`.
    ///
    /// # Exercise v6-E3: a wake is never lost (first half)
    ///
    /// All under the lock of its place. One that sleeps leaves the sleepers of
    /// its queue and is ready ([`make_ready`](Scheduler::make_ready)). One that
    /// runs may be about to fall asleep: note in `woken` that it must look
    /// again, and kick its physical CPU. One that is ready will look anyway when
    /// its turn comes; and so will one that is paused, when it is resumed.
    pub fn wake(&self, id: Id, now: Time) {
        let Ok(entry) = self.table.get(id) else {
            return;
        };
        // BEGIN SOLUTION
        let mut place = entry.place();
        match place.state {
            State::Asleep(_) => self.make_ready(id, &mut place, now),
            State::Running => {
                place.woken = true;
                self.slots[place.pcpu].kick.kick();
            }
            State::Created | State::Ready | State::Paused | State::Ended(_) => {}
        }
        // END SOLUTION
        // STUB: todo!("v6-E3: wake it, whatever it is doing")
    }

    /// Wakes the sleepers of `pcpu` that are due.
    pub(crate) fn wake_due(&self, pcpu: &Pcpu<R::Cpu>) {
        loop {
            let due = self.slots[pcpu.id].local().take_due(pcpu.now);
            let Some(ticket) = due else {
                return;
            };
            let Ok(entry) = self.table.get(ticket.id) else {
                continue;
            };
            let mut place = entry.place();
            if let State::Asleep(_) = place.state {
                self.make_ready(ticket.id, &mut place, pcpu.now);
            }
        }
    }

    /// Who slept, or was paused, or is new, waits for its turn from `now` on.
    pub(crate) fn make_ready(&self, id: Id, place: &mut Place, now: Time) {
        if let State::Asleep(due) = place.state {
            let mut local = self.slots[place.pcpu].local();
            local.remove_sleeper(Ticket::of(id, place), due);
        }
        place.enter(State::Ready, now);
        self.enqueue(id, place);
    }

    /// Puts somebody who is ready into a queue.
    ///
    /// # Exercise v6-E2: put a VM where it can run, and let that CPU know
    /// (second half)
    ///
    /// [`open_queue`](Scheduler::open_queue) gives the queue, locked, and turns
    /// the share into one of that queue. Note in the place which it is, and let
    /// the VM [`join`](Local::join). The credit is what a slice costs it.
    ///
    /// Who must hear of it? A physical CPU that idles would sleep on, and one
    /// that runs somebody who has had more would run on: kick it. Do so after
    /// the VM is in the queue, or it looks, finds nothing, and sleeps again.
    pub(crate) fn enqueue(&self, id: Id, place: &mut Place) {
        // BEGIN SOLUTION
        let mut local = self.open_queue(place);
        let credit = place.share.cost(self.slice);
        place.share = local.join(Ticket::of(id, place), place.share, credit);
        let must_hear = local.idle || local.is_overtaken();
        drop(local);
        if must_hear {
            self.slots[place.pcpu].kick.kick();
        }
        // END SOLUTION
        // STUB: todo!("v6-E2: put it into a queue")
    }

    /// `place` is on a queue that is crowded. One that idles would sleep on, and
    /// never see it: it is to come and fetch somebody, if it may run this one.
    pub(crate) fn call_one_that_idles(&self, place: &Place) {
        let slots = self.slots.iter().enumerate();
        let mut allowed = slots.filter(|(id, _)| place.affinity.allows(*id));
        let found = allowed.find(|(_, slot)| {
            let local = slot.local();
            local.online && local.is_free()
        });
        if let Some((_, slot)) = found {
            slot.kick.kick();
        }
    }

    /// Lets somebody sleep, on the queue of a physical CPU that is plugged in.
    pub(crate) fn lay_down(&self, id: Id, place: &mut Place, wake: Time) {
        let here = place.pcpu;
        let mut local = self.open_queue_at(place, here);
        local.sleep(Ticket::of(id, place), wake);
        drop(local);
        if place.pcpu != here {
            self.slots[place.pcpu].kick.kick();
        }
    }

    /// The queue on which somebody should wait, locked and plugged in.
    fn open_queue(&self, place: &mut Place) -> MutexGuard<'_, Local> {
        let pcpu = self.choose(place);
        self.open_queue_at(place, pcpu)
    }

    /// The queue of `pcpu`, or of another if that is not plugged in (any more).
    /// From now on it is the one of `place`, and the share is one of that queue.
    pub(crate) fn open_queue_at(
        &self,
        place: &mut Place,
        mut pcpu: usize,
    ) -> MutexGuard<'_, Local> {
        let from = self.slots[place.pcpu].local().floor();
        loop {
            let local = self.slots[pcpu].local();
            if local.online {
                if pcpu != place.pcpu {
                    place.share = moved(place.share, from, local.floor());
                    place.pcpu = pcpu;
                }
                return local;
            }
            drop(local);
            pcpu = self.choose(place);
        }
    }

    /// On which physical CPU somebody should wait.
    ///
    /// # Exercise v6-E2: put a VM where it can run, and let that CPU know (first
    /// half)
    ///
    /// Of those that are plugged in and that it may use: where it was last, if
    /// that is [free](Local::is_free) (its data may still be in the caches there);
    /// or else one that is free; or else where it was last; or else, if it may not be there any
    /// more, where the load is least. If it may use none that is plugged in, it
    /// may use all: better in the wrong place than nowhere.
    ///
    /// The answer is only a guess: when you have it, it may have changed.
    fn choose(&self, place: &Place) -> usize {
        // BEGIN SOLUTION
        let look = |id: usize| {
            let local = self.slots[id].local();
            (local.online, local.is_free(), local.load())
        };
        let seen: Vec<_> = (0..self.slots.len()).map(look).collect();
        let online = |id: &usize| seen[*id].0;
        let mut usable: Vec<usize> = (0..seen.len()).filter(online).collect();
        if usable.iter().any(|id| place.affinity.allows(*id)) {
            usable.retain(|id| place.affinity.allows(*id));
        }
        let free = |id: &usize| seen[*id].1;
        let last = usable.iter().copied().find(|id| *id == place.pcpu);
        let other = usable.iter().copied().find(free);
        let least = usable.iter().copied().min_by_key(|id| seen[*id].2);
        last.filter(free)
            .or(other)
            .or(last)
            .or(least)
            .unwrap_or(place.pcpu)
        // END SOLUTION
        // STUB: todo!("v6-E2: choose a physical CPU")
    }

    /// Where somebody who is new should begin: where the load is least.
    pub(crate) fn least_loaded(&self, affinity: crate::Affinity) -> usize {
        let load = |id: usize| {
            let local = self.slots[id].local();
            (!local.online, !affinity.allows(id), local.load())
        };
        (0..self.slots.len())
            .min_by_key(|id| load(*id))
            .unwrap_or(0)
    }

    /// Somebody waits for `id`: if it is ready, it is the next to run where it
    /// waits, unless it has had far more than the others there, or waits on the
    /// physical CPU `except`. Whether it is.
    pub(crate) fn promote(&self, id: Id, except: Option<usize>) -> bool {
        let Ok(entry) = self.table.get(id) else {
            return false;
        };
        let place = entry.place();
        if place.state != State::Ready || Some(place.pcpu) == except {
            return false;
        }
        let ahead = 2 * place.share.cost(self.slice);
        let slot = &self.slots[place.pcpu];
        let promoted = slot
            .local()
            .promote(Ticket::of(id, &place), place.share, ahead);
        if promoted {
            slot.kick.kick();
        }
        promoted
    }
}

/// The share of somebody who leaves a queue whose floor is `from` for one whose
/// floor is `to`: as far before or behind the others there as here.
pub(crate) fn moved(share: Share, from: u64, to: u64) -> Share {
    Share {
        pass: to.saturating_add(share.pass).saturating_sub(from),
        ..share
    }
}

impl Ticket {
    /// The name of `id` in a queue.
    pub(crate) fn of(id: Id, place: &Place) -> Ticket {
        Ticket {
            id,
            affinity: place.affinity,
        }
    }
}
