//! Version 6: many VMs on many physical CPUs.
//!
//! One runqueue for all physical CPUs would do, and everybody would wait for its
//! lock. So each physical CPU has a queue of its own, and new questions come up:
//! on which queue does a VM wait? Who moves it when one physical CPU idles and
//! another has too much? How does a physical CPU that sleeps hear of work? And
//! what may two of them do at the same moment?
//!
//! ```text
//!   scheduler.rs   one turn: keep on, or pick, run, put away
//!   placement.rs   on which queue? and who must hear of it?
//!   balance.rs     from the busiest to one that has less
//!   hotplug.rs     a physical CPU goes, and comes back
//!   lifecycle.rs   pause and the like, while it runs elsewhere
//!       |
//!   queue.rs       the queue of one physical CPU, under its lock
//!   table.rs       the VMs, each under locks of its own
//!       |
//!   version 5      Runqueue, Share, Account, Vm
//! ```
//!
//! | exercise | what to build | where |
//! | --- | --- | --- |
//! | v6-E1 | a turn with a queue that others use too | [`scheduler`] |
//! | v6-E2 | put a VM where it can run, and let that CPU know | [`placement`] |
//! | v6-E3 | a wake is never lost | [`placement`], [`scheduler`] |
//! | v6-E4 | balance | [`balance`] |
//! | v6-E5 | a physical CPU goes and comes back | [`hotplug`] |
//! | v6-E6 | pause what runs elsewhere | [`lifecycle`] |
//!
//! # Locks, and their order
//!
//! 1. An entry's *body*: the VM itself. The physical CPU that runs it holds this
//!    lock while it runs, and nobody else ever wants it.
//! 2. An entry's *place*: its state, and on whose queue it is. Held for a few
//!    lines.
//! 3. The *queues*: of two, the one of the lower number first.
//!
//! Whoever holds one of these takes only what stands below it. The table's lock
//! is none of them: it is taken alone, to look an entry up.
//!
//! **An entry's place is the truth, and its name in a queue only a hint.** Who
//! takes a name out of a queue must ask the entry whether it still is what the
//! queue says: between the two, somebody may have paused it.

#![forbid(unsafe_code)]
// STUB: #![allow(unused)] // delete this line when every exercise is done

pub mod affinity;
pub mod audit;
pub mod balance;
pub mod hotplug;
pub mod lifecycle;
pub mod placement;
pub mod queue;
pub mod runnable;
pub mod scheduler;
pub mod table;
#[cfg(test)]
mod testing;

pub use affinity::Affinity;
pub use hotplug::HotplugError;
pub use lifecycle::Settings;
pub use runnable::{Peers, Runnable};
pub use scheduler::Scheduler;
