//! Runs one guest under version 1, and reports what the machine saw.
//!
//! It stands outside the stage crate, so that the crate can break neither it
//! nor the runners of other versions. It never judges.

#[path = "../../spy.rs"]
mod spy;

use common::{Boot, Context, Cpu, Ending, Vcpu};
use evidence::session::Session;
use evidence::stand::{self, Machine, Version};
use spy::{Face, Spy};
use std::process::ExitCode;

/// Version 1: one vCPU on one physical CPU.
struct V1;

impl Version for V1 {
    type VirtualCpu = v1::VirtualCpu;

    fn spied(session: &Session) -> impl Vcpu<Cpu = Box<dyn Cpu>> {
        let face = Face {
            state: |_| Vec::new(),
            set_interrupts: None,
        };
        let spy = Spy::new(v1::Core::default(), face, session);
        v1::virtual_cpu::VirtualCpu::new(spy)
    }

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
