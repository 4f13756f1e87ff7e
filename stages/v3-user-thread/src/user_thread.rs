//! What version 3 knows: two modes, and the ways from one to the other.

use crate::control::Control;
use crate::mode::Mode;
use crate::msr::Msrs;
use crate::segments::DataSegments;
use crate::system_call;
use crate::tss::TaskRegister;
use common::{Context, Fault, NotReady, Operand, Segment, Size, SystemInstruction, Trap};
use common::{Gpr, is_canonical};
use v1::{Emulate, Event, Limit, Next};
use v2::Frame;
use v2::timer_irq::resume_or_raise;

/// The virtual state of version 3.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Core {
    /// Version 2 knows everything else.
    pub below: v2::Core,
    /// The machine-specific registers.
    pub msrs: Msrs,
    /// Where the kernel's stacks are.
    pub task: TaskRegister,
    /// CR0 and CR4.
    pub control: Control,
    /// The selectors of the data segments.
    pub data_segments: DataSegments,
}

impl Core {
    /// The state in which the boot code leaves a CPU.
    pub fn new() -> Core {
        Core::default()
    }

    /// Enters the handler of `event`, from whichever mode the guest is in.
    ///
    /// # Exercise v3-E4: interrupts and exceptions from user mode
    ///
    /// From the kernel it is as in version 2, except that a gate may ask for a
    /// stack of the TSS. From user mode the handler must not trust the user's
    /// stack pointer: the frame goes onto the stack that the TSS names, and
    /// writing it needs the kernel's view. The frame shows the user's segments;
    /// the handler starts with the null selector as its stack segment.
    ///
    /// # Errors
    /// The first fault on the way. The guest is where it was then, in its mode.
    fn enter_handler(&mut self, context: &mut Context, event: Event) -> Result<(), Fault> {
        // BEGIN SOLUTION
        let interrupted = Mode::of(context);
        let task = self.task;
        Mode::Kernel.enter(context);
        let entered = self.below.enter_handler(context, event, |context, gate| {
            match (interrupted, gate.stack) {
                (Mode::Kernel, 0) => Ok(context.registers[Gpr::Rsp]),
                _ => task.stack(context, gate),
            }
        });
        match entered {
            Ok(()) if interrupted == Mode::User => self.below.ss = 0,
            Ok(()) => {}
            Err(_) => interrupted.enter(context),
        }
        entered
        // END SOLUTION
        // STUB: todo!("v3-E4: enter the handler of {event:?}")
    }

    /// `iretq` to the mode that its frame names.
    ///
    /// # Exercise v3-E5: `iretq` to user mode
    ///
    /// The frame's code segment says which mode it returns to. To the kernel it
    /// is version 2's affair. To user mode, code and stack segment must be the
    /// user's ([`user_segments`](Self::user_segments) looks) and the address
    /// canonical, or it is #GP(0); then go on there, in user mode.
    ///
    /// User code may execute `iretq` as well, to itself: then the target must
    /// not be the kernel (#GP with the selector), and the interrupt flag stays
    /// what it is.
    fn interrupt_return(&mut self, context: &mut Context) -> Result<(), Fault> {
        // BEGIN SOLUTION
        let mut frame = Frame::pop(context)?;
        let source = Mode::of(context);
        match (source, Mode::of_selector(frame.cs)) {
            (Mode::Kernel, Mode::Kernel) => return self.below.return_to(context, frame),
            (Mode::User, Mode::Kernel) => {
                return Err(Fault::GeneralProtection(frame.cs & !3));
            }
            (Mode::User, Mode::User) => frame.flags = self.user_flags(context, frame.flags),
            (Mode::Kernel, Mode::User) => {}
        }
        self.user_segments(context, frame.cs, frame.ss)?;
        if !is_canonical(frame.rip) {
            return Err(Fault::GeneralProtection(0));
        }
        self.below.resume_at(context, frame);
        Mode::User.enter(context);
        Ok(())
        // END SOLUTION
        // STUB: todo!("v3-E5: return to the mode of the frame")
    }

