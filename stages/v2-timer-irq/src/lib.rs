//! Version 2: the guest takes timer interrupts.
//!
//! A kernel that cannot be interrupted cannot share its CPU. Version 2 gives it
//! what real kernels have: a handler table (the IDT), an interrupt flag, a
//! timer (the local APIC), and exceptions that reach its own handlers.
//!
//! None of this needs new privileges. Every instruction that *changes* the
//! handler table or the interrupt flag traps, since the raw CPU is
//! deprivileged. This crate keeps the values as *virtual* state, and looks at
//! them when something is due.
//!
//! ```text
//!   monitor.rs     the APIC says a vector is due: inject, or ask for the window
//!   timer_irq.rs   lidt, cli, sti, iretq, hlt; what is delivered, and when
//!   interrupts.rs  may the guest be interrupted now? what waits?
//!   delivery.rs    gate, frame, handler; what happens when that goes wrong
//!   below: v1      ports, the loop
//! ```
//!
//! | exercise | what to build | where |
//! | --- | --- | --- |
//! | v2-E1 | the handler table | [`delivery`] |
//! | v2-E2 | the interrupt flag and the shadow of `sti` | [`interrupts`] |
//! | v2-E3 | inject: gate, frame, handler | [`delivery`], [`timer_irq`] |
//! | v2-E4 | a masked interrupt is held, not lost | [`interrupts`], [`monitor`] |
//! | v2-E5 | return from the handler | [`timer_irq`] |
//! | v2-E6 | double and triple faults | [`delivery`] |
//! | v2-E7 | idle: sleep until the next tick | [`monitor`] |

#![forbid(unsafe_code)]
// STUB: #![allow(unused)] // delete this line when every exercise is done

pub mod delivery;
pub mod descriptor;
pub mod interrupts;
pub mod monitor;
#[cfg(test)]
mod testing;
pub mod timer_irq;

pub use delivery::{Frame, Gate};
pub use descriptor::{Descriptor, DescriptorTable};
pub use interrupts::Interrupts;
pub use timer_irq::Core;

/// The virtual CPU of this version: the loop of version 1 over the state of
/// this one.
pub type VirtualCpu = v1::virtual_cpu::VirtualCpu<Core>;
