//! Helpers for the tests beside the code.

use crate::{Scheduler, Settings};
use common::devices::Apic;
use common::drive::{Order, Outcome, Progress, Schedule, Stepper};
use common::scripted::{Play, ScriptedVcpu};
use common::{Bus, Pcpu, Time};
use v5::{Id, Processor, Vm};

pub(crate) type Guests = Scheduler<Vm<ScriptedVcpu>>;

/// A host of several physical CPUs, with slices of 1,000 ticks.
pub(crate) struct Host {
    pub(crate) scheduler: Guests,
    pub(crate) pcpus: Vec<Pcpu<()>>,
    /// Who was running on each physical CPU after each step that took time.
    pub(crate) ran: Vec<(usize, Id)>,
}

impl Host {
    pub(crate) fn new(pcpus: usize) -> Host {
        let pcpus: Vec<_> = (0..pcpus).map(|id| Pcpu::new(id, ())).collect();
        let kicks = pcpus.iter().map(|pcpu| pcpu.kick.clone());
        Host {
            scheduler: Scheduler::new(kicks, 1_000),
            pcpus,
            ran: Vec::new(),
        }
    }

    pub(crate) fn create(&mut self, apic: Apic, script: &[Play], settings: Settings) -> Id {
        let vcpu = ScriptedVcpu::new(script.iter().copied());
        let bus = Bus::new(Box::new(std::io::sink()));
        let vm = Vm::new(Processor::new(vcpu, apic, ()), bus);
        self.scheduler.create(vm, settings)
    }

    pub(crate) fn start(&mut self, apic: Apic, script: &[Play], settings: Settings) -> Id {
        let id = self.create(apic, script, settings);
        self.scheduler.start(id, Time::ZERO).unwrap();
        id
    }

    pub(crate) fn hog(&mut self, settings: Settings) -> Id {
        self.start(Apic::new(0), &[Play::ComputeForEver], settings)
    }

    /// Runs with the stepper until `limit`, and audits after each step.
    pub(crate) fn run(&mut self, order: Order, limit: u64) -> Outcome {
        self.run_with(order, limit, Time::NEVER, |_| {})
    }

    /// The same, and something is asked of the scheduler at a time on the way.
    pub(crate) fn run_with(
        &mut self,
        order: Order,
        limit: u64,
        at: Time,
        mut ask: impl FnMut(&Guests) + Send,
    ) -> Outcome {
        let Host {
            scheduler,
            pcpus,
            ran,
        } = self;
        let mut audited = Audited { scheduler, ran };
        let mut control = |audited: &mut Audited<'_>, now: Time| {
            if now < at {
                return at;
            }
            ask(audited.scheduler);
            Time::NEVER
        };
        Stepper::new(order).run(&mut audited, pcpus, Time(limit), &mut control)
    }

    /// How long a VM has run.
    pub(crate) fn time_of(&self, id: Id) -> u64 {
        let now = self.pcpus.iter().map(|pcpu| pcpu.now).max().unwrap();
        self.scheduler.account(id, now).unwrap().run
    }

    /// On which physical CPUs somebody ran, without repetitions.
    pub(crate) fn path(&self, id: Id) -> Vec<usize> {
        let mine = self.ran.iter().filter(|(_, ran)| *ran == id);
        let mut path: Vec<_> = mine.map(|(pcpu, _)| *pcpu).collect();
        path.dedup();
        path
    }
}

struct Audited<'a> {
    scheduler: &'a Guests,
    ran: &'a mut Vec<(usize, Id)>,
}

impl Schedule<()> for Audited<'_> {
    fn schedule_once(&mut self, pcpu: &mut Pcpu<()>) -> Progress {
        let progress = self.scheduler.schedule_once(pcpu);
        self.scheduler.audit().unwrap();
        let current = self.scheduler.slots[pcpu.id].local().current;
        self.ran
            .extend(current.map(|current| (pcpu.id, current.id)));
        progress
    }
}
