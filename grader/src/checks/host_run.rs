//! One run of many VMs, with what each of them should have done.

mod expect;
mod failing;

use crate::fate::Fate;
use crate::host_order::{HostObservation, HostOrder};
use crate::host_trace;
use crate::vm_fate::VmFate;
use common::Time;
use common::trace::{Event, Record, VcpuName};
use evidence::host::{Account, RunEvidence};
use guests::catalogue::Expected;
use std::collections::BTreeMap;
use std::rc::Rc;

/// A run of many VMs.
pub struct HostRun {
    /// What became of the whole; `None` if it was over as it should be, which
    /// says nothing of the VMs.
    pub fate: Option<Fate>,
    /// What was asked for, with this run's seed.
    pub order: HostOrder,
    stage: &'static str,
    observation: Rc<HostObservation>,
    /// Which of the observation's runs this is.
    number: usize,
}

/// A vCPU was on a physical CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stay {
    /// Which.
    pub vcpu: VcpuName,
    /// On which.
    pub pcpu: usize,
    /// From this time by the physical CPU's clock.
    pub from: Time,
    /// Until this time.
    pub to: Time,
    /// Which record says that it came.
    pub at: usize,
}

/// What is known of a run of which there is no evidence.
static NOTHING: RunEvidence = RunEvidence::none();

impl HostRun {
    /// All runs that were observed, in the order of their seeds; one at least.
    pub fn all(stage: &'static str, observation: HostObservation) -> Vec<HostRun> {
        let observation = Rc::new(observation);
        let runs = observation.evidence.runs.len();
        let run = |number: usize| HostRun {
            fate: fate(&observation, number),
            order: {
                let mut order = observation.order.clone();
                order.scenario.order = order.scenario.order.later(number as u64);
                order.seeds(1)
            },
            stage,
            observation: Rc::clone(&observation),
            number,
        };
        (0..runs.max(1)).map(run).collect()
    }

    /// What was reported of it.
    pub fn evidence(&self) -> &RunEvidence {
        let runs = &self.observation.evidence.runs;
        runs.get(self.number).unwrap_or(&NOTHING)
    }

    /// The numbers of the VMs.
    pub fn vms(&self) -> std::ops::Range<u32> {
        0..self.order.vms.len() as u32
    }

    /// What became of a VM.
    pub fn fate_of(&self, vm: u32) -> VmFate {
        VmFate::of(self.evidence(), vm)
    }

    /// When it was known that a VM had ended.
    pub fn ended_at(&self, vm: u32) -> Option<Time> {
        let ended = &self.evidence().ended;
        let found = ended.iter().find(|ended| ended.vm == vm);
        found.map(|ended| ended.time)
    }

    /// What a VM printed.
    pub fn console(&self, vm: u32) -> &[u8] {
        self.evidence().consoles.get(&vm).map_or(&[], Vec::as_slice)
    }

    /// Where a VM's time went, says the version.
    pub fn account(&self, vm: u32) -> Option<Account> {
        let claim = self.evidence().vms.get(&vm)?.claim.as_ref()?;
        Some(claim.account)
    }

    /// For how many ticks a VM's vCPUs really ran, all together.
    pub fn ran(&self, vm: u32) -> u64 {
        let end = self.evidence().vms.get(&vm);
        end.map_or(0, |end| end.vcpus.iter().map(|vcpu| vcpu.ran).sum())
    }

    /// What a guest counted in a variable of this name.
    pub fn probe(&self, vm: u32, name: &str) -> Option<&[u64]> {
        let end = self.evidence().vms.get(&vm)?;
        let found = end.probes.iter().find(|(probe, _)| probe == name);
        found.map(|(_, values)| values.as_slice())
    }

    /// What a VM's model says; `None` for an image that is in no catalogue.
    pub fn expected(&self, vm: u32) -> Option<Expected> {
        let vm = &self.order.vms[vm as usize];
        Some(vm.guest?.expected(vm.seed))
    }

    /// What happened, each with its place among all records and the vCPU that it
    /// belongs to.
    pub fn records(&self) -> impl Iterator<Item = (usize, Option<VcpuName>, &Record)> {
        let owned = host_trace::owned(&self.evidence().records).enumerate();
        owned.map(|(at, (vcpu, record))| (at, vcpu, record))
    }

    /// What happened to a VM.
    pub fn records_of(&self, vm: u32) -> impl Iterator<Item = (usize, VcpuName, &Record)> {
        self.records()
            .filter_map(|(at, vcpu, record)| Some((at, vcpu?, record)))
            .filter(move |(_, vcpu, _)| vcpu.vm == vm)
    }

    /// Who was on which physical CPU and when, in the order in which they came.
    pub fn stays(&self) -> Vec<Stay> {
        let end = self.evidence().end.as_ref();
        let clock = |pcpu: usize| end.and_then(|end| end.clocks.get(pcpu).copied());
        let mut open: BTreeMap<usize, usize> = BTreeMap::new();
        let mut stays: Vec<Stay> = Vec::new();
        for (at, record) in self.evidence().records.iter().enumerate() {
            let &Record { pcpu, time, .. } = record;
            if !matches!(record.event, Event::Runs(_) | Event::Idle) {
                continue;
            }
            if let Some(stay) = open.remove(&pcpu) {
                stays[stay].to = time;
            }
            if let Event::Runs(vcpu) = record.event {
                open.insert(pcpu, stays.len());
                stays.push(Stay {
                    vcpu,
                    pcpu,
                    from: time,
                    to: clock(pcpu).unwrap_or(time),
                    at,
                });
            }
        }
        stays.sort_by_key(|stay| (stay.from, stay.at));
        stays
    }

    /// The stays of a VM's vCPUs that began elsewhere than the one before ended:
    /// so often it moved.
    pub fn migrations(&self, vm: u32) -> Vec<Stay> {
        let mut last = BTreeMap::new();
        let mut moved = self.stays();
        moved.retain(|stay| {
            stay.vcpu.vm == vm
                && last
                    .insert(stay.vcpu, stay.pcpu)
                    .is_some_and(|pcpu| pcpu != stay.pcpu)
        });
        moved
    }
}

/// What became of one of the runs that were observed.
fn fate(observation: &HostObservation, number: usize) -> Option<Fate> {
    let evidence = &observation.evidence;
    let run = evidence.runs.get(number).unwrap_or(&NOTHING);
    Fate::of_host(evidence, run, observation.finished.as_ref()?)
}

#[cfg(test)]
mod tests;
