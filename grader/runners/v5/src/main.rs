//! Runs VMs under version 5, and reports what the machine saw.
//!
//! It stands outside the stage crate, so that the crate can break neither it
//! nor the runners of other versions. It never judges.

#[path = "../../claim.rs"]
mod claim;
#[path = "../../face_v2.rs"]
mod face_v2;
#[path = "../../face_v3.rs"]
mod face_v3;
#[path = "../../spy.rs"]
mod spy;
#[path = "../../watched.rs"]
mod watched;

use common::drive::Progress;
use common::{Kick, Pcpu, Time};
use evidence::engine::HardwareVcpu;
use evidence::host::{self, Claim, Deed, Host, Hypervisor, VmParts};
use evidence::session::Session;
use spy::Spy;
use std::process::ExitCode;
use v1::virtual_cpu::VirtualCpu;
use v5::{Id, LifecycleError, Processor, Scheduler, Vm, Weight};
use watched::{Make, Tenant, Watched};

/// Version 5: many VMs on one physical CPU.
struct V5<'a, V: Tenant> {
    scheduler: Scheduler<Watched<V>>,
    make: Make<'a, V>,
    /// The physical CPU's, for when it sleeps and there is something to do.
    kick: Kick,
    sleeps: bool,
}

impl<'a, V: Tenant> V5<'a, V> {
    fn new(host: &Host<V::Cpu>, make: Make<'a, V>) -> V5<'a, V> {
        let [kick] = &host.kicks()[..] else {
            panic!("version 5 has one physical cpu");
        };
        V5 {
            scheduler: Scheduler::new(host.slice()),
            make,
            kick: kick.clone(),
            sleeps: false,
        }
    }

    fn lifecycle(&mut self, deed: Deed, now: Time) -> Result<(), LifecycleError> {
        let scheduler = &mut self.scheduler;
        match deed {
            Deed::Start(vm) => scheduler.start(Id(vm), now),
            Deed::Pause(vm) => scheduler.pause(Id(vm), now),
            Deed::Resume(vm) => scheduler.resume(Id(vm), now),
            Deed::ShutDown(vm) => scheduler.shut_down(Id(vm), now),
            Deed::Destroy(vm) => scheduler.destroy(Id(vm)).map(drop),
            Deed::Unplug(_) | Deed::Plug(_) => panic!("version 5 keeps its physical cpu"),
        }
    }
}

impl<V: Tenant> Hypervisor for V5<'_, V> {
    type Cpu = V::Cpu;

    fn create(&mut self, parts: VmParts<V::Cpu>) {
        let mut vcpus = parts.vcpus.into_iter();
        let (Some(vcpu), None) = (vcpus.next(), vcpus.next()) else {
            panic!("a vm of version 5 has one vcpu");
        };
        let (made, saved) = (self.make)(vcpu.start);
        let processor = Processor::new(Watched::new(made, vcpu.eye), vcpu.apic, saved);
        let weight = Weight::new(parts.weight).unwrap_or_else(|error| panic!("{error}"));
        self.scheduler.create(Vm::new(processor, parts.bus), weight);
    }

    fn carry_out(&mut self, deed: Deed, now: Time) -> Result<(), String> {
        let done = self.lifecycle(deed, now);
        if self.sleeps {
            self.kick.kick();
        }
        done.map_err(|error| error.to_string())
    }

    fn schedule_once(&mut self, pcpu: &mut Pcpu<V::Cpu>) -> Progress {
        let progress = self.scheduler.schedule_once(pcpu);
        self.sleeps = progress != Progress::Ran;
        progress
    }

    fn claim(&self, vm: u32, now: Time) -> Option<Claim> {
        let state = self.scheduler.state(Id(vm)).ok()?;
        let account = self.scheduler.account(Id(vm), now).ok()?;
        Some(claim::claim(state, account))
    }
}

fn run<V: Tenant>(host: Host<V::Cpu>, make: Make<'_, V>) {
    let version = V5::new(&host, make);
    host.step(version);
}

/// The version's own virtual CPU, with somebody who looks at what it decides.
fn spied(session: &Session) -> VirtualCpu<Spy<v3::Core>> {
    VirtualCpu::new(Spy::new(v3::Core::default(), face_v3::FACE, session))
}

fn main() -> ExitCode {
    host::main(
        v1::prepare,
        |host| match host.session() {
            None => run(host, &|context| (v3::VirtualCpu::default(), context)),
            Some(session) => run(host, &|context| (spied(&session), context)),
        },
        |host| run::<HardwareVcpu>(host, &|vcpu| (vcpu, ())),
    )
}
