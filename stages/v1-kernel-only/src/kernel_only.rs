//! What version 1 knows: two doors out of the guest (ports and `hlt`), and a
//! wall everywhere else.

use crate::emulate::{Emulate, Event, Limit, Next};
use crate::string_port;
use common::{Context, Exit, Gpr, NotReady, Size, SystemInstruction, Trap};

/// The virtual state of version 1: nothing but an unfinished port read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Core {
    /// The read that waits for the device's answer, with what is needed to
    /// finish its instruction.
    pending: Option<PortRead>,
}

/// An `in` or `ins` between its exit and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PortRead {
    /// `in al/ax/eax`: how many bits the guest asked for, and how long the
    /// instruction is.
    Register { size: Size, length: u8 },
    /// One item of `ins`: into memory.
    Memory(string_port::Item),
}

impl Core {
    /// The state of a CPU that has not run yet.
    pub fn new() -> Core {
        Core::default()
    }

    /// The guest writes a port: `out port, al/ax/eax`.
    ///
    /// # Exercise v1-E4: port access (writing)
    ///
    /// The guest's value is in the low `size` bits of RAX: what stands above
    /// them is none of the device's business. The instruction is emulated once
    /// the exit is on its way, so RIP moves past it.
    fn port_out(&mut self, context: &mut Context, port: u16, size: Size, length: u8) -> Next {
        // BEGIN SOLUTION
        let value = context.registers.read(Gpr::Rax, size) as u32;
        context.rip += u64::from(length);
        Next::Exit(Exit::PortOut { port, size, value })
        // END SOLUTION
        // STUB: todo!("v1-E4: report what the guest writes to a port")
    }

    /// The guest reads a port: `in al/ax/eax, port`.
    ///
    /// # Exercise v1-E4: port access (reading)
    ///
    /// Only the monitor knows the device's answer, so this instruction takes
    /// two steps: the exit asks, [`finish_port_read`](Emulate::finish_port_read)
    /// puts the answer into RAX. Note in `pending` what the second step needs.
    fn port_in(&mut self, port: u16, size: Size, length: u8) -> Next {
        // BEGIN SOLUTION
        self.pending = Some(PortRead::Register { size, length });
        Next::Exit(Exit::PortIn { port, size })
        // END SOLUTION
        // STUB: todo!("v1-E4: ask for what the guest reads from a port")
    }

    /// The guest waits for an interrupt: `hlt`.
    ///
    /// # Exercise v1-E5: halt
    ///
    /// For the guest the instruction is over when it halts: should anything
    /// ever wake it, it goes on behind the `hlt`.
    fn halt(&mut self, context: &mut Context, length: u8) -> Next {
        // BEGIN SOLUTION
        context.rip += u64::from(length);
        Next::Exit(Exit::Halted)
        // END SOLUTION
        // STUB: todo!("v1-E5: the guest halts")
    }

    /// Anything that version 1 does not know.
    ///
    /// # Exercise v1-E6: refuse what this version does not support
    ///
    /// A VMM that skips what it does not understand lets the guest compute
    /// nonsense; one that panics takes the host down with its guest. Report the
    /// trap as it came and leave the context alone: RIP still shows the
    /// instruction that could not go on, and the report explains it.
    pub fn refuse(&mut self, trap: Trap) -> Next {
        // BEGIN SOLUTION
        Next::Exit(Exit::Unsupported(trap))
        // END SOLUTION
        // STUB: todo!("v1-E6: refuse {trap:?}")
    }
}

impl Emulate for Core {
    fn before_enter(&mut self, _context: &mut Context) -> Result<Limit, Next> {
        Ok(Limit::Time)
    }

    fn on_trap(&mut self, context: &mut Context, trap: Trap) -> Next {
        let (instruction, length) = match trap {
            Trap::System {
                instruction,
                length,
            } => (instruction, length),
            Trap::Fault(fault) => return Next::Raise(Event::Exception(fault)),
            _ => return self.refuse(trap),
        };
        match instruction {
            SystemInstruction::Out { port, size } => self.port_out(context, port, size, length),
            SystemInstruction::In { port, size } => self.port_in(port, size, length),
            SystemInstruction::Outs { .. } | SystemInstruction::Ins { .. } => {
                string_port::start(context, instruction, length, &mut self.pending)
            }
            SystemInstruction::Hlt => self.halt(context, length),
            _ => self.refuse(trap),
        }
    }

    /// Version 1 has no handler table, so an exception has nowhere to go.
    fn deliver(&mut self, _context: &mut Context, event: Event) -> Next {
        match event {
            Event::Exception(fault) => self.refuse(Trap::Fault(fault)),
            Event::Interrupt(vector) => unreachable!("nobody could inject vector {vector}"),
        }
    }