    /// Makes sure that two selectors name the user's code and stack.
    ///
    /// # Errors
    /// #GP with the selector that does not; #NP or #SS if it is not present.
    fn user_segments(&self, context: &mut Context, cs: u16, ss: u16) -> Result<(), Fault> {
        let gdt = self.below.segments;
        let (code, stack) = Mode::Kernel.during(context, |context| {
            let code = gdt.descriptor(context, cs)?;
            let stack = gdt.descriptor(context, ss)?;
            Ok((code, stack))
        })?;
        if !code.is_long_code() || code.privilege() != 3 || cs & 3 != 3 {
            return Err(Fault::GeneralProtection(cs & !3));
        }
        if !stack.is_writable_data() || stack.privilege() != 3 || ss & 3 != 3 {
            return Err(Fault::GeneralProtection(ss & !3));
        }
        if !code.is_present() {
            return Err(Fault::SegmentNotPresent(cs & !3));
        }
        if !stack.is_present() {
            return Err(Fault::StackSegment(ss & !3));
        }
        Ok(())
    }

    /// RFLAGS as user code may set them: the interrupt flag and the I/O
    /// privilege stay.
    fn user_flags(&self, context: &Context, wanted: u64) -> u64 {
        const KERNELS_OWN: u64 = 1 << 9 | 3 << 12;
        let now = self.below.flags(context);
        wanted & !KERNELS_OWN | now & KERNELS_OWN
    }

    /// A system instruction that user code tries.
    ///
    /// # Exercise v3-E6: keep user mode out
    ///
    /// User code may look at its flags and change its own (`pushf`, `popf`), and
    /// load and read segment registers. Everything else is the kernel's
    /// business: #GP(0), to the guest's *own* kernel, which decides what happens
    /// to its user. The VM goes on in any case.
    fn user_instruction(
        &mut self,
        context: &mut Context,
        instruction: SystemInstruction,
    ) -> Result<(), Fault> {
        // BEGIN SOLUTION
        match instruction {
            SystemInstruction::Pushf { .. } => self.below.emulate(context, instruction),
            SystemInstruction::Popf { size } => {
                let wanted = self.below.popped_flags(context, size)?;
                let allowed = self.user_flags(context, wanted);
                self.below.pop_flags(context, size, allowed);
                Some(Ok(()))
            }
            SystemInstruction::LoadSegment { .. } | SystemInstruction::StoreSegment { .. } => {
                self.emulate(context, instruction)
            }
            _ => None,
        }
        .unwrap_or(Err(Fault::GeneralProtection(0)))
        // END SOLUTION
        // STUB: todo!("v3-E6: refuse {instruction:?} to user code")
    }

    /// Emulates an instruction of the kernel that this version adds, RIP aside;
    /// `None` if it is none of them.
    fn emulate(
        &mut self,
        context: &mut Context,
        instruction: SystemInstruction,
    ) -> Option<Result<(), Fault>> {
        let done = match instruction {
            SystemInstruction::Rdmsr => self.msrs.read(context),
            SystemInstruction::Wrmsr => self.msrs.write(context),
            SystemInstruction::Ltr { selector } => {
                TaskRegister::load(context, self.below.segments, selector)
                    .map(|task| self.task = task)
            }
            SystemInstruction::LoadSegment { segment, selector } => {
                self.load_segment(context, segment, selector)
            }
            SystemInstruction::StoreSegment {
                segment,
                destination,
            } => store(context, destination, self.selector(segment)),
            SystemInstruction::Str { destination } => {
                store(context, destination, self.task.selector)
            }
            SystemInstruction::WriteControl { control, value } => {
                self.control.write(context, control, value)?
            }
            SystemInstruction::ReadControl {
                control,
                destination,
            } => {
                context.registers[destination] = self.control.read(context, control)?;
                Ok(())
            }
            SystemInstruction::Swapgs => {
                self.msrs.swap_gs(context);
                Ok(())
            }
            SystemInstruction::Invlpg { address } => {
                context.space.invalidate(address);
                Ok(())
            }
            SystemInstruction::Clts => {
                self.control.clear_task_switched();
                Ok(())
            }
            _ => return None,
        };
        Some(done)
    }

