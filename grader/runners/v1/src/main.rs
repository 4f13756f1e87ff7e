//! Runs one guest under version 1, and reports what the machine saw.
//!
//! It stands outside the stage crate, so that the crate can break neither it
//! nor the runners of other versions. It never judges.

use common::{Boot, Context, Ending, Vcpu};
use evidence::stand::{self, Machine, Version};
use std::process::ExitCode;

/// Version 1: one vCPU on one physical CPU.
struct V1;

impl Version for V1 {
    type VirtualCpu = v1::VirtualCpu;

    fn prepare(boot: &Boot, context: &mut Context) {
        v1::prepare(boot, context);
    }

    fn run<V: Vcpu>(vcpu: &mut V, machine: &mut Machine<V::Cpu>) -> Ending {
        let Machine {
            pcpu, bus, host, ..
        } = machine;
        v1::monitor::run(vcpu, pcpu, bus, host)
    }
}

fn main() -> ExitCode {
    stand::main::<V1>()
}
