//! What a VM's owner can do to it, and when.

use crate::{Account, Id, Scheduler, Share, Stop, Switch, Vm, Weight};
use common::{Ending, Time};

/// What a VM is doing, as the scheduler sees it.
///
/// ```text
///            start           take               turn ends
///  Created --------> Ready -------> Running -----------------> Ready, Asleep
///                      ^ |                                     or Ended
///                wake  | | pause        Ready, Asleep --pause--> Paused
///             Asleep --' `-> Paused     Paused --resume--> Ready
///                                       any of them --shut down--> Ended
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is there, and nobody has started it yet.
    Created,
    /// It waits in the runqueue.
    Ready,
    /// It is on a physical CPU.
    Running,
    /// It sleeps, until this time at most.
    Asleep(Time),
    /// Its owner has paused it.
    Paused,
    /// It has come to its end, and is kept to be looked at.
    Ended(Ending),
}

/// Something was asked of a VM that it cannot do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LifecycleError {
    /// There is no such VM, or no longer.
    #[error("vm {0} does not exist")]
    NoSuchVm(Id),
    /// It is in the wrong state for it.
    #[error("vm {id} is {}, and must be {wanted} for this", .state.name())]
    WrongState {
        /// The VM.
        id: Id,
        /// What it is.
        state: State,
        /// What it would have to be.
        wanted: &'static str,
    },
}

impl State {
    /// The state in one lower-case word.
    pub const fn name(self) -> &'static str {
        match self {
            State::Created => "created",
            State::Ready => "ready",
            State::Running => "running",
            State::Asleep(_) => "asleep",
            State::Paused => "paused",
            State::Ended(_) => "ended",
        }
    }
}

/// A VM in the scheduler's table.
pub(crate) struct Entry<V: Switch> {
    pub(crate) vm: Vm<V>,
    pub(crate) state: State,
    pub(crate) share: Share,
    pub(crate) account: Account,
}

/// What a VM's owner asks. Time is that of the physical CPU.
impl<V: Switch> Scheduler<V> {
    /// Takes a VM in. It does not run before [`start`](Scheduler::start).
    pub fn create(&mut self, vm: Vm<V>, weight: Weight) -> Id {
        let entry = Entry {
            vm,
            state: State::Created,
            share: Share::new(weight),
            account: Account::default(),
        };
        self.insert(entry)
    }

    /// Starts a VM.
    ///
    /// # Errors
    /// If there is none, or it has been started before.
    pub fn start(&mut self, id: Id, now: Time) -> Result<(), LifecycleError> {
        self.expect(id, "created", |state| state == State::Created)?;
        self.entry(id)?.account = Account::open(now);
        self.make_ready(id, now);
        Ok(())
    }

    /// Stops a VM until it is resumed. Its time goes on: timers that expire
    /// meanwhile are served late.
    ///
    /// # Exercise v5-E7: pause, resume, shut down
    ///
    /// A VM that is ready or sleeps stands in the runqueue; one that is paused
    /// must not, or it would run all the same. `Scheduler::leave_queue` takes it
    /// out, wherever it is, and `Scheduler::enter_state` does the accounts.
    ///
    /// # Errors
    /// If there is none, or it neither waits nor sleeps.
    pub fn pause(&mut self, id: Id, now: Time) -> Result<(), LifecycleError> {
        self.expect(id, "ready or asleep", |state| {
            matches!(state, State::Ready | State::Asleep(_))
        })?;
        // BEGIN SOLUTION
        self.leave_queue(id);
        self.enter_state(id, State::Paused, now);
        Ok(())
        // END SOLUTION
        // STUB: todo!("v5-E7: pause")
    }

    /// Lets a paused VM go on. If it slept, it looks for itself whether it still
    /// has to.
    ///
    /// # Errors
    /// If there is none, or it is not paused.
    pub fn resume(&mut self, id: Id, now: Time) -> Result<(), LifecycleError> {
        self.expect(id, "paused", |state| state == State::Paused)?;
        // BEGIN SOLUTION
        self.make_ready(id, now);
        Ok(())
        // END SOLUTION
        // STUB: todo!("v5-E7: resume")
    }

    /// Ends a VM from outside, as the power switch does.
    ///
    /// # Errors
    /// If there is none, or it has ended already.
    pub fn shut_down(&mut self, id: Id, now: Time) -> Result<(), LifecycleError> {
        self.expect(id, "alive", |state| !matches!(state, State::Ended(_)))?;
        // BEGIN SOLUTION
        self.leave_queue(id);
        self.end(id, Ending::Stopped, now);
        Ok(())
        // END SOLUTION
        // STUB: todo!("v5-E7: shut down")
    }

    /// Forgets a VM that has ended; its memory is given back with it.
    ///
    /// # Errors
    /// If there is none, or it has not ended yet.
    pub fn destroy(&mut self, id: Id) -> Result<Vm<V>, LifecycleError> {
        self.expect(id, "ended", |state| matches!(state, State::Ended(_)))?;
        Ok(self.remove(id)?.vm)
    }

    /// What a VM is doing.
    ///
    /// # Errors
    /// If there is none.
    pub fn state(&self, id: Id) -> Result<State, LifecycleError> {
        Ok(self.look(id)?.state)
    }

    /// Where a VM's time went, until `now`.
    ///
    /// # Errors
    /// If there is none.
    pub fn account(&self, id: Id, now: Time) -> Result<Account, LifecycleError> {
        let entry = self.look(id)?;
        let mut account = entry.account;
        account.count(entry.state, now);
        Ok(account)
    }

    fn expect(
        &self,
        id: Id,
        wanted: &'static str,
        right: impl Fn(State) -> bool,
    ) -> Result<(), LifecycleError> {
        let state = self.state(id)?;
        match right(state) {
            true => Ok(()),
            false => Err(LifecycleError::WrongState { id, state, wanted }),
        }
    }
}

impl Stop {
    /// The state in which a turn leaves a VM.
    pub fn state(self) -> State {
        match self {
            Stop::TimeUp | Stop::Kicked | Stop::Yielded => State::Ready,
            Stop::Asleep { wake } => State::Asleep(wake),
            Stop::Ended(ending) => State::Ended(ending),
        }
    }
}
