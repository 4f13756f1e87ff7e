//! The monitor of version 2: that of version 1, and a local APIC whose timer
//! interrupts the guest.

use common::bus::{self, Bus};
use common::devices::{Apic, Ipi};
use common::{Ending, Exit, HostTimer, Mmio, MmioOperation, Pcpu, Tick, Time, Vcpu};
use std::ops::ControlFlow;

/// The number of the only vCPU.
const VCPU: u8 = 0;

/// Runs a guest until it ends.
pub fn run<V: Vcpu>(
    vcpu: &mut V,
    pcpu: &mut Pcpu<V::Cpu>,
    bus: &mut Bus,
    apic: &mut Apic,
    host: &mut HostTimer,
) -> Ending {
    loop {
        offer_interrupt(vcpu, pcpu, apic);
        let until = host.deadline().min(apic.deadline());
        let exit = pcpu.run(vcpu, until);
        if let ControlFlow::Break(ending) = on_exit(vcpu, pcpu, bus, apic, host, exit) {
            return ending;
        }
    }
}

/// Gives the guest the interrupt that is due, or asks to be told when it can
/// be given.
///
/// # Exercise v2-E4: a masked interrupt is held, not lost (second half)
///
/// Let the APIC's timer run up to now. If a vector is pending and the guest
/// takes interrupts, inject it, and only then acknowledge it: from that moment
/// the APIC counts it as in service. If the guest does not, the APIC keeps it;
/// ask for the window. With nothing pending, no window is wanted.
pub fn offer_interrupt<V: Vcpu>(vcpu: &mut V, pcpu: &mut Pcpu<V::Cpu>, apic: &mut Apic) {
    // BEGIN SOLUTION
    apic.advance(pcpu.now);
    let injected = apic
        .pending()
        .is_some_and(|vector| pcpu.inject(vcpu, vector).is_ok());
    if injected {
        apic.acknowledge();
    }
    vcpu.want_window(apic.pending().is_some());
    // END SOLUTION
    // STUB: apic.advance(pcpu.now);
    // STUB: if apic.pending().is_some() {
    // STUB:     todo!("v2-E4: give the guest the interrupt that is due");
    // STUB: }
}

/// Does what one exit asks for, and says whether the guest can go on. What is
/// not new in this version is version 1's.
pub fn on_exit<V: Vcpu>(
    vcpu: &mut V,
    pcpu: &mut Pcpu<V::Cpu>,
    bus: &mut Bus,
    apic: &mut Apic,
    host: &mut HostTimer,
    exit: Exit,
) -> ControlFlow<Ending> {
    match exit {
        Exit::Mmio(mmio) => {
            // With a single vCPU an IPI has nobody to go to but its sender.
            let sent = access_memory(vcpu, pcpu, apic, mmio);
            if let Some(ipi) = sent.filter(|ipi| ipi.reaches(VCPU, VCPU)) {
                apic.request(ipi.vector);
            }
        }
        Exit::WindowOpen => {}
        Exit::Halted => return wait_for_interrupt(vcpu, pcpu, apic, host),
        _ => return v1::monitor::on_exit(vcpu, pcpu, bus, host, exit),
    }
    ControlFlow::Continue(())
}

/// Carries an access to where there is no RAM to the APIC of the vCPU that makes
/// it. An interrupt that this sends to vCPUs comes back: the caller knows them.
pub fn access_memory<V: Vcpu>(
    vcpu: &mut V,
    pcpu: &mut Pcpu<V::Cpu>,
    apic: &mut Apic,
    mmio: Mmio,
) -> Option<Ipi> {
    let Mmio { gpa, size, .. } = mmio;
    let recorder = &mut pcpu.recorder;
    match mmio.operation {
        MmioOperation::Write(value) => {
            bus::write_memory(apic, recorder, pcpu.now, gpa, size, value)
        }
        _ => {
            let value = bus::read_memory(apic, recorder, pcpu.now, gpa, size);
            vcpu.complete(pcpu, value);
            None
        }
    }
}

