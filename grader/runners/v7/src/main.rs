//! Runs VMs under version 7, and reports what the machine saw; or tries its
//! scheduler in many orders of its threads.
//!
//! It stands outside the stage crate, so that the crate can break neither it
//! nor the runners of other versions. It never judges.

#[path = "../../claim.rs"]
mod claim;
#[path = "../../orders_v7.rs"]
mod orders;
#[path = "../../watched.rs"]
mod watched;

use common::drive::Progress;
use common::{Context, PauseFilter, Pcpu, Time};
use evidence::engine::HardwareVcpu;
use evidence::host::{self, Claim, Deed, Host, Hypervisor, Policy, VmParts};
use std::process::ExitCode;
use v5::{Id, LifecycleError, Processor, Weight};
use v6::{Affinity, Settings};
use v7::{Core, Mitigation, Scheduler, VirtualCpu};
use watched::{Make, Tenant, Watched};

/// Version 7: VMs with many vCPUs on many physical CPUs, which share this.
struct V7<'a, V: Tenant> {
    scheduler: &'a Scheduler<Watched<V>>,
    make: Make<V>,
}

/// A loop that has paused so often, with so few instructions between two pauses,
/// waits for somebody: about what an AMD host's KVM uses, scaled to our slices.
const PAUSES: u32 = 64;
const GAP: u64 = 16;

impl<V: Tenant> Clone for V7<'_, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V: Tenant> Copy for V7<'_, V> {}

impl<V: Tenant> Hypervisor for V7<'_, V> {
    type Cpu = V::Cpu;

    fn create(&mut self, parts: VmParts<V::Cpu>) {
        let make = self.make;
        let processors = parts.vcpus.into_iter().map(|vcpu| {
            let (made, saved) = make(vcpu.start);
            Processor::new(Watched::new(made, vcpu.eye), vcpu.apic, saved)
        });
        let settings = Settings {
            weight: Weight::new(parts.weight).unwrap_or_else(|error| panic!("{error}")),
            affinity: parts.affinity.map_or(Affinity::ANY, Affinity::of_mask),
            home: parts.home,
        };
        self.scheduler.create(processors, parts.bus, settings);
    }

    fn carry_out(&mut self, deed: Deed, now: Time) -> Result<(), String> {
        let scheduler = self.scheduler;
        match deed {
            Deed::Start(vm) => scheduler.start(Id(vm), now).map_err(in_words),
            Deed::Pause(vm) => scheduler.pause(Id(vm), now).map_err(in_words),
            Deed::Resume(vm) => scheduler.resume(Id(vm), now).map_err(in_words),
            Deed::ShutDown(vm) => scheduler.shut_down(Id(vm), now).map_err(in_words),
            Deed::Destroy(vm) => scheduler.destroy(Id(vm)).map_err(in_words),
            Deed::Unplug(pcpu) => scheduler.unplug(pcpu).map_err(in_words),
            Deed::Plug(pcpu) => scheduler.plug(pcpu).map_err(in_words),
        }
    }

    fn schedule_once(&mut self, pcpu: &mut Pcpu<V::Cpu>) -> Progress {
        self.scheduler.schedule_once(pcpu)
    }

    fn claim(&self, vm: u32, now: Time) -> Option<Claim> {
        claim_of(self.scheduler, Id(vm), now).ok()
    }
}

/// What the scheduler says of a VM: the accounts of its vCPUs added up, and the
/// state of one that has not ended, if there is one.
fn claim_of<V: Tenant>(
    scheduler: &Scheduler<Watched<V>>,
    vm: Id,
    now: Time,
) -> Result<Claim, LifecycleError> {
    let vcpu = |vcpu| {
        let state = scheduler.state(vm, vcpu)?;
        Ok(claim::claim(state, scheduler.account(vm, vcpu, now)?))
    };
    let mut whole: Claim = vcpu(0)?;
    for number in 1..scheduler.vcpus(vm)? {
        let one = vcpu(number)?;
        if whole.ending.is_some() {
            whole.state = one.state;
        }
        whole.account.run += one.account.run;
        whole.account.waiting += one.account.waiting;
        whole.account.halted += one.account.halted;
        whole.account.paused += one.account.paused;
        whole.ending = whole.ending.and(one.ending);
    }
    whole.ending = scheduler.ending(vm)?;
    Ok(whole)
}

fn in_words(error: impl std::error::Error) -> String {
    error.to_string()
}

fn run<V: Tenant>(host: Host<V::Cpu>, make: Make<V>) {
    let mitigation = match host.policy() {
        Policy::None => Mitigation::None,
        Policy::SpinExits => Mitigation::SpinExits,
        Policy::YieldPort => Mitigation::YieldPort,
        Policy::CoScheduling => Mitigation::CoScheduling,
    };
    let scheduler = &Scheduler::new(host.kicks(), host.slice(), mitigation);
    host.drive(V7 { scheduler, make });
}

/// The version's own virtual CPU, and the context in which it begins.
fn on_software(context: Context) -> (VirtualCpu, Context) {
    (VirtualCpu::new(Core::new(None)), context)
}

/// The same, and it tells of spin loops.
fn on_watchful_software(context: Context) -> (VirtualCpu, Context) {
    let filter = PauseFilter::new(PAUSES, GAP);
    (VirtualCpu::new(Core::new(Some(filter))), context)
}

fn main() -> ExitCode {
    if let Some(code) = search::asked(orders::SCENARIOS) {
        return code;
    }
    host::main(
        v1::prepare,
        |host| match host.policy() {
            Policy::SpinExits => run(host, on_watchful_software),
            _ => run(host, on_software),
        },
        |host| run::<HardwareVcpu>(host, |vcpu| (vcpu, ())),
    )
}