    /// # Exercise v1-E4: port access (the answer)
    ///
    /// The value goes into the low bits of RAX. What happens to the bits above
    /// depends on the width, as at every write to a register
    /// ([`Registers::write`](common::Registers::write)). Then the instruction
    /// is over.
    fn finish_port_read(&mut self, context: &mut Context, value: u64) {
        match self.pending.take() {
            Some(PortRead::Register { size, length }) => {
                // BEGIN SOLUTION
                context.registers.write(Gpr::Rax, size, value);
                context.rip += u64::from(length);
                // END SOLUTION
                // STUB: todo!("v1-E4: give the guest the answer")
            }
            Some(PortRead::Memory(item)) => string_port::finish(context, item, value),
            None => unreachable!("no port read is pending"),
        }
    }

    fn can_inject(&self) -> bool {
        false
    }

    fn inject(&mut self, _vector: u8) -> Result<(), NotReady> {
        Err(NotReady)
    }

    /// The window never opens: the interrupt flag is 0 for ever.
    fn want_window(&mut self, _on: bool) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{scripted, system};
    use common::scripted::Step;
    use common::{Exit, Fault, Time, Vcpu};

    const GARBAGE: u64 = 0xaaaa_bbbb_cccc_dddd;

    fn read(size: Size) -> SystemInstruction {
        SystemInstruction::In { port: 0x80, size }
    }

    #[test]
    fn a_write_reaches_the_port_without_the_bits_above_its_size() {
        for (size, expected) in [
            (Size::Byte, 0xdd),
            (Size::Word, 0xdddd),
            (Size::Dword, 0xcccc_dddd),
        ] {
            let out = system(SystemInstruction::Out { port: 0x80, size }, 2);
            let (mut pcpu, mut vcpu) = scripted(vec![Step::new(out, 0)]);
            pcpu.context().registers[Gpr::Rax] = GARBAGE;
            let exit = vcpu.run(&mut pcpu, Time::NEVER);
            let (port, value) = (0x80, expected);
            assert_eq!(exit, Exit::PortOut { port, size, value });
            assert_eq!(pcpu.context().rip, 2);
        }
    }

    #[test]
    fn the_answer_to_a_read_follows_the_register_rules() {
        for (size, expected) in [
            (Size::Byte, 0xaaaa_bbbb_cccc_dd11),
            (Size::Word, 0xaaaa_bbbb_cccc_2211),
            (Size::Dword, 0x4433_2211),
        ] {
            let (mut pcpu, mut vcpu) = scripted(vec![Step::new(system(read(size), 2), 0)]);
            pcpu.context().registers[Gpr::Rax] = GARBAGE;
            assert_eq!(
                vcpu.run(&mut pcpu, Time::NEVER),
                Exit::PortIn { port: 0x80, size }
            );
            assert_eq!(
                pcpu.context().rip,
                0,
                "the read is not over before its answer"
            );
            vcpu.complete(&mut pcpu, 0x4433_2211);
            assert_eq!(pcpu.context().registers[Gpr::Rax], expected);
            assert_eq!(pcpu.context().rip, 2);
        }
    }

    #[test]
    fn a_halted_guest_would_go_on_behind_its_hlt() {
        let hlt = system(SystemInstruction::Hlt, 1);
        let (mut pcpu, mut vcpu) = scripted(vec![Step::new(hlt, 0)]);
        assert_eq!(vcpu.run(&mut pcpu, Time::NEVER), Exit::Halted);
        assert_eq!(pcpu.context().rip, 1);
    }

    #[test]
    fn what_is_not_supported_is_refused_as_it_came_and_changes_nothing() {
        let privileged = system(SystemInstruction::Cli, 1);
        let divided = Trap::Fault(Fault::DivideError);
        for trap in [privileged, divided] {
            let (mut pcpu, mut vcpu) = scripted(vec![Step::new(trap, 3)]);
            let before = pcpu.context().clone();
            assert_eq!(vcpu.run(&mut pcpu, Time::NEVER), Exit::Unsupported(trap));
            assert_eq!(pcpu.context().registers, before.registers);
            assert_eq!(pcpu.context().rip, before.rip);
        }
    }

    #[test]
    fn no_interrupt_can_be_injected_into_a_guest_without_a_handler_table() {
        let (_, mut vcpu) = scripted(vec![]);
        assert!(!vcpu.can_inject());
        assert_eq!(vcpu.inject(32), Err(NotReady));
    }
}
