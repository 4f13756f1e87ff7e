//! From a vector to a handler: the gate, the frame, and what happens when one
//! of them is broken.

use crate::descriptor::DescriptorTable;
use common::{Chain, Context, Exit, Fault, Gpr, Size, is_canonical};
use v1::{Event, Next};

/// A gate of the IDT: where a vector's handler is (SDM vol. 3, 6.14.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gate {
    /// Address of the handler.
    pub handler: u64,
    /// Code segment of the handler.
    pub selector: u16,
    /// Which stack of the TSS to switch to; 0 for none.
    pub stack: u8,
    /// The least privileged mode that may reach it by `int n`.
    pub privilege: u8,
    /// An interrupt gate closes interrupts; a trap gate leaves them.
    pub closes_interrupts: bool,
}

/// The error-code bit that says "the selector is the index of a gate".
const IN_IDT: u16 = 1 << 1;
/// The error-code bit that says "while delivering something from outside".
const EXTERNAL: u16 = 1 << 0;

impl Gate {
    /// Reads the gate of `event` from the handler table.
    ///
    /// # Exercise v2-E1: the handler table
    ///
    /// A gate has 16 bytes. Low eight: handler bits 0-15, selector, stack (3
    /// bits of byte 4), type and flags (byte 5: type in bits 0-3, 14 for an
    /// interrupt gate and 15 for a trap gate; bit 4 must be 0; privilege in
    /// bits 5-6; present in bit 7), handler bits 16-31. High eight: handler
    /// bits 32-63.
    ///
    /// # Errors
    /// #GP if the vector lies beyond the limit, or the gate is neither an
    /// interrupt nor a trap gate; #NP if it is not present, both with
    /// [`error_code`]. #GP(0) if the handler's address is not canonical. A page
    /// fault if the table itself cannot be read.
    pub fn of(event: Event, handlers: DescriptorTable, context: &Context) -> Result<Gate, Fault> {
        // BEGIN SOLUTION
        let address = handlers
            .address(u64::from(vector(event)) * 16, 16)
            .ok_or(Fault::GeneralProtection(error_code(event)))?;
        let low = context.read(address, Size::Qword)?;
        let high = context.read(address.wrapping_add(8), Size::Qword)?;
        let closes_interrupts = match low >> 40 & 0x1f {
            14 => true,
            15 => false,
            _ => return Err(Fault::GeneralProtection(error_code(event))),
        };
        if low >> 47 & 1 == 0 {
            return Err(Fault::SegmentNotPresent(error_code(event)));
        }
        let handler = low & 0xffff | low >> 32 & 0xffff_0000 | high << 32;
        if !is_canonical(handler) {
            return Err(Fault::GeneralProtection(0));
        }
        Ok(Gate {
            handler,
            selector: (low >> 16) as u16,
            stack: (low >> 32 & 7) as u8,
            privilege: (low >> 45 & 3) as u8,
            closes_interrupts,
        })
        // END SOLUTION
        // STUB: todo!("v2-E1: read the gate of a vector")
    }
}

/// The vector of an event.
pub fn vector(event: Event) -> u8 {
    match event {
        Event::Interrupt(vector) => vector,
        Event::Exception(fault) => fault.vector(),
    }
}

/// The error code of a fault that a broken gate causes: the gate's index, that
/// it lies in the IDT, and that the program did not ask for the event by an
/// instruction such as `int3` (SDM vol. 3, 6.13).
pub fn error_code(event: Event) -> u16 {
    let external = match event {
        Event::Exception(Fault::Breakpoint) => 0,
        _ => EXTERNAL,
    };
    u16::from(vector(event)) << 3 | IN_IDT | external
}

/// What a handler finds on its stack, from the top downwards (SDM vol. 3,
/// 6.14.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Stack segment of the interrupted code.
    pub ss: u16,
    /// Its stack pointer.
    pub rsp: u64,
    /// Its flags, the interrupt flag included.
    pub flags: u64,
    /// Its code segment.
    pub cs: u16,
    /// Where it goes on.
    pub rip: u64,
    /// The exception's error code, if it has one.
    pub error_code: Option<u32>,
}

