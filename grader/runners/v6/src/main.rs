//! Runs VMs under version 6, and reports what the machine saw; or tries its
//! scheduler in many orders of its threads.
//!
//! It stands outside the stage crate, so that the crate can break neither it
//! nor the runners of other versions. It never judges.

#[path = "../../claim.rs"]
mod claim;
#[path = "../../orders_v6.rs"]
mod orders;
#[path = "../../watched.rs"]
mod watched;

use common::drive::Progress;
use common::{Cpu, Pcpu, Time};
use evidence::host::{self, Claim, Deed, Hypervisor, VmParts};
use std::process::ExitCode;
use v5::{Id, Processor, Vm, Weight};
use v6::{Affinity, Scheduler, Settings};
use watched::Watched;

/// Version 6: many VMs on many physical CPUs, which share this.
#[derive(Clone, Copy)]
struct V6<'a>(&'a Scheduler<Vm<Watched<v3::VirtualCpu>>>);

impl Hypervisor for V6<'_> {
    fn create(&mut self, parts: VmParts) {
        let mut vcpus = parts.vcpus.into_iter();
        let (Some(vcpu), None) = (vcpus.next(), vcpus.next()) else {
            panic!("a vm of version 6 has one vcpu");
        };
        let watched = Watched::new(v3::VirtualCpu::default(), vcpu.eye);
        let processor = Processor::new(watched, vcpu.apic, vcpu.context);
        let settings = Settings {
            weight: Weight::new(parts.weight).unwrap_or_else(|error| panic!("{error}")),
            affinity: parts.affinity.map_or(Affinity::ANY, Affinity::of_mask),
            home: parts.home,
        };
        self.0.create(Vm::new(processor, parts.bus), settings);
    }

    fn carry_out(&mut self, deed: Deed, now: Time) -> Result<(), String> {
        match deed {
            Deed::Start(vm) => self.0.start(Id(vm), now).map_err(in_words),
            Deed::Pause(vm) => self.0.pause(Id(vm), now).map_err(in_words),
            Deed::Resume(vm) => self.0.resume(Id(vm), now).map_err(in_words),
            Deed::ShutDown(vm) => self.0.shut_down(Id(vm), now).map_err(in_words),
            Deed::Destroy(vm) => self.0.destroy(Id(vm)).map_err(in_words),
            Deed::Unplug(pcpu) => self.0.unplug(pcpu).map_err(in_words),
            Deed::Plug(pcpu) => self.0.plug(pcpu).map_err(in_words),
        }
    }

    fn schedule_once(&mut self, pcpu: &mut Pcpu<Box<dyn Cpu>>) -> Progress {
        self.0.schedule_once(pcpu)
    }

    fn audit(&self) -> Result<(), String> {
        self.0.audit().map_err(|wrong| format!("vm {wrong}"))
    }

    fn claim(&self, vm: u32, now: Time) -> Option<Claim> {
        let state = self.0.state(Id(vm)).ok()?;
        let account = self.0.account(Id(vm), now).ok()?;
        Some(claim::claim(state, account))
    }
}

fn in_words(error: impl std::error::Error) -> String {
    error.to_string()
}

fn main() -> ExitCode {
    if let Some(code) = search::asked(orders::SCENARIOS) {
        return code;
    }
    host::main(v1::prepare, |host| {
        let scheduler = Scheduler::new(host.kicks(), host.slice());
        host.drive(V6(&scheduler));
    })
}
