//! Runs one guest under version 2, and reports what the machine saw.
//!
//! It stands outside the stage crate, so that the crate can break neither it
//! nor the runners of other versions. It never judges.

use common::{Boot, Context, Ending, Vcpu};
use evidence::stand::{self, Machine, Version};
use std::process::ExitCode;

/// Version 2: one vCPU on one physical CPU, and an APIC, whose timer interrupts the guest.
struct V2;

impl Version for V2 {
    type VirtualCpu = v2::VirtualCpu;

    fn prepare(boot: &Boot, context: &mut Context) {
        v1::prepare(boot, context);
    }

    fn run<V: Vcpu>(vcpu: &mut V, machine: &mut Machine<V::Cpu>) -> Ending {
        let Machine {
            pcpu,
            bus,
            apic,
            host,
        } = machine;
        v2::monitor::run(vcpu, pcpu, bus, apic, host)
    }
}

fn main() -> ExitCode {
    stand::main::<V2>()
}
