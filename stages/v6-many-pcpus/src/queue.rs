//! The queue of one physical CPU. Given: nothing to do here.

use crate::Affinity;
use common::sync::{Mutex, MutexGuard};
use common::{Kick, Time};
use v5::{Id, Runqueue, Share, Weight};

/// One physical CPU, as the others see it.
pub struct Slot {
    local: Mutex<Local>,
    /// Makes it look up, whether it runs or sleeps.
    pub kick: Kick,
}

/// What a physical CPU has to do. Under its lock.
#[derive(Debug)]
pub struct Local {
    queue: Runqueue<Ticket>,
    /// Who should be taken before all others.
    promoted: Option<(Ticket, Share)>,
    /// Who runs here now.
    pub current: Option<Current>,
    /// It has found nothing to run, and sleeps or is about to.
    pub idle: bool,
    /// It is plugged in.
    pub online: bool,
    /// When it last looked whether another has too much.
    pub balanced: Time,
    /// The weights of all who wait here.
    waiting_weight: u64,
}

/// A name in a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket {
    /// Who.
    pub id: Id,
    /// Where it may run: so that somebody who looks for work here need not ask.
    pub affinity: Affinity,
}

/// Who runs on a physical CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Current {
    /// Who.
    pub id: Id,
    /// How much it counts.
    pub weight: Weight,
    /// Who waits and has had less than this should run instead.
    pub overtaken_below: u64,
    /// When it was loaded.
    pub begin: Time,
    /// When its slice is over.
    pub end: Time,
}

impl Slot {
    pub(crate) fn new(kick: Kick) -> Slot {
        Slot {
            local: Mutex::new(Local {
                queue: Runqueue::new(),
                promoted: None,
                current: None,
                idle: false,
                online: true,
                balanced: Time::ZERO,
                waiting_weight: 0,
            }),
            kick,
        }
    }

    /// Its queue, under its lock.
    #[track_caller]
    pub(crate) fn local(&self) -> MutexGuard<'_, Local> {
        self.local.lock()
    }
}

impl Local {
    /// Who was away joins the queue (see [`Runqueue::join`]).
    pub fn join(&mut self, ticket: Ticket, share: Share, credit: u64) -> Share {
        self.waiting_weight += u64::from(share.weight.get());
        self.queue.join(ticket, share, credit)
    }

    /// Who ran goes back to its place in the order.
    pub fn put_back(&mut self, ticket: Ticket, share: Share) {
        self.waiting_weight += u64::from(share.weight.get());
        self.queue.put_back(ticket, share);
    }

    /// Takes the first out, and says who may overtake it: those who have had less
    /// than this. Nobody overtakes one that was promoted.
    pub fn take(&mut self) -> Option<(Ticket, u64)> {
        let promoted = self.promoted.take().map(|taken| (taken, 0));
        let (taken, overtaken_below) = promoted.or_else(|| {
            let taken = self.queue.take()?;
            Some((taken, taken.1.pass))
        })?;
        let (ticket, share) = taken;
        self.waiting_weight -= u64::from(share.weight.get());
        Some((ticket, overtaken_below))
    }

    /// Takes somebody out who waits here with this share. Whether they did.
    pub fn remove(&mut self, ticket: Ticket, share: Share) -> bool {
        let promoted = self.promoted.is_some_and(|(other, _)| other == ticket);
        if promoted {
            self.promoted = None;
        }
        let removed = promoted || self.queue.remove(ticket, share);
        if removed {
            self.waiting_weight -= u64::from(share.weight.get());
        }
        removed
    }

    /// Puts somebody who waits here before all others, unless it has had more
    /// than `ahead` more than they. Whether it is there now.
    pub fn promote(&mut self, ticket: Ticket, share: Share, ahead: u64) -> bool {
        let fair = share.pass <= self.queue.floor() + ahead;
        let free = self.promoted.is_none();
        if fair && free && self.queue.remove(ticket, share) {
            self.promoted = Some((ticket, share));
        }
        self.promoted.is_some_and(|(other, _)| other == ticket)
    }

    /// Somebody sleeps here until `due`; for ever, in no list, if that is never.
    pub fn sleep(&mut self, ticket: Ticket, due: Time) {
        if due != Time::NEVER {
            self.queue.sleep(ticket, due);
        }
    }

    /// Takes out a sleeper who is due.
    pub fn take_due(&mut self, now: Time) -> Option<Ticket> {
        self.queue.take_due(now)
    }

    /// Takes out a sleeper who is due at `due`, if they are here.
    pub fn remove_sleeper(&mut self, ticket: Ticket, due: Time) {
        self.queue.remove_sleeper(ticket, due);
    }

    /// When the next sleeper is due.
    pub fn next_due(&self) -> Time {
        self.queue.next_due()
    }

    /// Whether somebody waits who should run before the one who runs.
    pub fn is_overtaken(&self) -> bool {
        let Some(current) = &self.current else {
            return false;
        };
        let least = self.queue.least();
        self.promoted.is_some() || least.is_some_and(|least| least < current.overtaken_below)
    }

    /// The least pass among those who wait.
    pub fn least(&self) -> Option<u64> {
        self.queue.least()
    }

    /// What everybody here has had, more or less.
    pub fn floor(&self) -> u64 {
        self.queue.floor()
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.queue.waiting() + usize::from(self.promoted.is_some())
    }

    /// The work here: the weights of all who wait and of the one who runs.
    /// Sleepers are no work.
    pub fn load(&self) -> u64 {
        let running = self.current.map_or(0, |current| current.weight.get());
        self.waiting_weight + u64::from(running)
    }

    /// It idles, and nobody has been put here since.
    pub fn is_free(&self) -> bool {
        self.idle && self.waiting() == 0
    }

    /// There is more work here than one physical CPU can do at once.
    pub fn is_crowded(&self) -> bool {
        self.waiting() + usize::from(self.current.is_some()) > 1
    }

    /// Those who wait, in their order.
    pub fn ready(&self) -> impl DoubleEndedIterator<Item = (Ticket, Share)> {
        self.promoted.into_iter().chain(self.queue.ready())
    }

    /// Those who sleep with a time to wake.
    pub fn sleepers(&self) -> impl Iterator<Item = (Ticket, Time)> {
        self.queue.sleepers()
    }
}
