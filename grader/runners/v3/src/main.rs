//! Runs one guest under version 3, and reports what the machine saw.
//!
//! It stands outside the stage crate, so that the crate can break neither it
//! nor the runners of other versions. It never judges.

use common::Ending;
use evidence::stand::{self, Machine, Version};
use std::process::ExitCode;

/// Version 3: one vCPU on one physical CPU, and a guest with a user mode. The monitor is version 2's.
#[derive(Default)]
struct V3 {
    vcpu: v3::VirtualCpu,
}

impl Version for V3 {
    fn prepare(&mut self, machine: &mut Machine) {
        v1::prepare(&machine.boot, machine.pcpu.context());
    }

    fn run(&mut self, machine: &mut Machine) -> Ending {
        let Machine {
            pcpu,
            bus,
            apic,
            host,
            ..
        } = machine;
        v3::monitor::run(&mut self.vcpu, pcpu, bus, apic, host)
    }
}

fn main() -> ExitCode {
    stand::main(V3::default())
}
