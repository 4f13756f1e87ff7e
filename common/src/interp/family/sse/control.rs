//! The instructions with MXCSR, and MOVNTI, which comes from a general register.

use crate::interp::access::fallible;
use crate::interp::address::{Address, Any};
use crate::interp::op::{Flow, Op, Run};
use crate::interp::state::State;
use crate::{Fault, Trap};
use iced_x86::{Code, Instruction};

/// The bits of MXCSR that exist; setting another is a #GP (SDM vol. 1, 10.2.3).
const MXCSR_MASK: u64 = 0xffff;

/// The operation of an instruction of this file.
pub fn lower(instruction: &Instruction) -> Option<Op> {
    let run: Run = match instruction.code() {
        Code::Ldmxcsr_m32 => load_control,
        Code::Stmxcsr_m32 => store_control,
        Code::Movnti_m32_r32 => stream::<u32>,
        Code::Movnti_m64_r64 => stream::<u64>,
        _ => return None,
    };
    Some(Op::new(instruction, run))
}

fn load_control(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    fallible(s, op, rest, |s, op| {
        let value = s.read::<u32>(Any::of(s, op), op.stack)?;
        if value & !MXCSR_MASK != 0 {
            return Err(Trap::Fault(Fault::GeneralProtection(0)));
        }
        s.context.mxcsr = value as u32;
        Ok(())
    })
}

fn store_control(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    fallible(s, op, rest, |s, op| {
        let value = u64::from(s.context.mxcsr);
        s.write::<u32>(Any::of(s, op), value, op.stack)
    })
}

/// A store that bypasses caches, of which there are none here.
fn stream<T: crate::memory::Word>(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    fallible(s, op, rest, |s, op| {
        s.write::<T>(Any::of(s, op), s.regs[op.dst as usize], op.stack)
    })
}
