//! VMs, made of entries of version 6's scheduler. Given: nothing to do here.

use crate::{Machine, Mitigation, Vcpu};
use common::drive::{Progress, Schedule};
use common::sync::Mutex;
use common::{Bus, Ending, Kick, Pcpu, Time};
use std::collections::BTreeMap;
use std::sync::Arc;
use v5::{Account, Id, LifecycleError, Processor, State, Switch};
use v6::{Affinity, HotplugError, Settings};

/// The scheduler of all vCPUs of all VMs on all physical CPUs.
pub struct Scheduler<V: Switch> {
    entries: v6::Scheduler<Vcpu<V>>,
    machines: Mutex<Machines>,
    mitigation: Mitigation,
}

#[derive(Default)]
struct Machines {
    by_id: BTreeMap<Id, Arc<Machine>>,
    next: u32,
}

impl<V: Switch> Scheduler<V> {
    /// A scheduler without VMs (see [`v6::Scheduler::new`]).
    pub fn new(
        kicks: impl IntoIterator<Item = Kick>,
        slice: u64,
        mitigation: Mitigation,
    ) -> Scheduler<V> {
        Scheduler {
            entries: v6::Scheduler::new(kicks, slice),
            machines: Mutex::default(),
            mitigation,
        }
    }

    /// Takes in a VM of so many vCPUs as there are processors, numbered from 0.
    /// They do not run before [`start`](Scheduler::start). Each has the weight of
    /// the settings, so that a VM's time grows with its vCPUs.
    pub fn create(
        &self,
        processors: impl IntoIterator<Item = Processor<V>>,
        bus: Bus,
        settings: Settings,
    ) -> Id {
        let processors: Vec<_> = processors.into_iter().collect();
        let machine = Arc::new(Machine::new(bus, processors.len(), self.mitigation));
        let vcpus = (0..).zip(processors).map(|(number, processor)| {
            let vcpu = Vcpu::new(number, processor, Arc::clone(&machine));
            let home = settings.home.or(self.home(number, settings.affinity));
            self.entries.create(vcpu, Settings { home, ..settings })
        });
        machine.is_scheduled_as(vcpus.collect());
        let mut machines = self.machines.lock();
        let id = Id(machines.next);
        machines.next += 1;
        machines.by_id.insert(id, machine);
        id
    }

    /// Where a vCPU begins: beside its siblings, not behind them.
    fn home(&self, vcpu: u8, affinity: Affinity) -> Option<usize> {
        let pcpus = self.entries.pcpus();
        let mut near = (0..pcpus).map(|distance| (usize::from(vcpu) + distance) % pcpus);
        near.find(|pcpu| affinity.allows(*pcpu))
    }

    /// One turn on `pcpu` (see [`v6::Scheduler::schedule_once`]).
    pub fn schedule_once(&self, pcpu: &mut Pcpu<V::Cpu>) -> Progress {
        self.entries.schedule_once(pcpu)
    }

    /// Starts all vCPUs of a VM.
    ///
    /// # Errors
    /// If there is none, or it has been started before.
    pub fn start(&self, id: Id, now: Time) -> Result<(), LifecycleError> {
        self.for_each(id, |entry| self.entries.start(entry, now))
    }

    /// Stops all vCPUs of a VM until it is resumed.
    ///
    /// # Errors
    /// If there is none, or one of its vCPUs can't be paused now.
    pub fn pause(&self, id: Id, now: Time) -> Result<(), LifecycleError> {
        self.for_each_alive(id, |entry| self.entries.pause(entry, now))
    }

    /// Lets a paused VM go on.
    ///
    /// # Errors
    /// If there is none, or one of its vCPUs is not paused.
    pub fn resume(&self, id: Id, now: Time) -> Result<(), LifecycleError> {
        self.for_each_alive(id, |entry| self.entries.resume(entry, now))
    }

    /// Ends a VM from outside.
    ///
    /// # Errors
    /// If there is none.
    pub fn shut_down(&self, id: Id, now: Time) -> Result<(), LifecycleError> {
        self.machine(id)?.stop(Ending::Stopped, &self.entries, now);
        self.for_each_alive(id, |entry| self.entries.shut_down(entry, now))
    }

