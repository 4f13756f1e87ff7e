//! Drives a scheduler: who calls [`Schedule::schedule_once`], on which physical
//! CPU, and when.
//!
//! The same scheduler runs in two ways. The [`Stepper`] uses one host thread and
//! steps the physical CPUs in an order that a seed decides, so that every run
//! repeats, and a bad order can be looked for and replayed. [`threads`] gives
//! each physical CPU a host thread of its own: what a real host does, and never
//! twice the same.
//!
//! A driver never decides which vCPU runs, and the scheduler never decides when
//! it is called.

mod host_cpus;
mod stepper;
mod threads;

pub use stepper::{Order, Stepper};
pub use threads::threads;

use crate::{Pcpu, Time};

/// A scheduler, as its driver sees it. One that physical CPUs share implements
/// this for a reference to it.
pub trait Schedule<C> {
    /// Lets one vCPU run on `pcpu` for a while, if one is to be had, and comes
    /// back at the end of its slice, when it stops to run, or when `pcpu` is
    /// kicked.
    fn schedule_once(&mut self, pcpu: &mut Pcpu<C>) -> Progress;
}

/// What came of one call of [`Schedule::schedule_once`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Somebody ran. Call again.
    Ran,
    /// There is nobody to run here. Call again at this time at the latest, or
    /// when this physical CPU is kicked.
    Idle {
        /// When the next sleeper is due; [`Time::NEVER`] if nobody sleeps here.
        wake: Time,
    },
    /// There is nobody left who could ever run, here or elsewhere.
    Done,
}

/// What happens at its own times beside the guests: VMs that come and go,
/// physical CPUs that are unplugged.
///
/// It is called with the time when the one it last gave has come, and gives the
/// time when it wants to be called next; [`Time::NEVER`] for never again.
pub type Control<'a, S> = dyn FnMut(&mut S, Time) -> Time + Send + 'a;

/// For a run in which nothing happens from outside.
pub fn nothing<S>(_: &mut S, _: Time) -> Time {
    Time::NEVER
}

/// How a run of several physical CPUs ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every VM came to its end.
    Done,
    /// The limit came first.
    LimitReached,
    /// Every physical CPU sleeps, and nobody is left to wake one.
    Stuck,
}