/// The guest sleeps until an interrupt is due.
///
/// # Exercise v2-E7: idle
///
/// Nothing runs, so nothing but the clock moves: put `pcpu.now` forward to the
/// moment when the APIC's timer is due, and not past the host's deadline, at
/// which the host's timer must be told (its limit ends the wait). The guest
/// goes on once a vector is pending. If it sleeps with interrupts closed, or
/// nothing is pending and the timer will never be due, it sleeps for ever.
fn wait_for_interrupt<V: Vcpu>(
    vcpu: &mut V,
    pcpu: &mut Pcpu<V::Cpu>,
    apic: &mut Apic,
    host: &mut HostTimer,
) -> ControlFlow<Ending> {
    // BEGIN SOLUTION
    loop {
        apic.advance(pcpu.now);
        let due = apic.deadline();
        match apic.pending() {
            _ if !vcpu.can_inject() => return ControlFlow::Break(Ending::Halted),
            Some(_) => return ControlFlow::Continue(()),
            None if due == Time::NEVER => return ControlFlow::Break(Ending::Halted),
            None if pcpu.kick.take() => return ControlFlow::Break(Ending::Stopped),
            None => {}
        }
        pcpu.now = pcpu.now.max(due.min(host.deadline()));
        if host.tick(pcpu.now) == Tick::LimitReached {
            return ControlFlow::Break(Ending::OutOfTime);
        }
    }
    // END SOLUTION
    // STUB: todo!("v2-E7: sleep until an interrupt is due")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::VirtualCpu;
    use crate::testing::booted;
    use common::scripted::{Scripted, Step};
    use common::trace::Event;
    use common::{Context, Cpu, Size, SystemInstruction, Trap};

    const VECTOR: u8 = 32;

    /// A booted CPU that plays `steps`, under an APIC whose timer ticks every
    /// 100.
    fn machine(
        context: Context,
        core: crate::Core,
        steps: Vec<Step>,
    ) -> (Pcpu<Box<dyn Cpu>>, VirtualCpu, Apic) {
        let mut cpu = Scripted::new(context.space.memory.clone(), steps);
        *cpu.context() = context;
        let cpu: Box<dyn Cpu> = Box::new(cpu);
        let mut apic = Apic::new(VCPU);
        const PERIODIC: u32 = 1 << 17;
        const DIVIDE_BY_1: u32 = 0b1011;
        for (register, value) in [
            (0xf0, 0x1ff),
            (0x3e0, DIVIDE_BY_1),
            (0x320, PERIODIC | u32::from(VECTOR)),
            (0x380, 100),
        ] {
            apic.write(Time::ZERO, register, value);
        }
        (Pcpu::new(0, cpu), VirtualCpu::new(core), apic)
    }

    fn end(machine: &mut (Pcpu<Box<dyn Cpu>>, VirtualCpu, Apic), limit: u64) -> Ending {
        let (pcpu, vcpu, apic) = machine;
        let mut bus = Bus::new(Box::new(std::io::sink()));
        let mut host = HostTimer::new(1000, Time(limit));
        run(vcpu, pcpu, &mut bus, apic, &mut host)
    }

    fn injections(machine: &(Pcpu<Box<dyn Cpu>>, VirtualCpu, Apic)) -> Vec<Time> {
        let injected = |event| matches!(event, Event::Inject(VECTOR));
        let records = machine.0.recorder.last();
        records
            .filter(|record| injected(record.event))
            .map(|record| record.time)
            .collect()
    }

    fn system(instruction: SystemInstruction) -> Step {
        let length = 1;
        Step::new(
            Trap::System {
                instruction,
                length,
            },
            0,
        )
    }

    fn switch_off() -> Step {
        let (port, size) = (bus::EXIT_PORT, Size::Byte);
        system(SystemInstruction::Out { port, size })
    }

    #[test]
    fn a_tick_is_injected_when_it_is_due() {
        let (context, mut core) = booted();
        core.interrupts.set(true);
        let steps = vec![Step::new(Trap::Budget, 100), switch_off()];
        let mut machine = machine(context, core, steps);
        assert_eq!(end(&mut machine, 1000), Ending::Exited(0));
        assert_eq!(injections(&machine), [Time(100)]);
        assert_eq!(machine.2.pending(), None, "acknowledged when it was taken");
    }

    #[test]
    fn a_tick_that_comes_while_interrupts_are_closed_is_injected_behind_the_shadow_of_sti() {
        let (context, core) = booted();
        let steps = vec![
            Step::new(Trap::Budget, 100),
            Step::new(Trap::Budget, 40),
            system(SystemInstruction::Sti),
            Step::new(Trap::Budget, 1),
            switch_off(),
        ];
        let mut machine = machine(context, core, steps);
        // Short host deadlines make the monitor look often in between.
        let (pcpu, vcpu, apic) = &mut machine;
        let mut bus = Bus::new(Box::new(std::io::sink()));
        let mut host = HostTimer::new(140, Time(1000));
        let ending = run(vcpu, pcpu, &mut bus, apic, &mut host);
        assert_eq!(ending, Ending::Exited(0));
        assert_eq!(injections(&machine), [Time(142)]);
    }

    #[test]
    fn a_sleeping_guest_is_woken_by_its_tick_and_time_moves_on_until_then() {
        let (context, mut core) = booted();
        core.interrupts.set(true);
        let steps = vec![system(SystemInstruction::Hlt), switch_off()];
        let mut machine = machine(context, core, steps);
        assert_eq!(end(&mut machine, 1000), Ending::Exited(0));
        assert_eq!(injections(&machine), [Time(100)]);
    }

    #[test]
    fn a_guest_that_halts_with_interrupts_closed_never_wakes() {
        let (context, core) = booted();
        let mut machine = machine(context, core, vec![system(SystemInstruction::Hlt)]);
        assert_eq!(end(&mut machine, 1000), Ending::Halted);
    }

    #[test]
    fn a_sleep_longer_than_the_hosts_patience_is_out_of_time() {
        let (context, mut core) = booted();
        core.interrupts.set(true);
        let mut machine = machine(context, core, vec![system(SystemInstruction::Hlt)]);
        assert_eq!(end(&mut machine, 50), Ending::OutOfTime);
        assert_eq!(machine.0.now, Time(50));
    }
}