impl Frame {
    /// Pushes the frame onto the stack whose top is `stack`, and points RSP at
    /// it.
    ///
    /// # Exercise v2-E3: inject (the frame)
    ///
    /// In 64-bit mode the stack is first aligned to 16 bytes, and SS and RSP
    /// are always pushed. Every slot has eight bytes. ([`on_the_stack`] gives
    /// the fault that a bad stack pointer causes.)
    ///
    /// # Errors
    /// The fault of the push that failed; RSP is as before then.
    pub fn push(&self, context: &mut Context, stack: u64) -> Result<(), Fault> {
        // BEGIN SOLUTION
        let error_code = self.error_code.map(u64::from);
        let slots = [
            u64::from(self.ss),
            self.rsp,
            self.flags,
            u64::from(self.cs),
            self.rip,
        ];
        let mut top = stack & !0xf;
        for slot in slots.into_iter().chain(error_code) {
            top = top.wrapping_sub(8);
            context
                .write(top, Size::Qword, slot)
                .map_err(on_the_stack)?;
        }
        context.registers[Gpr::Rsp] = top;
        Ok(())
        // END SOLUTION
        // STUB: todo!("v2-E3: push the frame of a handler")
    }

    /// Pops what `iretq` returns to, without the error code, which a handler
    /// takes off itself. RSP is not moved.
    ///
    /// # Errors
    /// The fault of the read that failed.
    pub fn pop(context: &Context) -> Result<Frame, Fault> {
        let top = context.registers[Gpr::Rsp];
        let slot = |number: u64| context.read(top.wrapping_add(8 * number), Size::Qword);
        Ok(Frame {
            rip: slot(0)?,
            cs: slot(1)? as u16,
            flags: slot(2)?,
            rsp: slot(3)?,
            ss: slot(4)? as u16,
            error_code: None,
        })
    }
}

/// The fault of an access through the stack pointer: an address that is not
/// canonical is #SS(0) there, and not #GP(0) (SDM vol. 3, 6.15).
pub fn on_the_stack(fault: Fault) -> Fault {
    match fault {
        Fault::GeneralProtection(0) => Fault::StackSegment(0),
        _ => fault,
    }
}

/// What to raise after `fault` happened while `event` was being delivered, and
/// the chain of faults so far.
///
/// # Exercise v2-E6: double and triple faults
///
/// The manual sorts exceptions into three classes (SDM vol. 3, table 6-5). A
/// fault while delivering a *benign* event (an interrupt, #UD, …) is delivered
/// in its place. A *contributory* fault (#DE, #TS, #NP, #SS, #GP) while
/// delivering a contributory one, and a contributory one or a page fault while
/// delivering a page fault, is a double fault instead. Any of them while
/// delivering the double fault is the end: the CPU shuts down.
pub fn escalate(chain: &mut Option<Chain>, event: Event, fault: Fault) -> Next {
    // BEGIN SOLUTION
    let Event::Exception(first) = event else {
        return Next::Raise(Event::Exception(fault));
    };
    if first == Fault::DoubleFault {
        let mut chain = chain.take().unwrap_or(Chain {
            first,
            second: None,
            third: None,
        });
        chain.third = Some(fault);
        return Next::Exit(Exit::Shutdown(chain));
    }
    if !makes_double_fault(first, fault) {
        return Next::Raise(Event::Exception(fault));
    }
    *chain = Some(Chain {
        first,
        second: Some(fault),
        third: None,
    });
    Next::Raise(Event::Exception(Fault::DoubleFault))
    // END SOLUTION
    // STUB: todo!("v2-E6: {fault} while delivering {event:?}")
}

