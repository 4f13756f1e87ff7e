//! When VMs sleep, and when they should be woken.
//!
//! Sets the machine's records against a model of each VM's APIC, which follows
//! from what the guest wrote to it: so it is known when a halted guest's timer
//! is due, whatever the version's queues say.

use super::HostRun;
use common::devices::Apic;
use common::trace::{Device, Event};
use common::{Exit, Time, bus};

/// A VM executed `hlt`, and no interrupt was there for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nap {
    /// Which VM.
    pub vm: u32,
    /// When it halted.
    pub halted: Time,
    /// Which record says so.
    pub at: usize,
    /// When its timer is due; [`Time::NEVER`] if it does not run.
    pub due: Time,
    /// When it was given an interrupt, and which record says so; `None` if it
    /// never was.
    pub woken: Option<(Time, usize)>,
    /// The record of the first thing that it did before that: it should have
    /// slept.
    pub stirred: Option<usize>,
}

impl Nap {
    /// How long it waited for the CPU behind its timer's tick.
    pub fn late(&self) -> u64 {
        self.woken.map_or(0, |(woken, _)| woken.since(self.due))
    }

    /// Whether it has nothing to do at `time` because of this nap.
    pub fn covers(&self, time: Time) -> bool {
        self.halted <= time && time < self.due
    }
}

/// The naps of a VM with one vCPU, in their order.
pub fn naps(run: &HostRun, vm: u32) -> Vec<Nap> {
    let mut apic = Apic::new(0);
    let mut naps: Vec<Nap> = Vec::new();
    let mut asleep = false;
    for (at, _, record) in run.records_of(vm) {
        apic.advance(record.time);
        match record.event {
            Event::Device(access) if access.device == Device::Apic => {
                let offset = access.address.wrapping_sub(bus::APIC) as u16;
                match access.write {
                    true => drop(apic.write(record.time, offset, access.value as u32)),
                    false => drop(apic.read(record.time, offset)),
                }
            }
            Event::Inject(_) => {
                if apic.pending().is_some() {
                    apic.acknowledge();
                }
                if let Some(nap) = naps.last_mut().filter(|_| asleep) {
                    nap.woken = Some((record.time, at));
                }
                asleep = false;
            }
            Event::Exit(Exit::Halted) if apic.pending().is_none() && !asleep => {
                asleep = true;
                naps.push(Nap {
                    vm,
                    halted: record.time,
                    at,
                    due: apic.deadline(),
                    woken: None,
                    stirred: None,
                });
            }
            Event::Trap { .. } => {
                if let Some(nap) = naps.last_mut().filter(|_| asleep) {
                    nap.stirred.get_or_insert(at);
                }
            }
            _ => {}
        }
    }
    naps
}

/// The naps of all VMs.
pub fn all_naps(run: &HostRun) -> Vec<Nap> {
    run.vms().flat_map(|vm| naps(run, vm)).collect()
}
