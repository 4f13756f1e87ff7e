//! What version 2 knows: the handler table, the interrupt flag, and how a
//! handler is entered and left.

use crate::delivery::{Frame, Gate, escalate};
use crate::descriptor::DescriptorTable;
use crate::interrupts::Interrupts;
use common::boot::selectors::{KERNEL_CODE, KERNEL_DATA};
use common::boot::{GDT, GDT_LIMIT};
use common::{Chain, Context, Exit, Fault, Gpr, MmioOperation, NotReady, Size};
use common::{SystemInstruction, Trap, flags, is_canonical};
use v1::{Emulate, Event, Limit, Next};

/// The interrupt flag's place in RFLAGS.
const IF: u64 = 1 << 9;
/// The trap flag's place: single-stepping inside the guest is not supported.
const TF: u64 = 1 << 8;
/// Flags that a kernel may set but that mean nothing to kernel code: I/O
/// privilege, nested task, alignment check, and the one that proves CPUID.
const CARRIED: u64 = 3 << 12 | 1 << 14 | 1 << 18 | 1 << 21;

/// The virtual state of version 2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Core {
    /// Version 1 knows everything else.
    pub below: v1::Core,
    /// The interrupt flag.
    pub interrupts: Interrupts,
    /// The handler table. Its limit is 0 at reset, so no vector has a gate.
    pub handlers: DescriptorTable,
    /// The segment table; at reset that of the boot structures.
    pub segments: DescriptorTable,
    /// The code segment: what a frame saves and `iretq` gives back. The raw CPU
    /// does not have it.
    pub cs: u16,
    /// The stack segment, as `cs`.
    pub ss: u16,
    /// The address of the last page fault.
    pub cr2: u64,
    /// The flags of [`CARRIED`] that are set.
    carried: u64,
    /// What led to the double fault that is being delivered.
    chain: Option<Chain>,
}

impl Default for Core {
    fn default() -> Core {
        Core::new()
    }
}

impl Core {
    /// The state in which the boot code leaves a CPU: in the kernel, interrupts
    /// closed, no handler table.
    pub fn new() -> Core {
        Core {
            below: v1::Core::new(),
            interrupts: Interrupts::default(),
            handlers: DescriptorTable::default(),
            segments: DescriptorTable {
                base: GDT,
                limit: GDT_LIMIT,
            },
            cs: KERNEL_CODE,
            ss: KERNEL_DATA,
            cr2: 0,
            carried: 0,
            chain: None,
        }
    }

    /// RFLAGS as the guest sees it: the raw CPU's flags and the virtual ones.
    pub fn flags(&self, context: &Context) -> u64 {
        let open = if self.interrupts.are_open() { IF } else { 0 };
        context.flags | self.carried | open
    }

    /// Sets RFLAGS as `iretq` and `popf` of a kernel do.
    pub fn set_flags(&mut self, context: &mut Context, flags: u64) {
        context.flags = flags & flags::USER | flags::ALWAYS;
        self.carried = flags & CARRIED;
        self.interrupts.set(flags & IF != 0);
    }

    /// Enters the handler of `event`: builds its frame on a stack and moves RIP
    /// to it. `stack_of` says where that stack begins, given the gate's wish.
    ///
    /// # Exercise v2-E3: inject (the handler)
    ///
    /// Read the gate; its selector must name a segment of the kernel's code
    /// ([`kernel_code`](Self::kernel_code) looks). Push the frame onto the
    /// stack that `stack_of` names: it holds what the guest was doing, with the
    /// flags as the *guest* knows them. Go to the handler, in the gate's
    /// segment; an interrupt gate closes interrupts.
    ///
    /// # Errors
    /// The first fault on the way. The guest's registers are as before then.
    pub fn enter_handler(
        &mut self,
        context: &mut Context,
        event: Event,
        stack_of: impl Fn(&Context, Gate) -> Result<u64, Fault>,
    ) -> Result<(), Fault> {
        // BEGIN SOLUTION
        let gate = Gate::of(event, self.handlers, context)?;
        self.kernel_code(context, gate.selector)?;
        let stack = stack_of(context, gate)?;
        let error_code = match event {
            Event::Exception(fault) => fault.error_code(),
            Event::Interrupt(_) => None,
        };
        let frame = Frame {
            ss: self.ss,
            rsp: context.registers[Gpr::Rsp],
            flags: self.flags(context),
            cs: self.cs,
            rip: context.rip,
            error_code,
        };
        frame.push(context, stack)?;
        context.rip = gate.handler;
        self.cs = gate.selector & !3;
        if gate.closes_interrupts {
            self.interrupts.close();
        }
        Ok(())
        // END SOLUTION
        // STUB: let gate = Gate::of(event, self.handlers, context)?;
        // STUB: todo!("v2-E3: enter the handler of {event:?} at {:#x}", gate.handler)
    }