fn makes_double_fault(first: Fault, second: Fault) -> bool {
    let page_fault = |fault| matches!(fault, Fault::PageFault { .. });
    let contributory = |fault: Fault| matches!(fault.vector(), 0 | 10..=13);
    match first {
        _ if page_fault(first) => page_fault(second) || contributory(second),
        _ => contributory(first) && contributory(second),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{HANDLERS, IDT, INTERRUPT_GATE, TRAP_GATE, booted, set_gate};
    use common::PageFaultCode;
    use common::boot::selectors::KERNEL_CODE;

    const PAGE_FAULT: Fault = Fault::PageFault {
        code: PageFaultCode(0),
        address: 0,
    };
    const INVALID: Fault = Fault::InvalidOpcode {
        unimplemented: false,
    };
    const PROTECTION: Fault = Fault::GeneralProtection(0);

    /// The gate of vector 14 whose flags and type are `kind`, in a table of 64.
    fn gate(kind: u64) -> Result<Gate, Fault> {
        let (mut context, core) = booted();
        set_gate(&mut context, 14, kind, KERNEL_CODE);
        Gate::of(Event::Interrupt(14), core.handlers, &context)
    }

    #[test]
    fn a_gate_is_read_from_its_sixteen_bytes() {
        let (mut context, core) = booted();
        let slot = IDT + 14 * 16;
        context
            .write(slot, Size::Qword, 0x4455_ee05_6677_8899)
            .unwrap();
        context.write(slot + 8, Size::Qword, 0xffff_8123).unwrap();
        let expected = Gate {
            handler: 0xffff_8123_4455_8899,
            selector: 0x6677,
            stack: 5,
            privilege: 3,
            closes_interrupts: true,
        };
        let read = Gate::of(Event::Interrupt(14), core.handlers, &context);
        assert_eq!(read, Ok(expected));
    }

    #[test]
    fn a_gate_for_interrupts_closes_them_and_a_gate_for_traps_does_not() {
        for (kind, closes_interrupts) in [(INTERRUPT_GATE, true), (TRAP_GATE, false)] {
            let gate = gate(kind).unwrap();
            assert_eq!(gate.closes_interrupts, closes_interrupts);
            assert_eq!(gate.handler, HANDLERS + 14);
        }
    }

    #[test]
    fn a_gate_that_is_absent_of_another_type_or_behind_the_limit_is_a_fault() {
        let code = error_code(Event::Interrupt(14));
        assert_eq!(gate(0x0e), Err(Fault::SegmentNotPresent(code)));
        for kind in [0x00, 0x8c, 0x9e] {
            assert_eq!(gate(kind), Err(Fault::GeneralProtection(code)), "{kind:#x}");
        }
        let (context, core) = booted();
        let mut handlers = core.handlers;
        handlers.limit = 15 * 16 - 2;
        let cut = Gate::of(Event::Interrupt(14), handlers, &context);
        assert_eq!(cut, Err(Fault::GeneralProtection(code)));
    }

    #[test]
    fn a_gate_to_a_handler_whose_address_is_not_canonical_is_a_fault() {
        let (mut context, core) = booted();
        let high = IDT + 14 * 16 + 8;
        context.write(high, Size::Qword, 0x8000).unwrap();
        let read = Gate::of(Event::Interrupt(14), core.handlers, &context);
        assert_eq!(read, Err(Fault::GeneralProtection(0)));
    }

    /// What comes of `second` while `first` is being delivered.
    fn raised(first: Fault, second: Fault) -> Next {
        escalate(&mut None, Event::Exception(first), second)
    }

    #[test]
    fn faults_on_the_way_to_a_handler_follow_the_manuals_table() {
        let double = Next::Raise(Event::Exception(Fault::DoubleFault));
        let serial = |fault| Next::Raise(Event::Exception(fault));
        assert_eq!(raised(INVALID, PROTECTION), serial(PROTECTION));
        assert_eq!(raised(INVALID, PAGE_FAULT), serial(PAGE_FAULT));
        assert_eq!(raised(PROTECTION, PAGE_FAULT), serial(PAGE_FAULT));
        assert_eq!(raised(PROTECTION, Fault::DivideError), double);
        assert_eq!(raised(PAGE_FAULT, PAGE_FAULT), double);
        assert_eq!(raised(PAGE_FAULT, PROTECTION), double);
    }

    #[test]
    fn a_fault_on_the_way_to_an_interrupts_handler_takes_its_place() {
        let event = Event::Interrupt(32);
        assert_eq!(
            escalate(&mut None, event, PROTECTION),
            Next::Raise(Event::Exception(PROTECTION))
        );
    }

    #[test]
    fn any_fault_while_delivering_the_double_fault_is_the_end() {
        let mut chain = None;
        escalate(&mut chain, Event::Exception(PROTECTION), PROTECTION);
        let double = Event::Exception(Fault::DoubleFault);
        let end = escalate(&mut chain, double, PAGE_FAULT);
        let expected = Chain {
            first: PROTECTION,
            second: Some(PROTECTION),
            third: Some(PAGE_FAULT),
        };
        assert_eq!(end, Next::Exit(Exit::Shutdown(expected)));
    }
}
