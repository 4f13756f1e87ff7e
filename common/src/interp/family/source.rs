//! Operations that read one operand, from a register or from memory, and leave
//! all they do in registers.

use crate::Size;
use crate::interp::decode::nothing;
use crate::interp::op::{Op, Reg, Run};
use iced_x86::{Instruction, OpKind, Register};

/// Makes an operation whose operand `operand` may be in memory; `run` chooses
/// the function by the operand's size and by whether it is in memory.
///
/// `dst` is the first operand and `src` the remaining register, if there is
/// one. In the register form `base`, which addresses nothing then, names the
/// operand.
pub fn lower(
    instruction: &Instruction,
    operand: u32,
    run: impl Fn(&Op, Size, bool) -> Option<Run>,
) -> Option<Op> {
    let memory = instruction.op_kind(operand) == OpKind::Memory;
    let register = instruction.op_register(operand);
    let bytes = match memory {
        true => instruction.memory_size().size(),
        false => register.size(),
    };
    let mut op = Op::new(instruction, nothing);
    if !memory {
        op.base = Reg::of(register);
    }
    op.src = Reg::of(other(instruction, operand));
    op.run = run(&op, Size::from_bytes(bytes as u64)?, memory)?;
    Some(op)
}

/// The register operand that is neither the first nor the one that may be in
/// memory.
fn other(instruction: &Instruction, operand: u32) -> Register {
    let others = (1..instruction.op_count()).filter(|index| *index != operand);
    let mut registers = others.map(|index| instruction.op_register(index));
    registers
        .find(|register| register.is_gpr())
        .unwrap_or(Register::None)
}

/// The function that reads the operand as [`lower`] left it, and finishes with
/// `$finish::<T>(state, op, value)`.
macro_rules! reading {
    ($op:expr, $size:expr, $memory:expr, $finish:ident) => {
        $crate::interp::int::sized!($size, T => {
            if $memory {
                $crate::interp::address::addressed!($op, A => {
                    let run: $crate::interp::op::Run = |s, op, rest| {
                        $crate::interp::access::load::<A, T>(s, op, rest, $finish::<T>)
                    };
                    run
                })
            } else {
                let run: $crate::interp::op::Run = |s, op, rest| {
                    let value = T::get(s, op.base);
                    $finish::<T>(s, op, value);
                    $crate::interp::op::next(s, rest)
                };
                run
            }
        })
    };
}

pub(crate) use reading;