    /// Makes sure that `selector` names a segment of 64-bit kernel code.
    ///
    /// # Errors
    /// #GP(0) for the null selector; #GP with the selector if it names something
    /// else; #NP if the segment is not present.
    pub fn kernel_code(&self, context: &Context, selector: u16) -> Result<(), Fault> {
        let descriptor = self.segments.descriptor(context, selector)?;
        if !descriptor.is_long_code() || descriptor.privilege() != 0 {
            return Err(Fault::GeneralProtection(selector & !3));
        }
        if !descriptor.is_present() {
            return Err(Fault::SegmentNotPresent(selector & !3));
        }
        Ok(())
    }

    /// Takes note of an event before it is delivered, as the CPU does even if
    /// the delivery fails: a page fault leaves its address in CR2.
    pub fn note(&mut self, event: Event) {
        if let Event::Exception(Fault::PageFault { address, .. }) = event {
            self.cr2 = address;
        }
    }

    /// Says what happens after [`enter_handler`](Self::enter_handler): the
    /// guest runs its handler, or something else has to be delivered.
    pub fn delivered(&mut self, event: Event, entered: Result<(), Fault>) -> Next {
        match entered {
            Ok(()) => {
                self.chain = None;
                Next::Resume
            }
            Err(fault) => escalate(&mut self.chain, event, fault),
        }
    }

    /// `iretq`: back to what the handler interrupted.
    ///
    /// # Exercise v2-E5: return from the handler
    ///
    /// The code segment of the frame must be the kernel's; the address to go on
    /// at must be canonical, or it is #GP(0). Then RIP, RSP, the flags and the
    /// segments are what the frame says: all at once, or, after a fault, not at
    /// all.
    ///
    /// # Errors
    /// The fault; nothing has changed then.
    pub fn return_to(&mut self, context: &mut Context, frame: Frame) -> Result<(), Fault> {
        // BEGIN SOLUTION
        self.kernel_code(context, frame.cs)?;
        if !is_canonical(frame.rip) {
            return Err(Fault::GeneralProtection(0));
        }
        self.resume_at(context, frame);
        Ok(())
        // END SOLUTION
        // STUB: todo!("v2-E5: return from the handler")
    }

    /// Goes on with what `frame` says, whatever that is.
    pub fn resume_at(&mut self, context: &mut Context, frame: Frame) {
        context.rip = frame.rip;
        context.registers[Gpr::Rsp] = frame.rsp;
        self.set_flags(context, frame.flags);
        self.cs = frame.cs;
        self.ss = frame.ss;
    }

    /// `pushf`: the flags as the guest knows them. Real x86 does not trap this
    /// one, and shows deprivileged code the host's interrupt flag.
    fn push_flags(&mut self, context: &mut Context, size: Size) -> Result<(), Fault> {
        let top = context.registers[Gpr::Rsp].wrapping_sub(size.bytes());
        let flags = self.flags(context);
        context.write(top, size, flags)?;
        context.registers[Gpr::Rsp] = top;
        Ok(())
    }

    /// `popf`: the flags on top of the stack, with those above `size` as they
    /// are. Real x86 silently leaves the interrupt flag when deprivileged code
    /// runs it, which is why the raw CPU here traps it.
    ///
    /// # Errors
    /// The fault of the read.
    pub fn popped_flags(&self, context: &Context, size: Size) -> Result<u64, Fault> {
        let kept = self.flags(context) & !size.mask();
        let popped = context.read(context.registers[Gpr::Rsp], size)?;
        Ok(popped | kept)
    }

    /// Finishes `popf` with the flags that the guest may have.
    pub fn pop_flags(&mut self, context: &mut Context, size: Size, flags: u64) {
        self.set_flags(context, flags);
        let top = context.registers[Gpr::Rsp];
        context.registers[Gpr::Rsp] = top.wrapping_add(size.bytes());
    }

