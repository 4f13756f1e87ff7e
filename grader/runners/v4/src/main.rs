//! Runs one guest under version 4, and reports what the machine saw.
//!
//! It stands outside the stage crate, so that the crate can break neither it
//! nor the runners of other versions. It never judges. It also joins the thread
//! kernel with the student's pieces: their code runs in this process only.

#[path = "../../face_v2.rs"]
mod face_v2;
#[path = "../../face_v3.rs"]
mod face_v3;
#[path = "../../spy.rs"]
mod spy;

use common::{Boot, Context, Cpu, Ending, Vcpu};
use evidence::session::Session;
use evidence::stand::{self, Machine, Version};
use evidence::{Scenario, ThreadKernel};
use spy::Spy;
use std::io;
use std::process::ExitCode;

/// Version 4: version 3's virtual CPU and monitor, and guests with the student's
/// pieces. Nothing else of version 4 is used.
struct V4;

/// What version 4 re-exports *is* version 3's, or this does not compile.
const _: fn(v4::VirtualCpu) -> v3::VirtualCpu = |vcpu| vcpu;
const _: fn(v4::Core) -> v3::Core = |core| core;

impl Version for V4 {
    type VirtualCpu = v3::VirtualCpu;

    fn spied(session: &Session) -> impl Vcpu<Cpu = Box<dyn Cpu>> {
        let spy = Spy::new(v3::Core::default(), face_v3::FACE, session);
        v1::virtual_cpu::VirtualCpu::new(spy)
    }

    fn image(scenario: &Scenario) -> io::Result<Vec<u8>> {
        let Some(ThreadKernel { guest, seed }) = &scenario.threads else {
            return std::fs::read(&scenario.image);
        };
        let guest = guests::v4::guest(guest)
            .ok_or_else(|| io::Error::other(format!("there is no thread kernel '{guest}'")))?;
        let image = guest.build(&v4::THREADS, *seed).elf();
        std::fs::write(&scenario.image, &image)?;
        Ok(image)
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
    stand::main::<V4>()
}
