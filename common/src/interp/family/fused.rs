//! Two instructions as one operation: a compare and the jump that it decides.

use super::arithmetic::{Add, Alu, And, Cmp, Sub, Test};
use super::branches::branch;
use super::moves::condition;
use super::unary::{Dec, Inc, Unary};
use super::{Form, size_of};
use crate::Size;
use crate::interp::access::load_then;
use crate::interp::address::{Address, addressed};
use crate::interp::decode::nothing;
use crate::interp::flags::Flags;
use crate::interp::int::{Int, conditional, sized};
use crate::interp::op::{Flow, Op, Run};
use crate::interp::state::State;
use iced_x86::{Instruction, Mnemonic};

/// One operation for `instruction` and the conditional `jump` behind it.
pub fn fuse(instruction: &Instruction, jump: &Instruction) -> Option<Op> {
    if !jump.is_jcc_short_or_near() || instruction.has_lock_prefix() {
        return None;
    }
    let condition = condition(jump);
    match instruction.mnemonic() {
        Mnemonic::Cmp => two::<Cmp>(instruction, condition),
        Mnemonic::Test => two::<Test>(instruction, condition),
        Mnemonic::Sub => registers::<Sub>(instruction, condition),
        Mnemonic::Add => registers::<Add>(instruction, condition),
        Mnemonic::And => registers::<And>(instruction, condition),
        Mnemonic::Dec => one::<Dec>(instruction, condition),
        Mnemonic::Inc => one::<Inc>(instruction, condition),
        _ => None,
    }
}

/// Whether the condition holds after a comparison. Those that programs use most
/// are taken from the operands, not from the flags.
#[inline(always)]
fn decide<O: Alu, T: Int, const C: u8>(a: u64, b: u64, r: u64, flags: Flags) -> bool {
    let (signed_a, signed_b) = (T::sign_extend(a) as i64, T::sign_extend(b) as i64);
    let truth = match C >> 1 {
        2 => r == 0,
        4 => T::top(r),
        1 if O::COMPARES => a < b,
        3 if O::COMPARES => a <= b,
        6 if O::COMPARES => signed_a < signed_b,
        7 if O::COMPARES => signed_a <= signed_b,
        _ => return flags.holds::<C>(),
    };
    truth != (C & 1 == 1)
}

fn wide_enough(size: Size) -> bool {
    size != Size::Word
}

/// With every kind of operand.
fn two<O: Alu>(instruction: &Instruction, condition: u8) -> Option<Op> {
    let form = Form::of(instruction);
    if matches!(form, Form::Rr | Form::Ri) {
        return registers::<O>(instruction, condition);
    }
    let size = size_of(instruction, 0);
    if !wide_enough(size) {
        return None;
    }
    let mut op = Op::new(instruction, nothing);
    op.imm = size.truncate(op.imm);
    op.run = conditional!(condition, C => match size {
        Size::Byte => memory::<O, u8, C>(&op, form),
        Size::Dword => memory::<O, u32, C>(&op, form),
        _ => memory::<O, u64, C>(&op, form),
    });
    Some(op)
}

fn memory<O: Alu, T: Int, const C: u8>(op: &Op, form: Form) -> Run {
    addressed!(op, A => match form {
        Form::Rm => rm::<O, A, T, C> as Run,
        Form::Mr => mr::<O, A, T, C>,
        _ => mi::<O, A, T, C>,
    })
}

fn registers<O: Alu>(instruction: &Instruction, condition: u8) -> Option<Op> {
    let size = size_of(instruction, 0);
    let form = Form::of(instruction);
    if !wide_enough(size) || !matches!(form, Form::Rr | Form::Ri) {
        return None;
    }
    let mut op = Op::new(instruction, nothing);
    op.imm = size.truncate(op.imm);
    op.run = conditional!(condition, C => sized!(size, T => match form {
        Form::Rr => rr::<O, T, C> as Run,
        _ => ri::<O, T, C>,
    }));
    Some(op)
}

#[inline(always)]
fn compare<O: Alu, T: Int, const C: u8>(s: &mut State, op: &Op, a: u64, b: u64) -> Flow {
    let (r, flags) = O::compute::<T>(a, b, s.flags);
    s.flags = flags;
    if O::WRITES {
        T::set(s, op.dst, r);
    }
    branch(decide::<O, T, C>(a, b, r, flags))
}

fn rr<O: Alu, T: Int, const C: u8>(s: &mut State, op: &Op, _: &[Op]) -> Flow {
    let (a, b) = (T::get(s, op.dst), T::get(s, op.src));
    compare::<O, T, C>(s, op, a, b)
}

fn ri<O: Alu, T: Int, const C: u8>(s: &mut State, op: &Op, _: &[Op]) -> Flow {
    let a = T::get(s, op.dst);
    compare::<O, T, C>(s, op, a, op.imm)
}

fn rm<O: Alu, A: Address, T: Int, const C: u8>(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    load_then::<A, T>(s, op, rest, |s, op, _, b| {
        let a = T::get(s, op.dst);
        compare::<O, T, C>(s, op, a, b)
    })
}

fn mr<O: Alu, A: Address, T: Int, const C: u8>(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    load_then::<A, T>(s, op, rest, |s, op, _, a| {
        let b = T::get(s, op.dst);
        compare::<O, T, C>(s, op, a, b)
    })
}

fn mi<O: Alu, A: Address, T: Int, const C: u8>(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    load_then::<A, T>(s, op, rest, |s, op, _, a| {
        compare::<O, T, C>(s, op, a, op.imm)
    })
}

fn one<O: Unary>(instruction: &Instruction, condition: u8) -> Option<Op> {
    let size = size_of(instruction, 0);
    if !wide_enough(size) || Form::of(instruction) != Form::Rr {
        return None;
    }
    let run = conditional!(condition, C => sized!(size, T => count::<O, T, C> as Run));
    Some(Op::new(instruction, run))
}

fn count<O: Unary, T: Int, const C: u8>(s: &mut State, op: &Op, _: &[Op]) -> Flow {
    let a = T::get(s, op.dst);
    let (r, flags) = O::compute::<T>(a, s.flags);
    s.flags = flags;
    T::set(s, op.dst, r);
    let truth = match C >> 1 {
        2 => r == 0,
        4 => T::top(r),
        _ => return branch(flags.holds::<C>()),
    };
    branch(truth != (C & 1 == 1))
}
