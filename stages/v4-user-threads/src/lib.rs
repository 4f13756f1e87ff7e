//! Version 4: the guest runs many user threads.
//!
//! The virtual CPU is version 3's, re-exported without a change: that is the
//! lesson. Threads are an idea of the guest's kernel. What it does when it
//! switches from one to another (load a stack pointer, write a field of the TSS,
//! return) is nothing to the VMM, and most of it does not even trap. However
//! many threads there are, and be it a fork bomb, the VMM has one virtual CPU to
//! keep, and one timer.
//!
//! So this time you write a piece of the *guest*: two routines of its kernel, in
//! assembly. What they are given and what they may change is in
//! [`guests::v4::Threads`]; where a thread's registers are at that moment, in
//! [`guests::v4`].
//!
//! | exercise | what to build | where |
//! | --- | --- | --- |
//! | v4-E1 | switch from one thread to another | [`switch`](mod@switch) |
//! | v4-E2 | pick the next thread | [`pick`](mod@pick) |

#![forbid(unsafe_code)]
// STUB: #![allow(unused)] // delete this line when every exercise is done

pub mod pick;
pub mod switch;

pub use v3::{Core, VirtualCpu, monitor};

use guests::v4::Threads;

/// Your pieces for the holes of the guest's thread kernel.
pub const THREADS: Threads = Threads {
    switch: switch::switch,
    pick: pick::pick,
};
