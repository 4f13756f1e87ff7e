//! Runs one guest under version 1, and reports what the machine saw.
//!
//! It stands outside the stage crate, so that the crate can break neither it
//! nor the runners of other versions. It never judges.

use common::Ending;
use evidence::stand::{self, Machine, Version};
use std::process::ExitCode;

/// Version 1: one vCPU on one physical CPU.
#[derive(Default)]
struct V1 {
    vcpu: v1::VirtualCpu,
}

impl Version for V1 {
    fn prepare(&mut self, machine: &mut Machine) {
        v1::prepare(&machine.boot, machine.pcpu.context());
    }

    fn run(&mut self, machine: &mut Machine) -> Ending {
        let Machine {
            pcpu, bus, host, ..
        } = machine;
        v1::monitor::run(&mut self.vcpu, pcpu, bus, host)
    }
}

fn main() -> ExitCode {
    stand::main(V1::default())
}
