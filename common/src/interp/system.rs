//! Instructions that deprivileged code may not run, or that tell it what it
//! must not know: they become traps.

use super::address::Any;
use super::op::{Op, Reg};
use super::state::State;
use crate::{Gpr, Operand, Segment, Size, SystemInstruction, Trap, View};
use iced_x86::{Code, Instruction, Mnemonic, OpKind, Register};

/// Whether an instruction is for the system: privileged ones, and the sensitive
/// ones that real CPUs run (wrongly) without privilege.
pub fn is_system(instruction: &Instruction) -> bool {
    use Mnemonic::*;
    instruction.is_privileged()
        || names_segment(instruction)
        || matches!(
            instruction.mnemonic(),
            Pushf | Pushfd | Pushfq | Popf | Popfd | Popfq | Iret | Iretd | Iretq | Int | Int1
        )
        || matches!(
            instruction.mnemonic(),
            Sgdt | Sidt | Sldt | Str | Smsw | Lar | Lsl | Verr | Verw | Lfs | Lgs | Lss
        )
        || matches!(
            instruction.mnemonic(),
            Syscall | Sysret | Sysretq | Sysenter | Sysexit | Sysexitq | Retf | Vmcall | Vmmcall
        )
        || matches!(
            instruction.mnemonic(),
            Rdtscp
                | Rdpmc
                | Rdpid
                | Xgetbv
                | Rdfsbase
                | Rdgsbase
                | Wrfsbase
                | Wrgsbase
                | Monitor
                | Mwait
                | Clac
                | Stac
        )
        || instruction.is_jmp_far_indirect()
        || instruction.is_call_far_indirect()
}

/// Moves, pushes and pops of segment registers.
fn names_segment(instruction: &Instruction) -> bool {
    (0..instruction.op_count().min(2)).any(|operand| {
        instruction.op_kind(operand) == OpKind::Register
            && instruction.op_register(operand).is_segment_register()
    })
}

/// The trap for a system instruction, with its operands read; or the fault that
/// reading them causes.
pub fn resolve(s: &mut State, instruction: &Instruction) -> Trap {
    let resolver = Resolver {
        op: Op::new(instruction, super::decode::nothing),
        instruction,
    };
    match resolver.resolve(s) {
        Ok(resolved) => Trap::System {
            instruction: resolved,
            length: instruction.len() as u8,
        },
        Err(trap) => trap,
    }
}

struct Resolver<'a> {
    op: Op,
    instruction: &'a Instruction,
}

