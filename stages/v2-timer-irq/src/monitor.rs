//! The monitor of version 2: that of version 1, and a local APIC whose timer
//! interrupts the guest.

use common::bus::{self, Bus};
use common::devices::Apic;
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
    // STUB: todo!("v2-E4: give the guest the interrupt that is due")
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
        Exit::Mmio(mmio) => access_memory(vcpu, pcpu, apic, mmio),
        Exit::WindowOpen => {}
        Exit::Halted => return wait_for_interrupt(vcpu, pcpu, apic, host),
        _ => return v1::monitor::on_exit(vcpu, pcpu, bus, host, exit),
    }
    ControlFlow::Continue(())
}

/// Carries an access to where there is no RAM to the APIC.
fn access_memory<V: Vcpu>(vcpu: &mut V, pcpu: &mut Pcpu<V::Cpu>, apic: &mut Apic, mmio: Mmio) {
    let Mmio { gpa, size, .. } = mmio;
    let recorder = &mut pcpu.recorder;
    match mmio.operation {
        MmioOperation::Write(value) => {
            // With a single vCPU an IPI has nobody to go to but its sender.
            let sent = bus::write_memory(apic, recorder, pcpu.now, gpa, size, value);
            if let Some(ipi) = sent.filter(|ipi| ipi.reaches(VCPU, VCPU)) {
                apic.request(ipi.vector);
            }
        }
        _ => {
            let value = bus::read_memory(apic, recorder, pcpu.now, gpa, size);
            vcpu.complete(pcpu, value);
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
