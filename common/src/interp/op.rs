//! A decoded instruction: a function and its operands.

use super::state::State;
use iced_x86::{Instruction, OpKind, Register};

/// Runs an operation and, unless it ends the block, the ones after it.
pub type Run = fn(&mut State, &Op, &[Op]) -> Flow;

/// What a block hands back to the dispatcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Flow {
    /// Go on behind the block: it ends without a jump, or with one not taken.
    Through,
    /// Go on at the target of the jump or call that ended the block.
    Taken,
    /// Go on at `state.rip`.
    Indirect,
    /// The operation at `state.left` has finished, and what follows it must be
    /// looked at anew (its code may have changed, or something must be
    /// reported).
    Leave,
    /// The operation at `state.left` has finished, and was a `pause` that the
    /// context's filter has to count.
    Pause,
    /// The operation at `state.left` has done a part and wants to run again.
    Again,
    /// The operation at `state.left` has changed nothing; `state.trap` says why.
    Stop,
    /// The operation at `state.left` is a system instruction: resolve it.
    System,
}

impl Flow {
    /// Which of a block's two links leads on, if one does.
    #[inline(always)]
    pub fn link(self) -> Option<usize> {
        (self <= Flow::Taken).then_some(self as usize)
    }
}

/// One decoded instruction, or two that run as one.
#[derive(Clone, Copy, Debug)]
pub struct Op {
    /// What it does.
    pub run: Run,
    /// Displacement of the memory operand; RIP-relative ones are absolute here.
    pub disp: u64,
    /// An immediate operand, or whatever the operation wants.
    pub imm: u64,
    /// First register operand.
    pub dst: Reg,
    /// Second register operand.
    pub src: Reg,
    /// Base register of the memory operand, or [`Reg::Zero`].
    pub base: Reg,
    /// Index register of the memory operand, or [`Reg::Zero`].
    pub index: Reg,
    /// How far the index is shifted.
    pub scale: u8,
    /// FS, GS, or [`Reg::Zero`].
    pub segment: Reg,
    /// Whether addresses have 32 bits.
    pub narrow: bool,
    /// Whether the memory operand is on the stack: then a non-canonical address
    /// is a #SS instead of a #GP.
    pub stack: bool,
}

/// A place in the register file. The high bytes are names for parts of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs)] // the names are the meaning
pub enum Reg {
    Rax,
    Rcx,
    Rdx,
    Rbx,
    Rsp,
    Rbp,
    Rsi,
    Rdi,
    R8,
    R9,
    R10,
    R11,
    R12,
    R13,
    R14,
    R15,
    /// Always zero.
    Zero,
    FsBase,
    GsBase,
    Ah = 20,
    Ch,
    Dh,
    Bh,
}

/// How many places there are.
pub const REGS: usize = 24;

impl Reg {
    const GENERAL: [Reg; 16] = [
        Reg::Rax,
        Reg::Rcx,
        Reg::Rdx,
        Reg::Rbx,
        Reg::Rsp,
        Reg::Rbp,
        Reg::Rsi,
        Reg::Rdi,
        Reg::R8,
        Reg::R9,
        Reg::R10,
        Reg::R11,
        Reg::R12,
        Reg::R13,
        Reg::R14,
        Reg::R15,
    ];

    /// Whether this is AH, CH, DH or BH.
    #[inline(always)]
    pub fn is_high(self) -> bool {
        self as u8 >= Reg::Ah as u8
    }

    /// The register that a high byte is part of.
    #[inline(always)]
    pub fn whole(self) -> Reg {
        match self {
            Reg::Ah => Reg::Rax,
            Reg::Ch => Reg::Rcx,
            Reg::Dh => Reg::Rdx,
            Reg::Bh => Reg::Rbx,
            other => other,
        }
    }

    /// The place of a general register of any width; the others are
    /// [`Reg::Zero`].
    pub fn of(register: Register) -> Reg {
        match register {
            Register::AH => Reg::Ah,
            Register::CH => Reg::Ch,
            Register::DH => Reg::Dh,
            Register::BH => Reg::Bh,
            _ if register.is_gpr() => Reg::GENERAL[register.full_register().number()],
            _ => Reg::Zero,
        }
    }
}

impl Op {
    /// An operation with the operands of `instruction`: the memory operand if
    /// there is one, the first two register operands, the last immediate
    /// (sign-extended as the instruction says).
    pub fn new(instruction: &Instruction, run: Run) -> Op {
        let mut op = Op {
            run,
            disp: 0,
            imm: 0,
            dst: Reg::Zero,
            src: Reg::Zero,
            base: Reg::Zero,
            index: Reg::Zero,
            scale: 0,
            segment: Reg::Zero,
            narrow: false,
            stack: false,
        };
        let mut registers = 0;
        for operand in 0..instruction.op_count() {
            match instruction.op_kind(operand) {
                OpKind::Register => {
                    let register = Reg::of(instruction.op_register(operand));
                    match registers {
                        0 => op.dst = register,
                        1 => op.src = register,
                        _ => {}
                    }
                    registers += 1;
                }
                OpKind::Memory => op.set_memory(instruction),
                _ => {
                    if let Ok(value) = instruction.try_immediate(operand) {
                        op.imm = value;
                    }
                }
            }
        }
        op
    }

    fn set_memory(&mut self, instruction: &Instruction) {
        let base = instruction.memory_base();
        let index = instruction.memory_index();
        self.disp = instruction.memory_displacement64();
        self.narrow = [base, index].iter().any(|register| register.size() == 4)
            || instruction.memory_displ_size() == 4;
        self.base = Reg::of(base);
        self.index = Reg::of(index);
        self.scale = instruction.memory_index_scale().trailing_zeros() as u8;
        self.segment = match instruction.memory_segment() {
            Register::FS => Reg::FsBase,
            Register::GS => Reg::GsBase,
            _ => Reg::Zero,
        };
        self.stack = self.segment == Reg::Zero && matches!(self.base, Reg::Rsp | Reg::Rbp);
    }
}

/// Runs the next operation of the block. Operations end with this, as their
/// very last act, so that the compiler makes a jump of it.
#[inline(always)]
pub fn next(s: &mut State, rest: &[Op]) -> Flow {
    match rest.split_first() {
        Some((op, rest)) => (op.run)(s, op, rest),
        None => Flow::Through,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byte_registers_are_parts_of_the_right_ones() {
        let names = [
            (Register::AH, Reg::Ah),
            (Register::BH, Reg::Bh),
            (Register::SPL, Reg::Rsp),
            (Register::DIL, Reg::Rdi),
            (Register::R9L, Reg::R9),
            (Register::R15W, Reg::R15),
            (Register::EBP, Reg::Rbp),
            (Register::RIP, Reg::Zero),
            (Register::None, Reg::Zero),
        ];
        for (register, expected) in names {
            assert_eq!(Reg::of(register), expected, "{register:?}");
        }
        assert_eq!(size_of::<Op>(), 32);
    }
}
