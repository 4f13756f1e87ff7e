//! The instruction families, one file each.

mod arithmetic;
mod atomic;
mod bits;
mod bmi;
mod branches;
mod convert;
mod count;
mod fused;
mod misc;
mod moves;
mod multiply;
mod shifts;
mod source;
mod sse;
mod stack;
mod string;
mod unary;

use super::op::Op;
use crate::Size;
use iced_x86::{Instruction, OpKind};

/// Makes the operation for an instruction of its family; `None` if the
/// instruction belongs to another one. If `flags` is false, nobody looks at the
/// flags that the instruction leaves.
type Lower = fn(instruction: &Instruction, flags: bool) -> Option<Op>;

/// Who is asked, in this order.
const FAMILIES: &[Lower] = &[
    moves::lower,
    arithmetic::lower,
    branches::lower,
    unary::lower,
    stack::lower,
    shifts::lower,
    multiply::lower,
    bits::lower,
    convert::lower,
    misc::lower,
    atomic::lower,
    string::lower,
    count::lower,
    bmi::lower,
    sse::lower,
];

/// The operation for an instruction, if any family knows it.
pub fn lower(instruction: &Instruction, flags: bool) -> Option<Op> {
    if instruction.is_invalid() {
        return None;
    }
    if instruction.has_lock_prefix() {
        return atomic::lower(instruction, flags);
    }
    FAMILIES.iter().find_map(|lower| lower(instruction, flags))
}

/// One operation for two instructions, if there is one.
pub use fused::fuse;

/// Where the operands of an instruction with one or two of them are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Register and register, or one register.
    Rr,
    /// Register and immediate, or an immediate alone.
    Ri,
    /// Register, from memory.
    Rm,
    /// Memory, with a register, or memory alone.
    Mr,
    /// Memory, with an immediate.
    Mi,
}

impl Form {
    fn of(instruction: &Instruction) -> Form {
        let first = instruction.op0_kind();
        let second = match instruction.op_count() {
            1 if first == OpKind::Memory => OpKind::Register,
            1 => first,
            _ => instruction.op1_kind(),
        };
        match (first, second) {
            (OpKind::Memory, OpKind::Register) => Form::Mr,
            (OpKind::Memory, _) => Form::Mi,
            (_, OpKind::Memory) => Form::Rm,
            (OpKind::Register, OpKind::Register) => Form::Rr,
            _ => Form::Ri,
        }
    }
}

/// The width of an operand.
pub fn size_of(instruction: &Instruction, operand: u32) -> Size {
    let bytes = match instruction.op_kind(operand) {
        OpKind::Register => instruction.op_register(operand).size(),
        _ => instruction.memory_size().size(),
    };
    Size::from_bytes(bytes as u64).unwrap_or(Size::Qword)
}