impl Resolver<'_> {
    fn resolve(&self, s: &mut State) -> Result<SystemInstruction, Trap> {
        use SystemInstruction as System;
        let i = self.instruction;
        Ok(match i.mnemonic() {
            Mnemonic::In => System::In {
                port: self.port(s, 1),
                size: self.size(0),
            },
            Mnemonic::Out => System::Out {
                port: self.port(s, 0),
                size: self.size(1),
            },
            Mnemonic::Insb | Mnemonic::Insw | Mnemonic::Insd => self.ins(s),
            Mnemonic::Outsb | Mnemonic::Outsw | Mnemonic::Outsd => self.outs(s),
            Mnemonic::Hlt => System::Hlt,
            Mnemonic::Cli => System::Cli,
            Mnemonic::Sti => System::Sti,
            Mnemonic::Pushf | Mnemonic::Pushfq => System::Pushf {
                size: stack_size(i),
            },
            Mnemonic::Popf | Mnemonic::Popfq => System::Popf {
                size: stack_size(i),
            },
            Mnemonic::Int => System::Int {
                vector: i.immediate8(),
            },
            Mnemonic::Int1 => System::Int { vector: 1 },
            Mnemonic::Iret => System::Iret { size: Size::Word },
            Mnemonic::Iretd => System::Iret { size: Size::Dword },
            Mnemonic::Iretq => System::Iret { size: Size::Qword },
            Mnemonic::Lidt => {
                let (limit, base) = self.table(s)?;
                System::Lidt { limit, base }
            }
            Mnemonic::Lgdt => {
                let (limit, base) = self.table(s)?;
                System::Lgdt { limit, base }
            }
            Mnemonic::Sidt => System::Sidt {
                address: self.address(s),
            },
            Mnemonic::Sgdt => System::Sgdt {
                address: self.address(s),
            },
            Mnemonic::Lldt => System::Lldt {
                selector: self.privileged_word(s)?,
            },
            Mnemonic::Ltr => System::Ltr {
                selector: self.privileged_word(s)?,
            },
            Mnemonic::Lmsw => System::Lmsw {
                value: self.privileged_word(s)?,
            },
            Mnemonic::Sldt => System::Sldt {
                destination: self.destination(s),
            },
            Mnemonic::Str => System::Str {
                destination: self.destination(s),
            },
            Mnemonic::Smsw => System::Smsw {
                destination: self.destination(s),
            },
            Mnemonic::Clts => System::Clts,
            Mnemonic::Invlpg => System::Invlpg {
                address: self.address(s),
            },
            Mnemonic::Rdmsr => System::Rdmsr,
            Mnemonic::Wrmsr => System::Wrmsr,
            Mnemonic::Swapgs => System::Swapgs,
            Mnemonic::Syscall => System::Syscall,
            Mnemonic::Sysret => System::Sysret { size: Size::Dword },
            Mnemonic::Sysretq => System::Sysret { size: Size::Qword },
            Mnemonic::Mov => self.mov(s)?,
            _ => System::Other,
        })
    }

    /// Moves from and to segment, control and debug registers.
    fn mov(&self, s: &mut State) -> Result<SystemInstruction, Trap> {
        let register = |operand| match self.instruction.op_kind(operand) {
            OpKind::Register => self.instruction.op_register(operand),
            _ => Register::None,
        };
        let (to, from) = (register(0), register(1));
        Ok(if let Some(segment) = segment(to) {
            SystemInstruction::LoadSegment {
                segment,
                selector: self.word(s, 1)?,
            }
        } else if let Some(segment) = segment(from) {
            SystemInstruction::StoreSegment {
                segment,
                destination: self.destination(s),
            }
        } else if to.is_cr() {
            SystemInstruction::WriteControl {
                control: to.number() as u8,
                value: s.regs[Reg::of(from) as usize],
            }
        } else if to.is_dr() {
            SystemInstruction::WriteDebug {
                debug: to.number() as u8,
                value: s.regs[Reg::of(from) as usize],
            }
        } else if from.is_cr() {
            SystemInstruction::ReadControl {
                control: from.number() as u8,
                destination: general(to),
            }
        } else if from.is_dr() {
            SystemInstruction::ReadDebug {
                debug: from.number() as u8,
                destination: general(to),
            }
        } else {
            SystemInstruction::Other
        })
    }

    fn ins(&self, s: &State) -> SystemInstruction {
        let rdi = s.regs[Reg::Rdi as usize];
        let narrow = self.instruction.op0_kind() == OpKind::MemoryESEDI;
        SystemInstruction::Ins {
            port: s.regs[Reg::Rdx as usize] as u16,
            size: self.size(0),
            address: if narrow { rdi as u32 as u64 } else { rdi },
            repeat: self.instruction.has_rep_prefix() || self.instruction.has_repne_prefix(),
        }
    }

    fn outs(&self, s: &State) -> SystemInstruction {
        let rsi = s.regs[Reg::Rsi as usize];
        let narrow = self.instruction.op1_kind() == OpKind::MemorySegESI;
        let base = match self.instruction.memory_segment() {
            Register::FS => s.regs[Reg::FsBase as usize],
            Register::GS => s.regs[Reg::GsBase as usize],
            _ => 0,
        };
        let offset = if narrow { rsi as u32 as u64 } else { rsi };
        SystemInstruction::Outs {
            port: s.regs[Reg::Rdx as usize] as u16,
            size: self.size(1),
            address: offset.wrapping_add(base),
            repeat: self.instruction.has_rep_prefix() || self.instruction.has_repne_prefix(),
        }
    }

    fn port(&self, s: &State, operand: u32) -> u16 {
        match self.instruction.op_kind(operand) {
            OpKind::Register => s.regs[Reg::Rdx as usize] as u16,
            _ => self.instruction.immediate8().into(),
        }
    }

    fn size(&self, operand: u32) -> Size {
        super::family::size_of(self.instruction, operand)
    }

    fn address(&self, s: &State) -> u64 {
        use super::address::Address;
        Any::of(s, &self.op)
    }

    /// Limit and base of a descriptor table, not read in the user's view (see
    /// [`privileged_word`](Self::privileged_word)).
    fn table(&self, s: &mut State) -> Result<(u16, u64), Trap> {
        let mut bytes = [0; 10];
        if s.context.space.view == View::User {
            return Ok((0, 0));
        }
        s.read_bytes(self.address(s), &mut bytes, self.op.stack)?;
        let [l0, l1, base @ ..] = bytes;
        Ok((u16::from_le_bytes([l0, l1]), u64::from_le_bytes(base)))
    }

    /// A 16-bit operand, from a register or from memory.
    fn word(&self, s: &mut State, operand: u32) -> Result<u16, Trap> {
        let value = match self.instruction.op_kind(operand) {
            OpKind::Register => s.regs[Reg::of(self.instruction.op_register(operand)) as usize],
            _ => s.read::<u16>(self.address(s), self.op.stack)?,
        };
        Ok(value as u16)
    }

    /// The same for an instruction that only a kernel may run. In the user's
    /// view the operand is not read: that it may not run comes first.
    fn privileged_word(&self, s: &mut State) -> Result<u16, Trap> {
        match s.context.space.view {
            View::Kernel => self.word(s, 0),
            View::User => Ok(0),
        }
    }

    fn destination(&self, s: &State) -> Operand {
        match self.instruction.op0_kind() {
            OpKind::Register => {
                Operand::Register(general(self.instruction.op0_register()), self.size(0))
            }
            _ => Operand::Memory(self.address(s)),
        }
    }
}

fn stack_size(instruction: &Instruction) -> Size {
    match instruction.code() {
        Code::Pushfw | Code::Popfw => Size::Word,
        _ => Size::Qword,
    }
}

fn general(register: Register) -> Gpr {
    Gpr::ALL[register.full_register().number() % 16]
}

fn segment(register: Register) -> Option<Segment> {
    Some(match register {
        Register::ES => Segment::Es,
        Register::CS => Segment::Cs,
        Register::SS => Segment::Ss,
        Register::DS => Segment::Ds,
        Register::FS => Segment::Fs,
        Register::GS => Segment::Gs,
        _ => return None,
    })
}
