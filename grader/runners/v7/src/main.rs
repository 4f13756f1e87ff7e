//! Runs VMs under version 7, and reports what the machine saw; or tries its
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
#[path = "../../orders_v7.rs"]
mod orders;
#[path = "../../spy.rs"]
mod spy;
#[path = "../../watched.rs"]
mod watched;

use common::drive::Progress;
use common::{PauseFilter, Pcpu, Time};
use evidence::engine::HardwareVcpu;
use evidence::host::{self, Claim, Deed, Host, Hypervisor, Policy, VmParts};
use evidence::session::Session;
use spy::{Face, Spy};
use std::process::ExitCode;
use v5::{Id, LifecycleError, Processor, Weight};
use v6::{Affinity, Settings};
use v7::{Core, Mitigation, Scheduler, VirtualCpu};
use watched::{Make, Tenant, Watched};

/// Version 7: VMs with many vCPUs on many physical CPUs, which share this.
struct V7<'a, V: Tenant> {
    scheduler: &'a Scheduler<Watched<V>>,
    make: Make<'a, V>,
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

fn run<V: Tenant>(host: Host<V::Cpu>, make: Make<'_, V>) {
    let mitigation = match host.policy() {
        Policy::None => Mitigation::None,
        Policy::SpinExits => Mitigation::SpinExits,
        Policy::YieldPort => Mitigation::YieldPort,
        Policy::CoScheduling => Mitigation::CoScheduling,
    };
    let scheduler = &Scheduler::new(host.kicks(), host.slice(), mitigation);
    host.drive(V7 { scheduler, make });
}

/// The version's own virtual CPU, with somebody who looks at what it decides.
fn spied(core: Core, session: &Session) -> v1::virtual_cpu::VirtualCpu<Spy<Core>> {
    let face = Face {
        state: |core: &Core| face_v3::state(&core.below),
        set_interrupts: Some(|core: &mut Core, open| {
            face_v2::set_interrupts(&mut core.below.below, open);
        }),
    };
    v1::virtual_cpu::VirtualCpu::new(Spy::new(core, face, session))
}

fn main() -> ExitCode {
    if let Some(code) = search::asked(orders::SCENARIOS) {
        return code;
    }
    host::main(
        v1::prepare,
        |host| {
            let filter = match host.policy() {
                Policy::SpinExits => Some(PauseFilter::new(PAUSES, GAP)),
                _ => None,
            };
            let core = || Core::new(filter);
            match host.session() {
                None => run(host, &|context| (VirtualCpu::new(core()), context)),
                Some(session) => run(host, &|context| (spied(core(), &session), context)),
            }
        },
        |host| run::<HardwareVcpu>(host, &|vcpu| (vcpu, ())),
    )
}
