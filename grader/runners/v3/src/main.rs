//! Runs one guest under version 3, and reports what the machine saw.
//!
//! It stands outside the stage crate, so that the crate can break neither it
//! nor the runners of other versions. It never judges.

use common::{Boot, Context, Ending, Vcpu};
use evidence::stand::{self, Machine, Version};
use std::process::ExitCode;

/// Version 3: one vCPU on one physical CPU, and a guest with a user mode. The monitor is version 2's.
struct V3;

impl Version for V3 {
    type VirtualCpu = v3::VirtualCpu;

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
        v3::monitor::run(vcpu, pcpu, bus, apic, host)
    }
}

fn main() -> ExitCode {
    stand::main::<V3>()
}
