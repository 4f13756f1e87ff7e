//! What an owner can do, from any thread, while a VM may run elsewhere.

use crate::queue::Ticket;
use crate::table::{Place, Wish};
use crate::{Affinity, Runnable, Scheduler};
use common::{Ending, Time};
use v5::{Account, Id, LifecycleError, Share, State, Weight};

/// What is asked of the scheduler for a new VM.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// How much it counts.
    pub weight: Weight,
    /// Where it may run.
    pub affinity: Affinity,
    /// Where it begins; `None` for where the load is least.
    pub home: Option<usize>,
}

impl<R: Runnable> Scheduler<R> {
    /// Takes a VM in. It does not run before [`start`](Scheduler::start).
    ///
    /// # Panics
    /// If its home does not exist.
    pub fn create(&self, body: R, settings: Settings) -> Id {
        let Settings {
            weight,
            affinity,
            home,
        } = settings;
        let pcpu = home.unwrap_or_else(|| self.least_loaded(affinity));
        assert!(pcpu < self.slots.len(), "pcpu {pcpu} does not exist");
        let place = Place {
            state: State::Created,
            pcpu,
            share: Share::new(weight),
            account: Account::default(),
            affinity,
            woken: false,
            wish: None,
        };
        self.table.insert(body, place)
    }

    /// Starts a VM at its home.
    ///
    /// # Errors
    /// If there is none, or it has been started before.
    pub fn start(&self, id: Id, now: Time) -> Result<(), LifecycleError> {
        let entry = self.table.get(id)?;
        let mut place = entry.place();
        place.expect(id, "created", |state| state == State::Created)?;
        place.account = Account::open(now);
        place.enter(State::Ready, now);
        let home = place.pcpu;
        let mut local = self.open_queue_at(&mut place, home);
        place.share = local.join(Ticket::of(id, &place), place.share, 0);
        let is_crowded = local.is_crowded();
        drop(local);
        self.slots[place.pcpu].kick.kick();
        if is_crowded {
            self.call_one_that_idles(&place);
        }
        Ok(())
    }

    /// Stops a VM until it is resumed, wherever it is. One that runs is paused
    /// when its physical CPU next looks up, which it is asked to do at once.
    ///
    /// # Exercise v6-E6: pause what runs elsewhere
    ///
    /// Version 5 could do this between two turns. Here the VM may be running on
    /// another physical CPU, with its registers there: nobody but that one can
    /// take it off. So leave a [`Wish`] in the place, and kick. (`put_away` sees
    /// to the wish.) One that waits or sleeps leaves its queue now
    /// (`leave_queue`).
    ///
    /// # Errors
    /// If there is none, or it is not running, ready or asleep.
    pub fn pause(&self, id: Id, now: Time) -> Result<(), LifecycleError> {
        let entry = self.table.get(id)?;
        let mut place = entry.place();
        place.expect(id, "running, ready or asleep", |state| {
            matches!(state, State::Running | State::Ready | State::Asleep(_))
        })?;
        // BEGIN SOLUTION
        if place.state == State::Running {
            place.wish = place.wish.or(Some(Wish::Pause));
            self.slots[place.pcpu].kick.kick();
        } else {
            self.leave_queue(id, &place);
            place.enter(State::Paused, now);
        }
        Ok(())
        // END SOLUTION
        // STUB: todo!("v6-E6: pause it, wherever it is")
    }

    /// Lets a paused VM go on. If it slept, it looks for itself whether it still
    /// has to.
    ///
    /// # Errors
    /// If there is none, or it is not paused.
    pub fn resume(&self, id: Id, now: Time) -> Result<(), LifecycleError> {
        let entry = self.table.get(id)?;
        let mut place = entry.place();
        place.expect(id, "paused", |state| state == State::Paused)?;
        self.make_ready(id, &mut place, now);
        Ok(())
    }

    /// Ends a VM from outside, as the power switch does, wherever it is.
    ///
    /// # Errors
    /// If there is none, or it has ended already.
    pub fn shut_down(&self, id: Id, now: Time) -> Result<(), LifecycleError> {
        let entry = self.table.get(id)?;
        let mut place = entry.place();
        place.expect(id, "alive", |state| !matches!(state, State::Ended(_)))?;
        // BEGIN SOLUTION
        if place.state == State::Running {
            place.wish = Some(Wish::ShutDown);
            self.slots[place.pcpu].kick.kick();
        } else {
            self.leave_queue(id, &place);
            self.end(&mut place, Ending::Stopped, now);
        }
        Ok(())
        // END SOLUTION
        // STUB: todo!("v6-E6: end it, wherever it is")
    }

    /// Forgets a VM that has ended, and gives its memory back.
    ///
    /// # Errors
    /// If there is none, or it has not ended yet.
    pub fn destroy(&self, id: Id) -> Result<(), LifecycleError> {
        let entry = self.table.get(id)?;
        entry
            .place()
            .expect(id, "ended", |state| matches!(state, State::Ended(_)))?;
        self.table.remove(id);
        Ok(())
    }

    /// What a VM is doing.
    ///
    /// # Errors
    /// If there is none.
    pub fn state(&self, id: Id) -> Result<State, LifecycleError> {
        Ok(self.table.get(id)?.place().state)
    }

    /// Where a VM's time went, until `now`.
    ///
    /// # Errors
    /// If there is none.
    pub fn account(&self, id: Id, now: Time) -> Result<Account, LifecycleError> {
        let entry = self.table.get(id)?;
        let place = entry.place();
        let mut account = place.account;
        account.count(place.state, now);
        Ok(account)
    }

    /// Takes one that waits or sleeps out of its queue. If it is not there,
    /// somebody has just taken its name, and will ask its place.
    fn leave_queue(&self, id: Id, place: &Place) {
        let mut local = self.slots[place.pcpu].local();
        let ticket = Ticket::of(id, place);
        match place.state {
            State::Asleep(due) => local.remove_sleeper(ticket, due),
            _ => {
                local.remove(ticket, place.share);
            }
        }
    }
}

impl Place {
    fn expect(
        &self,
        id: Id,
        wanted: &'static str,
        right: impl Fn(State) -> bool,
    ) -> Result<(), LifecycleError> {
        let state = self.state;
        match right(state) {
            true => Ok(()),
            false => Err(LifecycleError::WrongState { id, state, wanted }),
        }
    }
}
