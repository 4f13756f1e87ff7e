//! inc, dec, neg, not: one operand in and out.

use super::{Form, size_of};
use crate::interp::access::update;
use crate::interp::address::{Address, addressed};
use crate::interp::decode::nothing;
use crate::interp::flags::Flags;
use crate::interp::int::{Int, either, sized};
use crate::interp::op::{Flow, Op, Run, next};
use crate::interp::state::State;
use iced_x86::{Instruction, Mnemonic};

/// One of the operations.
pub trait Unary: 'static {
    /// The result and its flags.
    fn compute<T: Int>(a: u64, before: Flags) -> (u64, Flags);
}

pub struct Inc;
pub struct Dec;
pub struct Neg;
pub struct Not;

impl Unary for Inc {
    #[inline(always)]
    fn compute<T: Int>(a: u64, before: Flags) -> (u64, Flags) {
        let r = T::cut(a.wrapping_add(1));
        (r, Flags::add::<T>(a, 1, r).with_carry(before.carry()))
    }
}

impl Unary for Dec {
    #[inline(always)]
    fn compute<T: Int>(a: u64, before: Flags) -> (u64, Flags) {
        let r = T::cut(a.wrapping_sub(1));
        (r, Flags::sub::<T>(a, 1, r).with_carry(before.carry()))
    }
}

impl Unary for Neg {
    #[inline(always)]
    fn compute<T: Int>(a: u64, _: Flags) -> (u64, Flags) {
        let r = T::cut(a.wrapping_neg());
        (r, Flags::sub::<T>(0, a, r))
    }
}

impl Unary for Not {
    #[inline(always)]
    fn compute<T: Int>(a: u64, before: Flags) -> (u64, Flags) {
        (T::cut(!a), before)
    }
}

pub fn lower(instruction: &Instruction, flags: bool) -> Option<Op> {
    Some(match instruction.mnemonic() {
        Mnemonic::Inc => pick::<Inc>(instruction, flags),
        Mnemonic::Dec => pick::<Dec>(instruction, flags),
        Mnemonic::Neg => pick::<Neg>(instruction, flags),
        Mnemonic::Not => pick::<Not>(instruction, false),
        _ => return None,
    })
}

fn pick<O: Unary>(instruction: &Instruction, flags: bool) -> Op {
    let mut op = Op::new(instruction, nothing);
    op.run = sized!(size_of(instruction, 0), T => either!(flags, FLAGS => {
        match Form::of(instruction) {
            Form::Rr => register::<O, T, FLAGS> as Run,
            _ => addressed!(op, A => memory::<O, A, T, FLAGS>),
        }
    }));
    op
}

fn register<O: Unary, T: Int, const FLAGS: bool>(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    let (r, flags) = O::compute::<T>(T::get(s, op.dst), s.flags);
    T::set(s, op.dst, r);
    if FLAGS {
        s.flags = flags;
    }
    next(s, rest)
}

fn memory<O: Unary, A: Address, T: Int, const FLAGS: bool>(
    s: &mut State,
    op: &Op,
    rest: &[Op],
) -> Flow {
    update::<A, T, FLAGS>(s, op, rest, |s, _, a| O::compute::<T>(a, s.flags))
}