    /// Emulates an instruction that this version adds, RIP aside; `None` if it
    /// is none of them.
    pub fn emulate(
        &mut self,
        context: &mut Context,
        instruction: SystemInstruction,
    ) -> Option<Result<(), Fault>> {
        match instruction {
            SystemInstruction::Cli => self.interrupts.close(),
            SystemInstruction::Sti => self.interrupts.open_after_next(),
            SystemInstruction::Lidt { limit, base } => {
                self.handlers = DescriptorTable { base, limit };
            }
            SystemInstruction::Lgdt { limit, base } => {
                self.segments = DescriptorTable { base, limit };
            }
            SystemInstruction::ReadControl {
                control: 2,
                destination,
            } => context.registers[destination] = self.cr2,
            SystemInstruction::Pushf { size } => return Some(self.push_flags(context, size)),
            SystemInstruction::Popf { size } => {
                let popped = self.popped_flags(context, size);
                return Some(popped.map(|flags| self.pop_flags(context, size, flags)));
            }
            _ => return None,
        }
        Some(Ok(()))
    }

    /// Whether an `iretq` or `popf` would set the trap flag, which asks for
    /// single steps inside the guest: not supported, so it must not be ignored.
    pub fn sets_trap_flag(&self, context: &Context, instruction: SystemInstruction) -> bool {
        let slot = match instruction {
            SystemInstruction::Iret { size: Size::Qword } => 16,
            SystemInstruction::Popf { .. } => 0,
            SystemInstruction::Sysret { .. } => return context.registers[Gpr::R11] & TF != 0,
            _ => return false,
        };
        let address = context.registers[Gpr::Rsp].wrapping_add(slot);
        context
            .read(address, Size::Word)
            .is_ok_and(|flags| flags & TF != 0)
    }
}

impl Emulate for Core {
    fn before_enter(&mut self, _context: &mut Context) -> Result<Limit, Next> {
        self.interrupts.before_enter()
    }

    fn on_trap(&mut self, context: &mut Context, trap: Trap) -> Next {
        match trap {
            Trap::System { instruction, .. } if self.sets_trap_flag(context, instruction) => {
                self.below.refuse(trap)
            }
            Trap::System {
                instruction: SystemInstruction::Iret { size: Size::Qword },
                ..
            } => resume_or_raise(
                Frame::pop(context).and_then(|frame| self.return_to(context, frame)),
            ),
            Trap::System {
                instruction,
                length,
            } => match self.emulate(context, instruction) {
                Some(Ok(())) => {
                    context.rip += u64::from(length);
                    Next::Resume
                }
                Some(Err(fault)) => Next::Raise(Event::Exception(fault)),
                None => self.below.on_trap(context, trap),
            },
            Trap::Mmio(mmio) => match mmio.operation {
                MmioOperation::Read | MmioOperation::Write(_) => Next::Exit(Exit::Mmio(mmio)),
                MmioOperation::Fetch | MmioOperation::Unsupported => {
                    self.below.on_trap(context, trap)
                }
            },
            _ => self.below.on_trap(context, trap),
        }
    }

    fn deliver(&mut self, context: &mut Context, event: Event) -> Next {
        self.note(event);
        let entered = self.enter_handler(context, event, current_stack);
        self.delivered(event, entered)
    }

    fn finish_port_read(&mut self, context: &mut Context, value: u64) {
        self.below.finish_port_read(context, value);
    }

    fn can_inject(&self) -> bool {
        self.interrupts.can_inject()
    }

    fn inject(&mut self, vector: u8) -> Result<(), NotReady> {
        self.interrupts.inject(vector)
    }

    fn want_window(&mut self, on: bool) {
        self.interrupts.want_window(on);
    }
}

/// The handler goes on with the stack of what it interrupts. A stack of the
/// TSS cannot be had: this version has no TSS.
fn current_stack(context: &Context, gate: Gate) -> Result<u64, Fault> {
    match gate.stack {
        0 => Ok(context.registers[Gpr::Rsp]),
        _ => Err(Fault::InvalidTss(0)),
    }
}

/// An instruction that sets RIP itself is over, or it has faulted.
pub fn resume_or_raise(done: Result<(), Fault>) -> Next {
    match done {
        Ok(()) => Next::Resume,
        Err(fault) => Next::Raise(Event::Exception(fault)),
    }
}

#[cfg(test)]
mod tests;