    /// Forgets a VM all of whose vCPUs have ended.
    ///
    /// # Errors
    /// If there is none, or one of its vCPUs has not ended.
    pub fn destroy(&self, id: Id) -> Result<(), LifecycleError> {
        for entry in self.machine(id)?.entries() {
            let (id, state) = (*entry, self.entries.state(*entry)?);
            if !matches!(state, State::Ended(_)) {
                let wanted = "ended";
                return Err(LifecycleError::WrongState { id, state, wanted });
            }
        }
        self.for_each(id, |entry| self.entries.destroy(entry))?;
        let machine = self.machines.lock().by_id.remove(&id);
        drop(machine);
        Ok(())
    }

    /// How a VM ended; nothing while it is on.
    ///
    /// # Errors
    /// If there is none.
    pub fn ending(&self, id: Id) -> Result<Option<Ending>, LifecycleError> {
        Ok(self.machine(id)?.ending())
    }

    /// How many vCPUs a VM has, those that have ended included.
    ///
    /// # Errors
    /// If there is none.
    pub fn vcpus(&self, id: Id) -> Result<u8, LifecycleError> {
        Ok(self.machine(id)?.entries().len() as u8)
    }

    /// What one vCPU of a VM is doing.
    ///
    /// # Errors
    /// If there is none.
    pub fn state(&self, id: Id, vcpu: u8) -> Result<State, LifecycleError> {
        self.entries.state(self.entry(id, vcpu)?)
    }

    /// Where the time of one vCPU went, until `now`.
    ///
    /// # Errors
    /// If there is none.
    pub fn account(&self, id: Id, vcpu: u8, now: Time) -> Result<Account, LifecycleError> {
        self.entries.account(self.entry(id, vcpu)?, now)
    }

    /// See [`v6::Scheduler::unplug`].
    ///
    /// # Errors
    /// As there.
    pub fn unplug(&self, pcpu: usize) -> Result<(), HotplugError> {
        self.entries.unplug(pcpu)
    }

    /// See [`v6::Scheduler::plug`].
    ///
    /// # Errors
    /// As there.
    pub fn plug(&self, pcpu: usize) -> Result<(), HotplugError> {
        self.entries.plug(pcpu)
    }

    /// See [`v6::Scheduler::audit`].
    ///
    /// # Errors
    /// As there.
    pub fn audit(&self) -> Result<(), String> {
        self.entries.audit()
    }

    fn machine(&self, id: Id) -> Result<Arc<Machine>, LifecycleError> {
        let machines = self.machines.lock();
        let machine = machines.by_id.get(&id).cloned();
        machine.ok_or(LifecycleError::NoSuchVm(id))
    }

    fn entry(&self, id: Id, vcpu: u8) -> Result<Id, LifecycleError> {
        let machine = self.machine(id)?;
        let entry = machine.entries().get(usize::from(vcpu)).copied();
        entry.ok_or(LifecycleError::NoSuchVm(id))
    }

    fn for_each(
        &self,
        id: Id,
        mut act: impl FnMut(Id) -> Result<(), LifecycleError>,
    ) -> Result<(), LifecycleError> {
        let machine = self.machine(id)?;
        machine.entries().iter().try_for_each(|entry| act(*entry))
    }

    /// The same, leaving out the vCPUs that have come to their end.
    fn for_each_alive(
        &self,
        id: Id,
        mut act: impl FnMut(Id) -> Result<(), LifecycleError>,
    ) -> Result<(), LifecycleError> {
        self.for_each(id, |entry| match act(entry) {
            Err(LifecycleError::WrongState {
                state: State::Ended(_),
                ..
            }) => Ok(()),
            done => done,
        })
    }
}

impl<V: Switch> Schedule<V::Cpu> for &Scheduler<V> {
    fn schedule_once(&mut self, pcpu: &mut Pcpu<V::Cpu>) -> Progress {
        Scheduler::schedule_once(self, pcpu)
    }
}

#[cfg(test)]
mod tests;
