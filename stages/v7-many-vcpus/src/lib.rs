//! Version 7: VMs with many virtual CPUs.
//!
//! What version 6 scheduled were VMs. Now a VM has several vCPUs that share its
//! memory and devices, and what stands in a runqueue is a vCPU. Two of one VM
//! may run at the same moment on two physical CPUs; and, which is worse, one may
//! run while the other does not, although the other holds a lock.
//!
//! ```text
//!   scheduler.rs   VMs, made of entries of version 6's scheduler
//!   vcpu.rs        an entry: one vCPU's turn              <- Stop
//!   machine.rs     what siblings share: devices, mail, the end
//!   ipi.rs         from one vCPU to another
//!   spin.rs        a vCPU that waits in a loop for one that does not run
//!   core.rs        version 3's virtual CPU, which tells of such loops
//! ```
//!
//! | exercise | what to build | where |
//! | --- | --- | --- |
//! | v7-E1 | a vCPU's turn | [`vcpu`] |
//! | v7-E2 | an interrupt from one vCPU to another | [`ipi`] |
//! | v7-E3 | when the machine stops, all its vCPUs do | [`machine`] |
//! | v7-E4 | spin loops, and whom to yield to | [`core`](mod@core), [`spin`] |
//! | v7-E5 | the yield port | [`spin`] |
//! | v7-E6 | co-scheduling | [`spin`] |
//!
//! # Locks, and their order
//!
//! Version 6's, and below an entry's body: the bus of a machine, or its life and
//! then a vCPU's mail. None of these three is held while version 6's scheduler is
//! asked for anything.

#![forbid(unsafe_code)]
// STUB: #![allow(unused)] // delete this line when every exercise is done

pub mod core;
pub mod ipi;
pub mod machine;
pub mod scheduler;
pub mod spin;
#[cfg(test)]
mod testing;
pub mod vcpu;

pub use core::Core;
pub use machine::Machine;
pub use scheduler::Scheduler;
pub use spin::Mitigation;
pub use vcpu::Vcpu;

/// The virtual CPU of this version: version 3's, which also tells of spin loops.
pub type VirtualCpu = v1::virtual_cpu::VirtualCpu<Core>;
