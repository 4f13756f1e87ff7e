//! The monitor: runs the virtual CPU and does what its exits ask for.
//!
//! This is the part that a program such as QEMU or kvmtool plays beside KVM. It
//! sees exits only, never traps, so it cannot tell whether a raw CPU with our
//! emulation or real hardware lies below, and it runs on both.

use common::{Bus, Ending, Exit, HostTimer, Pcpu, Tick, Vcpu};
use std::ops::ControlFlow;

/// Runs a guest until it ends: the whole life of a VM, on one screen.
///
/// The host's timer rings whether or not the guest is ready for it. Each ring
/// is an exit, after which the guest goes on as if nothing had happened.
pub fn run<V: Vcpu>(
    vcpu: &mut V,
    pcpu: &mut Pcpu<V::Cpu>,
    bus: &mut Bus,
    host: &mut HostTimer,
) -> Ending {
    loop {
        let exit = pcpu.run(vcpu, host.deadline());
        if let ControlFlow::Break(ending) = on_exit(vcpu, pcpu, bus, host, exit) {
            return ending;
        }
    }
}

/// Does what one exit asks for, and says whether the guest can go on.
///
/// # Exercise v1-E3: the timer's exit loses nothing (second half)
///
/// At [`Exit::Deadline`] the host's timer has rung: tell [`HostTimer::tick`],
/// which sets the next deadline and says when the guest's time is over
/// ([`Ending::OutOfTime`]). The guest must not notice.
///
/// # Exercise v1-E4: port access (the monitor's half)
///
/// A write goes to [`Bus::write_port`], which says when the guest has switched
/// the machine off ([`Ending::Exited`] with its code). A read is answered with
/// what [`Bus::read_port`] gives.
///
/// # Exercise v1-E5: halt (the monitor's half)
///
/// A CPU that halts waits for an interrupt. In this version none can ever come,
/// so the guest is stuck ([`Ending::Halted`]); that is an end, but no success.
///
/// # Exercise v1-E6: refuse what this version does not support (second half)
///
/// Whatever else comes, the guest has died of it ([`Ending::Died`]). A kick is
/// no such thing: somebody outside wants us to stop ([`Ending::Stopped`]).
pub fn on_exit<V: Vcpu>(
    vcpu: &mut V,
    pcpu: &mut Pcpu<V::Cpu>,
    bus: &mut Bus,
    host: &mut HostTimer,
    exit: Exit,
) -> ControlFlow<Ending> {
    match exit {
        Exit::Deadline => {
            // BEGIN SOLUTION
            if host.tick(pcpu.now) == Tick::LimitReached {
                return ControlFlow::Break(Ending::OutOfTime);
            }
            // END SOLUTION
            // STUB: todo!("v1-E3: the host's timer has rung")
        }
        Exit::PortOut { port, size, value } => {
            // BEGIN SOLUTION
            let ended = bus.write_port(&mut pcpu.recorder, pcpu.now, port, size, value);
            if let Some(code) = ended {
                return ControlFlow::Break(Ending::Exited(code));
            }
            // END SOLUTION
            // STUB: todo!("v1-E4: carry the guest's write to the device")
        }
        Exit::PortIn { port, size } => {
            // BEGIN SOLUTION
            let value = bus.read_port(&mut pcpu.recorder, pcpu.now, port, size);
            vcpu.complete(pcpu, value);
            // END SOLUTION
            // STUB: todo!("v1-E4: answer the guest's read")
        }
        Exit::Halted => {
            // BEGIN SOLUTION
            return ControlFlow::Break(Ending::Halted);
            // END SOLUTION
            // STUB: todo!("v1-E5: the guest waits for an interrupt that never comes")
        }
        Exit::Kicked => return ControlFlow::Break(Ending::Stopped),
        _ => {
            // BEGIN SOLUTION
            return ControlFlow::Break(Ending::Died(exit));
            // END SOLUTION
            // STUB: todo!("v1-E6: the guest has died of {exit:?}")
        }
    }
    ControlFlow::Continue(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{scripted, system};
    use common::bus::{COM1, EXIT_PORT};
    use common::scripted::Step;
    use common::{Gpr, Size, SystemInstruction, Time, Trap};
    use std::sync::mpsc::{Receiver, Sender, channel};

    struct Console(Sender<u8>);

    impl std::io::Write for Console {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            bytes.iter().for_each(|byte| self.0.send(*byte).unwrap());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// Runs a script under a host timer of 1000 ticks a period and 5000 in all.
    fn run_script(steps: Vec<Step>) -> (Ending, HostTimer, Receiver<u8>) {
        let (sender, receiver) = channel();
        let (mut pcpu, mut vcpu) = scripted(steps);
        let mut bus = Bus::new(Box::new(Console(sender)));
        let mut host = HostTimer::new(1000, Time(5000));
        let ending = run(&mut vcpu, &mut pcpu, &mut bus, &mut host);
        (ending, host, receiver)
    }

    fn out(port: u16, value: u64) -> Step {
        let size = Size::Byte;
        Step::new(system(SystemInstruction::Out { port, size }, 1), 0)
            .doing(move |context| context.registers[Gpr::Rax] = value)
    }

    fn full_second() -> Step {
        Step::new(Trap::Budget, 1000)
    }

    #[test]
    fn what_the_guest_writes_to_the_serial_port_is_printed() {
        let steps = vec![out(COM1, 0x148), out(COM1, 0x169), out(EXIT_PORT, 0)];
        let (ending, _, printed) = run_script(steps);
        assert_eq!(ending, Ending::Exited(0));
        assert_eq!(printed.iter().collect::<Vec<_>>(), b"Hi");
    }

    #[test]
    fn the_guest_goes_on_after_every_tick_of_the_host() {
        let steps = vec![full_second(), full_second(), out(EXIT_PORT, 7)];
        let (ending, host, _) = run_script(steps);
        assert_eq!((ending, host.ticks()), (Ending::Exited(7), 2));
    }

    #[test]
    fn a_guest_that_never_ends_is_stopped_when_its_time_is_over() {
        let (ending, host, _) = run_script((0..5).map(|_| full_second()).collect());
        assert_eq!((ending, host.ticks()), (Ending::OutOfTime, 5));
    }

    #[test]
    fn a_read_is_answered_by_the_device() {
        let read = SystemInstruction::In {
            port: COM1 + 5,
            size: Size::Byte,
        };
        let echo = SystemInstruction::Out {
            port: EXIT_PORT,
            size: Size::Byte,
        };
        let steps = vec![Step::new(system(read, 1), 0), Step::new(system(echo, 1), 0)];
        const TRANSMITTER_EMPTY: u32 = 0x60;
        assert_eq!(run_script(steps).0, Ending::Exited(TRANSMITTER_EMPTY));
    }

    #[test]
    fn halting_without_interrupts_is_an_end_but_no_success() {
        let hlt = Step::new(system(SystemInstruction::Hlt, 1), 0);
        let (ending, ..) = run_script(vec![hlt]);
        assert_eq!(ending, Ending::Halted);
        assert!(!ending.is_success());
    }

    #[test]
    fn a_guest_that_is_refused_something_has_died_of_it() {
        let trap = system(SystemInstruction::Cli, 1);
        let (ending, ..) = run_script(vec![Step::new(trap, 0)]);
        assert_eq!(ending, Ending::Died(Exit::Unsupported(trap)));
    }
}
