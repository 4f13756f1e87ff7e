//! Version 1: a virtual CPU for a kernel that uses the user ISA only.
//!
//! The guest runs on a raw CPU that is always deprivileged. Adding, comparing,
//! jumping, loading and storing need nobody: they run at full speed. Now and
//! then the guest wants something that deprivileged code may not do (write to
//! a port, halt), or the host's timer rings. Then the raw CPU stops with a
//! *trap*, and this crate makes of it what a virtual CPU would do: it either
//! emulates the instruction, or reports an *exit* to the monitor.
//!
//! ```text
//!   monitor.rs       who asked for what? ask the device, go on     <- Exit
//!       |  Pcpu::run
//!   virtual_cpu.rs   the loop: enter, look at the trap, decide     <- Next
//!       |  Pcpu::enter
//!   the raw CPU      runs the guest until it needs somebody        <- Trap
//! ```
//!
//! | exercise | what to build | where |
//! | --- | --- | --- |
//! | v1-E1 | prepare the context | [`prepare`](mod@prepare) |
//! | v1-E2 | enter and dispatch | [`virtual_cpu`] |
//! | v1-E3 | the timer's exit loses nothing | [`virtual_cpu`], [`monitor`] |
//! | v1-E4 | port access | [`kernel_only`], [`monitor`] |
//! | v1-E5 | halt | [`kernel_only`], [`monitor`] |
//! | v1-E6 | refuse what this version does not support | [`kernel_only`], [`monitor`] |
//!
//! What this version deliberately lacks: an interrupt flag, a handler table,
//! user mode, devices in memory. Its interrupt flag is 0 for ever, so it
//! answers "not ready" to every injection: that is the truth, and version 2
//! changes it.

#![forbid(unsafe_code)]
// STUB: #![allow(unused)] // delete this line when every exercise is done

pub mod emulate;
pub mod kernel_only;
pub mod monitor;
pub mod prepare;
mod string_port;
#[cfg(test)]
mod testing;
pub mod virtual_cpu;

pub use emulate::{Emulate, Event, Limit, Next};
pub use kernel_only::Core;
pub use prepare::prepare;

/// The virtual CPU of this version.
pub type VirtualCpu = virtual_cpu::VirtualCpu<Core>;
