//! The engine on hardware: a virtual CPU that the host's KVM makes.
//!
//! Versions 1 to 3 build a [`common::Vcpu`] out of a raw CPU, by trap and
//! emulate. Here the CPU of the host does that work itself (Intel calls it VMX,
//! AMD SVM), and the Linux kernel hands it out through `/dev/kvm`. What is above
//! a `Vcpu`, the monitors and the schedulers, does not notice.
//!
//! ```text
//!   monitor, schedulers      the versions', unchanged             <- Exit
//!   ------------------------------------------------------------------
//!   vcpu       enter, normalise the exit, inject, hold the time   Vcpu
//!   run_page   what KVM and we say to each other
//!   host_cpu   the thread: clock, timer, signal                   HostCpu
//!   machine    the VM: its RAM, what CPUs it has                  Machine
//!   ------------------------------------------------------------------
//!   /dev/kvm   ioctl: the kernel, and the hardware behind it
//! ```
//!
//! KVM could also emulate the interrupt controllers and the timer (its "irqchip").
//! It is not asked to: they stay in user space, where one can see them.
//!
//! # What differs from the software CPU
//!
//! - A tick of time is [`HostCpu::TICK`] of the host's clock, not an
//!   instruction, so no run repeats exactly. `rdtsc` reads the host's counter.
//! - A shutdown has no history: the hardware keeps to itself which faults led to
//!   it, so the chain names the double fault only.
//! - Waiting in loops of `pause` is not reported: KVM keeps that to itself.
//! - An access outside RAM that is wider than eight bytes comes as several exits,
//!   where the software CPU refuses it. What KVM's own emulator lacks is
//!   reported as unsupported.
//! - Some KVMs (PVM is one) notice only every thousand instructions that the
//!   guest has opened interrupts. There the guest goes step by step while the
//!   monitor wants to know it.
//!
//! On a host that is not Linux on x86-64 only [`probe`](fn@probe) is here, and it
//! says so.

mod lack;
mod probe;

pub use lack::{Ability, Lack};
pub use probe::{Finding, Report, probe};

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod hardware {
    mod access;
    mod boot;
    mod check;
    mod cpuid;
    mod emulate;
    mod error;
    mod failure;
    mod host_cpu;
    mod ioctl;
    mod machine;
    mod run_page;
    mod signal;
    mod state;
    mod steps;
    pub(crate) mod trial;
    mod vcpu;

    pub use error::Error;
    pub use failure::{Cause, Failure};
    pub use host_cpu::HostCpu;
    pub use machine::{DEVICE, Machine};
    pub use state::{General, State};
    pub use vcpu::Vcpu;
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub use hardware::{Cause, DEVICE, Error, Failure, General, HostCpu, Machine, State, Vcpu};
