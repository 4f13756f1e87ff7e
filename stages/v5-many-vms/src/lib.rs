//! Version 5: many VMs share one physical CPU.
//!
//! So far the physical CPU belonged to one VM, and when that halted the CPU was
//! lost. Now several VMs want it. Registers live in the physical CPU while a VM
//! runs, so before another one may run, they must be saved; and somebody has to
//! say whose turn it is, and for how long.
//!
//! ```text
//!   scheduler.rs   whose turn? how long? who sleeps?      <- Stop
//!       |  load, turn, store
//!   vm.rs          one VM: a processor and its devices
//!       |  next_exit
//!   processor.rs   a vCPU, its APIC, its saved context    <- Exit
//!       |  Pcpu::run
//!   versions 1 to 4
//! ```
//!
//! | exercise | what to build | where |
//! | --- | --- | --- |
//! | v5-E1 | save and restore a context | [`switch`] |
//! | v5-E2 | a VM's turn | [`processor`], [`vm`] |
//! | v5-E3 | the runqueue: everybody in turn | [`runqueue`], [`scheduler`] |
//! | v5-E4 | who halts leaves the queue, and comes back | [`processor`], [`runqueue`], [`scheduler`] |
//! | v5-E5 | account for every tick | [`account`] |
//! | v5-E6 | weights | [`share`] |
//! | v5-E7 | pause, resume, shut down | [`lifecycle`] |
//!
//! What this version deliberately lacks: locks (there is one physical CPU, so
//! one thread), and a VM with more than one vCPU.

#![forbid(unsafe_code)]
// STUB: #![allow(unused)] // delete this line when every exercise is done

pub mod account;
pub mod lifecycle;
pub mod processor;
pub mod runqueue;
pub mod scheduler;
pub mod share;
pub mod switch;
#[cfg(test)]
mod testing;
pub mod vm;

pub use account::Account;
pub use lifecycle::{LifecycleError, State};
pub use processor::{Processor, Sleep};
pub use runqueue::Runqueue;
pub use scheduler::{Id, Scheduler};
pub use share::{Share, Weight, WeightError};
pub use switch::Switch;
pub use vm::{Stop, Vm};

/// The virtual CPU of this version: version 3's.
pub type VirtualCpu = v3::VirtualCpu;
