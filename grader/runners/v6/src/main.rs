//! Runs VMs under version 6, and reports what the machine saw; or tries its
//! scheduler in many orders of its threads.
//!
//! It stands outside the stage crate, so that the crate can break neither it
//! nor the runners of other versions. It never judges.

#[path = "../../claim.rs"]
mod claim;
#[path = "../../face_v2.rs"]
mod face_v2;
#[path = "../../face_v3.rs"]
mod face_v3;
#[path = "../../orders_v6.rs"]
mod orders;
#[path = "../../spy.rs"]
mod spy;
#[path = "../../watched.rs"]
mod watched;

use common::drive::Progress;
use common::{Pcpu, Time};
use evidence::engine::HardwareVcpu;
use evidence::host::{self, Claim, Deed, Host, Hypervisor, VmParts};
use evidence::session::Session;
use spy::Spy;
use std::process::ExitCode;
use v1::virtual_cpu::VirtualCpu;
use v5::{Id, Processor, Vm, Weight};
use v6::{Affinity, Scheduler, Settings};
use watched::{Make, Tenant, Watched};

/// Version 6: many VMs on many physical CPUs, which share this.
struct V6<'a, V: Tenant> {
    scheduler: &'a Scheduler<Vm<Watched<V>>>,
    make: Make<'a, V>,
}

impl<V: Tenant> Clone for V6<'_, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V: Tenant> Copy for V6<'_, V> {}

impl<V: Tenant> Hypervisor for V6<'_, V> {
    type Cpu = V::Cpu;

    fn create(&mut self, parts: VmParts<V::Cpu>) {
        let mut vcpus = parts.vcpus.into_iter();
        let (Some(vcpu), None) = (vcpus.next(), vcpus.next()) else {
            panic!("a vm of version 6 has one vcpu");
        };
        let (made, saved) = (self.make)(vcpu.start);
        let processor = Processor::new(Watched::new(made, vcpu.eye), vcpu.apic, saved);
        let settings = Settings {
            weight: Weight::new(parts.weight).unwrap_or_else(|error| panic!("{error}")),
            affinity: parts.affinity.map_or(Affinity::ANY, Affinity::of_mask),
            home: parts.home,
        };
        self.scheduler
            .create(Vm::new(processor, parts.bus), settings);
    }

    fn carry_out(&mut self, deed: Deed, now: Time) -> Result<(), String> {
        match deed {
            Deed::Start(vm) => self.scheduler.start(Id(vm), now).map_err(in_words),
            Deed::Pause(vm) => self.scheduler.pause(Id(vm), now).map_err(in_words),
            Deed::Resume(vm) => self.scheduler.resume(Id(vm), now).map_err(in_words),
            Deed::ShutDown(vm) => self.scheduler.shut_down(Id(vm), now).map_err(in_words),
            Deed::Destroy(vm) => self.scheduler.destroy(Id(vm)).map_err(in_words),
            Deed::Unplug(pcpu) => self.scheduler.unplug(pcpu).map_err(in_words),
            Deed::Plug(pcpu) => self.scheduler.plug(pcpu).map_err(in_words),
        }
    }

    fn schedule_once(&mut self, pcpu: &mut Pcpu<V::Cpu>) -> Progress {
        self.scheduler.schedule_once(pcpu)
    }

    fn audit(&self) -> Result<(), String> {
        self.scheduler
            .audit()
            .map_err(|wrong| format!("vm {wrong}"))
    }

    fn claim(&self, vm: u32, now: Time) -> Option<Claim> {
        let state = self.scheduler.state(Id(vm)).ok()?;
        let account = self.scheduler.account(Id(vm), now).ok()?;
        Some(claim::claim(state, account))
    }
}

fn in_words(error: impl std::error::Error) -> String {
    error.to_string()
}

fn run<V: Tenant>(host: Host<V::Cpu>, make: Make<'_, V>) {
    let scheduler = &Scheduler::new(host.kicks(), host.slice());
    host.drive(V6 { scheduler, make });
}

/// The version's own virtual CPU, with somebody who looks at what it decides.
fn spied(session: &Session) -> VirtualCpu<Spy<v3::Core>> {
    VirtualCpu::new(Spy::new(v3::Core::default(), face_v3::FACE, session))
}

fn main() -> ExitCode {
    if let Some(code) = search::asked(orders::SCENARIOS) {
        return code;
    }
    host::main(
        v1::prepare,
        |host| match host.session() {
            None => run(host, &|context| (v3::VirtualCpu::default(), context)),
            Some(session) => run(host, &|context| (spied(&session), context)),
        },
        |host| run::<HardwareVcpu>(host, &|vcpu| (vcpu, ())),
    )
}
