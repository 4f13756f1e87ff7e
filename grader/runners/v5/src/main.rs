//! Runs VMs under version 5, and reports what the machine saw.
//!
//! It stands outside the stage crate, so that the crate can break neither it
//! nor the runners of other versions. It never judges.

#[path = "../../claim.rs"]
mod claim;
#[path = "../../watched.rs"]
mod watched;

use common::drive::Progress;
use common::{Cpu, Kick, Pcpu, Time};
use evidence::host::{self, Claim, Deed, Host, Hypervisor, VmParts};
use std::process::ExitCode;
use v5::{Id, LifecycleError, Processor, Scheduler, Vm, Weight};
use watched::Watched;

/// Version 5: many VMs on one physical CPU.
struct V5 {
    scheduler: Scheduler<Watched<v3::VirtualCpu>>,
    /// The physical CPU's, for when it sleeps and there is something to do.
    kick: Kick,
    sleeps: bool,
}

impl V5 {
    fn new(host: &Host) -> V5 {
        let [kick] = &host.kicks()[..] else {
            panic!("version 5 has one physical cpu");
        };
        V5 {
            scheduler: Scheduler::new(host.slice()),
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

impl Hypervisor for V5 {
    fn create(&mut self, parts: VmParts) {
        let mut vcpus = parts.vcpus.into_iter();
        let (Some(vcpu), None) = (vcpus.next(), vcpus.next()) else {
            panic!("a vm of version 5 has one vcpu");
        };
        let watched = Watched::new(v3::VirtualCpu::default(), vcpu.eye);
        let processor = Processor::new(watched, vcpu.apic, vcpu.context);
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

    fn schedule_once(&mut self, pcpu: &mut Pcpu<Box<dyn Cpu>>) -> Progress {
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

fn main() -> ExitCode {
    host::main(v1::prepare, |host| {
        let version = V5::new(&host);
        host.step(version);
    })
}
