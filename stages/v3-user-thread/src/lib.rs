//! Version 3: the guest has a user mode.
//!
//! So far the guest was all kernel. Now its kernel runs a user thread and keeps
//! it out: user code may not touch the kernel's memory, halt the machine or
//! close interrupts. Yet kernel and user code run on the same deprivileged raw
//! CPU, in turn; to that CPU they are both just user code. So the *virtual* CPU
//! has to remember in which mode the guest is, show the raw CPU the matching
//! view of memory, and decide for each trap whose it is:
//!
//! ```text
//!                      in kernel mode            in user mode
//!   wrmsr, ltr, …      emulate                   #GP, to the guest's kernel
//!   syscall            (the kernel's own)        forward to the guest's kernel
//!   exception, tick    same stack                switch to the kernel's stack
//!   port, hlt          version 2, version 1      #GP, to the guest's kernel
//! ```
//!
//! | exercise | what to build | where |
//! | --- | --- | --- |
//! | v3-E1 | the mode and its view of memory | [`mode`] |
//! | v3-E2 | the machine-specific registers and `swapgs` | [`msr`] |
//! | v3-E3 | forward a system call, and return from it | [`system_call`] |
//! | v3-E4 | interrupts and exceptions from user mode | [`user_thread`], [`tss`] |
//! | v3-E5 | `iretq` to user mode | [`user_thread`] |
//! | v3-E6 | keep user mode out | [`user_thread`] |

#![forbid(unsafe_code)]
// STUB: #![allow(unused)] // delete this line when every exercise is done

pub mod control;
pub mod mode;
pub mod msr;
pub mod segments;
pub mod system_call;
pub mod tss;
pub mod user_thread;

pub use mode::Mode;
pub use user_thread::Core;
pub use v2::monitor;

/// The virtual CPU of this version.
pub type VirtualCpu = v1::virtual_cpu::VirtualCpu<Core>;
