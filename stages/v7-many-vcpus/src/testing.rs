//! Helpers for the tests beside the code.

use crate::{Mitigation, Scheduler};
use common::devices::Apic;
use common::drive::{Order, Outcome, Progress, Schedule, Stepper, nothing};
use common::scripted::{Play, ScriptedVcpu, switched_on};
use common::{Bus, Pcpu, Time};
use v5::{Id, Processor};
use v6::Settings;

/// A host of several physical CPUs, with slices of 1,000 ticks.
pub(crate) struct Host {
    pub(crate) scheduler: Scheduler<ScriptedVcpu>,
    pub(crate) pcpus: Vec<Pcpu<()>>,
}

impl Host {
    pub(crate) fn new(pcpus: usize, mitigation: Mitigation) -> Host {
        let pcpus: Vec<_> = (0..pcpus).map(|id| Pcpu::new(id, ())).collect();
        let kicks = pcpus.iter().map(|pcpu| pcpu.kick.clone());
        Host {
            scheduler: Scheduler::new(kicks, 1_000, mitigation),
            pcpus,
        }
    }

    /// Starts a VM with a vCPU for each script.
    pub(crate) fn start(&self, scripts: &[Vec<Play>], settings: Settings) -> Id {
        let processors = (0..).zip(scripts).map(|(number, script)| {
            let vcpu = ScriptedVcpu::new(script.iter().copied());
            Processor::new(vcpu, switched_on(Apic::new(number)), ())
        });
        let bus = Bus::new(Box::new(std::io::sink()));
        let id = self.scheduler.create(processors, bus, settings);
        self.scheduler.start(id, Time::ZERO).unwrap();
        id
    }

    /// Runs with the stepper until `limit`, and audits after each step.
    pub(crate) fn run(&mut self, order: Order, limit: u64) -> Outcome {
        let Host { scheduler, pcpus } = self;
        let mut audited = Audited(scheduler);
        Stepper::new(order).run(&mut audited, pcpus, Time(limit), &mut nothing)
    }

    /// How long a vCPU has run.
    pub(crate) fn time_of(&self, id: Id, vcpu: u8) -> u64 {
        let now = self.pcpus.iter().map(|pcpu| pcpu.now).max().unwrap();
        self.scheduler.account(id, vcpu, now).unwrap().run
    }
}

struct Audited<'a>(&'a Scheduler<ScriptedVcpu>);

impl Schedule<()> for Audited<'_> {
    fn schedule_once(&mut self, pcpu: &mut Pcpu<()>) -> Progress {
        let progress = self.0.schedule_once(pcpu);
        self.0.audit().unwrap();
        progress
    }
}
