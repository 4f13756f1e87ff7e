//! The table of all that is scheduled. Given: nothing to do here.

use crate::Affinity;
use common::sync::{Mutex, MutexGuard};
use std::collections::BTreeMap;
use std::sync::Arc;
use v5::{Account, Id, LifecycleError, Share, State};

/// One VM, under two locks. Their order stands at the head of the crate.
pub struct Entry<R> {
    /// Its number.
    pub id: Id,
    /// The VM itself. Held by the physical CPU that runs it.
    pub(crate) body: Mutex<R>,
    place: Mutex<Place>,
}

/// Where a VM is, and how it stands with the scheduler.
#[derive(Clone, Debug)]
pub struct Place {
    /// What it is doing.
    pub state: State,
    /// The physical CPU on which it runs, or on whose queue it is, or was last.
    pub pcpu: usize,
    /// Its place in the order.
    pub share: Share,
    /// Where its time went.
    pub account: Account,
    /// Where it may run.
    pub affinity: Affinity,
    /// Something has come for it while it ran: it must not fall asleep before it
    /// has looked again.
    pub woken: bool,
    /// What its owner wants of it as soon as it leaves its physical CPU.
    pub wish: Option<Wish>,
}

/// What the owner of a VM that runs wants of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// That it pause.
    Pause,
    /// That it end.
    ShutDown,
}

impl<R> Entry<R> {
    /// Its place, under its lock.
    #[track_caller]
    pub(crate) fn place(&self) -> MutexGuard<'_, Place> {
        self.place.lock()
    }
}

impl Place {
    /// It is in another state from `now` on.
    pub(crate) fn enter(&mut self, state: State, now: common::Time) {
        self.account.count(self.state, now);
        self.state = state;
    }
}

/// All entries, by their numbers.
pub(crate) struct Table<R>(Mutex<Rows<R>>);

struct Rows<R> {
    entries: BTreeMap<Id, Arc<Entry<R>>>,
    next: u32,
    /// How many have not ended.
    alive: usize,
}

impl<R> Table<R> {
    pub(crate) fn new() -> Table<R> {
        Table(Mutex::new(Rows {
            entries: BTreeMap::new(),
            next: 0,
            alive: 0,
        }))
    }

    pub(crate) fn insert(&self, body: R, place: Place) -> Id {
        let mut rows = self.0.lock();
        let id = Id(rows.next);
        rows.next += 1;
        rows.alive += 1;
        let entry = Entry {
            id,
            body: Mutex::new(body),
            place: Mutex::new(place),
        };
        rows.entries.insert(id, Arc::new(entry));
        id
    }

    pub(crate) fn get(&self, id: Id) -> Result<Arc<Entry<R>>, LifecycleError> {
        let rows = self.0.lock();
        let entry = rows.entries.get(&id).cloned();
        entry.ok_or(LifecycleError::NoSuchVm(id))
    }

    pub(crate) fn remove(&self, id: Id) {
        // It is dropped when the lock is open again.
        let removed = self.0.lock().entries.remove(&id);
        drop(removed);
    }

    /// One of them has ended. How many are left.
    pub(crate) fn one_less(&self) -> usize {
        let mut rows = self.0.lock();
        rows.alive -= 1;
        rows.alive
    }

    pub(crate) fn alive(&self) -> usize {
        self.0.lock().alive
    }

    /// All entries, in the order of their numbers.
    pub(crate) fn all(&self) -> Vec<Arc<Entry<R>>> {
        self.0.lock().entries.values().cloned().collect()
    }
}
