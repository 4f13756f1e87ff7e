//! Runs one guest under version 3, and reports what the machine saw.
//!
//! It stands outside the stage crate, so that the crate can break neither it
//! nor the runners of other versions. It never judges.

#[path = "../../face_v2.rs"]
mod face_v2;
#[path = "../../face_v3.rs"]
mod face_v3;
#[path = "../../spy.rs"]
mod spy;

use common::{Boot, Context, Cpu, Ending, Vcpu};
use evidence::session::Session;
use evidence::stand::{self, Machine, Version};
use spy::Spy;
use std::process::ExitCode;

/// Version 3: one vCPU on one physical CPU, and a guest with a user mode. The monitor is version 2's.
struct V3;

impl Version for V3 {
    type VirtualCpu = v3::VirtualCpu;

    fn spied(session: &Session) -> impl Vcpu<Cpu = Box<dyn Cpu>> {
        let spy = Spy::new(v3::Core::default(), face_v3::FACE, session);
        v1::virtual_cpu::VirtualCpu::new(spy)
    }

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