    fn selector(&self, segment: Segment) -> u16 {
        match segment {
            Segment::Cs => self.below.cs,
            Segment::Ss => self.below.ss,
            _ => self.data_segments.get(segment).unwrap_or(0),
        }
    }

    fn load_segment(
        &mut self,
        context: &mut Context,
        segment: Segment,
        selector: u16,
    ) -> Result<(), Fault> {
        let gdt = self.below.segments;
        if segment != Segment::Ss {
            return self.data_segments.load(context, gdt, segment, selector);
        }
        let privilege = match Mode::of(context) {
            Mode::Kernel => 0,
            Mode::User => 3,
        };
        if selector & !3 != 0 || privilege == 3 {
            let read = |context: &mut Context| gdt.descriptor(context, selector);
            let stack = Mode::Kernel.during(context, read)?;
            let mine = stack.privilege() == privilege && selector & 3 == u16::from(privilege);
            if !stack.is_writable_data() || !mine {
                return Err(Fault::GeneralProtection(selector & !3));
            }
            if !stack.is_present() {
                return Err(Fault::StackSegment(selector & !3));
            }
        }
        self.below.ss = selector;
        Ok(())
    }

    /// What happens at a system instruction: the mode decides whose it is.
    fn on_system(&mut self, context: &mut Context, trap: Trap) -> Next {
        let Trap::System {
            instruction,
            length,
        } = trap
        else {
            return self.below.on_trap(context, trap);
        };
        if self.below.sets_trap_flag(context, instruction) {
            return self.below.below.refuse(trap);
        }
        let mode = Mode::of(context);
        let done = match (instruction, mode) {
            (SystemInstruction::Syscall, _) => {
                return resume_or_raise(system_call::enter(self, context, length));
            }
            (SystemInstruction::Iret { size: Size::Qword }, _) => {
                return resume_or_raise(self.interrupt_return(context));
            }
            (SystemInstruction::Sysret { size }, Mode::Kernel) => {
                return resume_or_raise(system_call::leave(self, context, size));
            }
            (_, Mode::User) => Some(self.user_instruction(context, instruction)),
            (_, Mode::Kernel) => self.emulate(context, instruction),
        };
        match done {
            Some(Ok(())) => {
                context.rip += u64::from(length);
                Next::Resume
            }
            Some(Err(fault)) => Next::Raise(Event::Exception(fault)),
            None => self.below.on_trap(context, trap),
        }
    }
}

impl Emulate for Core {
    fn before_enter(&mut self, context: &mut Context) -> Result<Limit, Next> {
        self.below.before_enter(context)
    }

    fn on_trap(&mut self, context: &mut Context, trap: Trap) -> Next {
        match trap {
            Trap::System { .. } => self.on_system(context, trap),
            _ => self.below.on_trap(context, trap),
        }
    }

    fn deliver(&mut self, context: &mut Context, event: Event) -> Next {
        self.below.note(event);
        let entered = self.enter_handler(context, event);
        self.below.delivered(event, entered)
    }

    fn finish_port_read(&mut self, context: &mut Context, value: u64) {
        self.below.finish_port_read(context, value);
    }

    fn can_inject(&self) -> bool {
        self.below.can_inject()
    }

    fn inject(&mut self, vector: u8) -> Result<(), NotReady> {
        self.below.inject(vector)
    }

    fn want_window(&mut self, on: bool) {
        self.below.want_window(on);
    }
}

/// Writes a selector where an instruction wants it.
fn store(context: &mut Context, destination: Operand, selector: u16) -> Result<(), Fault> {
    match destination {
        Operand::Register(register, size) => {
            context.registers.write(register, size, u64::from(selector));
            Ok(())
        }
        Operand::Memory(address) => context.write(address, Size::Word, u64::from(selector)),
    }
}

#[cfg(test)]
mod tests;
