//! Helpers for the tests beside the code.

use crate::{Processor, Scheduler, Vm};
use common::devices::Apic;
use common::devices::apic::register;
use common::drive::Order;
use common::drive::{Outcome, Stepper, nothing};
use common::scripted::{Play, ScriptedVcpu};
use common::{Bus, Exit, Pcpu, Size, Time, bus};

/// The vector of the timer that [`apic_with_timer`] starts.
pub(crate) const TIMER: u8 = 32;

/// An APIC whose timer ticks every `period`.
pub(crate) fn apic_with_timer(period: u32) -> Apic {
    const PERIODIC: u32 = 1 << 17;
    const DIVIDE_BY_1: u32 = 0b1011;
    let mut apic = Apic::new(0);
    for (register, value) in [
        (register::SPURIOUS, 0x1ff),
        (register::DIVIDE, DIVIDE_BY_1),
        (register::TIMER, PERIODIC | u32::from(TIMER)),
        (register::INITIAL_COUNT, period),
    ] {
        apic.write(Time::ZERO, register, value);
    }
    apic
}

/// A VM that plays `script`, with this APIC.
pub(crate) fn vm(apic: Apic, script: &[Play]) -> Vm<ScriptedVcpu> {
    let vcpu = ScriptedVcpu::new(script.iter().copied());
    Vm::new(
        Processor::new(vcpu, apic, ()),
        Bus::new(Box::new(std::io::sink())),
    )
}

/// The exit by which a guest ends well.
pub(crate) const SWITCH_OFF: Play = Play::Exit(Exit::PortOut {
    port: bus::EXIT_PORT,
    size: Size::Byte,
    value: 0,
});

/// The exit by which a guest says that it has served an interrupt.
pub(crate) const END_OF_INTERRUPT: Play = Play::Exit(Exit::Mmio(common::Mmio {
    gpa: bus::APIC + register::EOI as u64,
    size: Size::Dword,
    operation: common::MmioOperation::Write(0),
}));

/// Runs until all is over or until `limit`.
pub(crate) fn run(
    scheduler: &mut Scheduler<ScriptedVcpu>,
    pcpu: &mut Pcpu<()>,
    limit: u64,
) -> Outcome {
    let pcpus = std::slice::from_mut(pcpu);
    Stepper::new(Order::Fair(0)).run(scheduler, pcpus, Time(limit), &mut nothing)
}
