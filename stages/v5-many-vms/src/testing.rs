//! Helpers for the tests beside the code.

use crate::{Processor, Scheduler, Vm};
use common::devices::Apic;
use common::drive::Order;
use common::drive::{Outcome, Stepper, nothing};
use common::scripted::{Play, ScriptedVcpu};
use common::{Bus, Pcpu, Time};

/// A VM that plays `script`, with this APIC.
pub(crate) fn vm(apic: Apic, script: &[Play]) -> Vm<ScriptedVcpu> {
    let vcpu = ScriptedVcpu::new(script.iter().copied()).with_interrupts_open();
    Vm::new(
        Processor::new(vcpu, apic, ()),
        Bus::new(Box::new(std::io::sink())),
    )
}

/// Runs until all is over or until `limit`.
pub(crate) fn run(
    scheduler: &mut Scheduler<ScriptedVcpu>,
    pcpu: &mut Pcpu<()>,
    limit: u64,
) -> Outcome {
    let pcpus = std::slice::from_mut(pcpu);
    Stepper::new(Order::Fair(0)).run(scheduler, pcpus, Time(limit), &mut nothing)
}
