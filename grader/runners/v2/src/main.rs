//! Runs one guest under version 2, and reports what the machine saw.
//!
//! It stands outside the stage crate, so that the crate can break neither it
//! nor the runners of other versions. It never judges.

use common::Ending;
use evidence::stand::{self, Machine, Version};
use std::process::ExitCode;

/// Version 2: one vCPU on one physical CPU, and an APIC, whose timer interrupts the guest.
#[derive(Default)]
struct V2 {
    vcpu: v2::VirtualCpu,
}

impl Version for V2 {
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
        v2::monitor::run(&mut self.vcpu, pcpu, bus, apic, host)
    }
}

fn main() -> ExitCode {
    stand::main(V2::default())
}
