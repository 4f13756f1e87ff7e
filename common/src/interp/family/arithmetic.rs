//! add, or, adc, sbb, and, sub, xor, cmp, test: two operands in, flags out.

use super::{Form, size_of};
use crate::interp::access::{load, update};
use crate::interp::address::{Address, addressed};
use crate::interp::decode::nothing;
use crate::interp::flags::Flags;
use crate::interp::int::{Int, either, sized};
use crate::interp::op::{Flow, Op, Run, next};
use crate::interp::state::State;
use iced_x86::{Instruction, Mnemonic};

/// One of the operations.
pub trait Alu: 'static {
    /// Whether the result goes anywhere but into the flags.
    const WRITES: bool = true;
    /// Whether the flags tell how the operands compare.
    const COMPARES: bool = false;

    /// The result and its flags. Operands have zeros above their width, and so
    /// has the result.
    fn compute<T: Int>(a: u64, b: u64, before: Flags) -> (u64, Flags);
}

pub struct Add;
pub struct Or;
pub struct Adc;
pub struct Sbb;
pub struct And;
pub struct Sub;
pub struct Xor;
pub struct Cmp;
pub struct Test;

impl Alu for Add {
    #[inline(always)]
    fn compute<T: Int>(a: u64, b: u64, _: Flags) -> (u64, Flags) {
        let r = T::cut(a.wrapping_add(b));
        (r, Flags::add::<T>(a, b, r))
    }
}

impl Alu for Or {
    #[inline(always)]
    fn compute<T: Int>(a: u64, b: u64, _: Flags) -> (u64, Flags) {
        (a | b, Flags::logic::<T>(a | b))
    }
}

impl Alu for Adc {
    #[inline(always)]
    fn compute<T: Int>(a: u64, b: u64, before: Flags) -> (u64, Flags) {
        let sum = a.wrapping_add(b).wrapping_add(before.carry().into());
        let r = T::cut(sum);
        (r, Flags::add::<T>(a, b, r))
    }
}

impl Alu for Sbb {
    #[inline(always)]
    fn compute<T: Int>(a: u64, b: u64, before: Flags) -> (u64, Flags) {
        let difference = a.wrapping_sub(b).wrapping_sub(before.carry().into());
        let r = T::cut(difference);
        (r, Flags::sub::<T>(a, b, r))
    }
}

impl Alu for And {
    #[inline(always)]
    fn compute<T: Int>(a: u64, b: u64, _: Flags) -> (u64, Flags) {
        (a & b, Flags::logic::<T>(a & b))
    }
}

impl Alu for Sub {
    const COMPARES: bool = true;

    #[inline(always)]
    fn compute<T: Int>(a: u64, b: u64, _: Flags) -> (u64, Flags) {
        let r = T::cut(a.wrapping_sub(b));
        (r, Flags::sub::<T>(a, b, r))
    }
}

impl Alu for Xor {
    #[inline(always)]
    fn compute<T: Int>(a: u64, b: u64, _: Flags) -> (u64, Flags) {
        (a ^ b, Flags::logic::<T>(a ^ b))
    }
}

impl Alu for Cmp {
    const WRITES: bool = false;
    const COMPARES: bool = true;

    #[inline(always)]
    fn compute<T: Int>(a: u64, b: u64, before: Flags) -> (u64, Flags) {
        Sub::compute::<T>(a, b, before)
    }
}

impl Alu for Test {
    const WRITES: bool = false;

    #[inline(always)]
    fn compute<T: Int>(a: u64, b: u64, before: Flags) -> (u64, Flags) {
        And::compute::<T>(a, b, before)
    }
}

pub fn lower(instruction: &Instruction, flags: bool) -> Option<Op> {
    Some(match instruction.mnemonic() {
        Mnemonic::Add => pick::<Add>(instruction, flags),
        Mnemonic::Or => pick::<Or>(instruction, flags),
        Mnemonic::Adc => pick::<Adc>(instruction, flags),
        Mnemonic::Sbb => pick::<Sbb>(instruction, flags),
        Mnemonic::And => pick::<And>(instruction, flags),
        Mnemonic::Sub => pick::<Sub>(instruction, flags),
        Mnemonic::Xor => pick::<Xor>(instruction, flags),
        // These are there for their flags alone.
        Mnemonic::Cmp => pick::<Cmp>(instruction, true),
        Mnemonic::Test => pick::<Test>(instruction, true),
        _ => return None,
    })
}

fn pick<O: Alu>(instruction: &Instruction, flags: bool) -> Op {
    let mut op = Op::new(instruction, nothing);
    let form = Form::of(instruction);
    let size = size_of(instruction, 0);
    op.imm = size.truncate(op.imm);
    if form == Form::Mr {
        op.src = op.dst;
    }
    op.run = sized!(size, T => either!(flags, FLAGS => match form {
        Form::Rr => rr::<O, T, FLAGS> as Run,
        Form::Ri => ri::<O, T, FLAGS>,
        Form::Rm => addressed!(op, A => rm::<O, A, T, FLAGS>),
        Form::Mr => addressed!(op, A => mr::<O, A, T, FLAGS>),
        Form::Mi => addressed!(op, A => mi::<O, A, T, FLAGS>),
    }));
    op
}

#[inline(always)]
fn apply<O: Alu, T: Int, const FLAGS: bool>(s: &mut State, op: &Op, a: u64, b: u64) {
    let (r, flags) = O::compute::<T>(a, b, s.flags);
    if O::WRITES {
        T::set(s, op.dst, r);
    }
    if FLAGS {
        s.flags = flags;
    }
}

fn rr<O: Alu, T: Int, const FLAGS: bool>(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    let (a, b) = (T::get(s, op.dst), T::get(s, op.src));
    apply::<O, T, FLAGS>(s, op, a, b);
    next(s, rest)
}

fn ri<O: Alu, T: Int, const FLAGS: bool>(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    let a = T::get(s, op.dst);
    apply::<O, T, FLAGS>(s, op, a, op.imm);
    next(s, rest)
}

fn rm<O: Alu, A: Address, T: Int, const FLAGS: bool>(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    load::<A, T>(s, op, rest, |s, op, b| {
        let a = T::get(s, op.dst);
        apply::<O, T, FLAGS>(s, op, a, b);
    })
}

fn mr<O: Alu, A: Address, T: Int, const FLAGS: bool>(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    if !O::WRITES {
        return load::<A, T>(s, op, rest, |s, op, a| {
            let b = T::get(s, op.src);
            apply::<O, T, FLAGS>(s, op, a, b);
        });
    }
    update::<A, T, FLAGS>(s, op, rest, |s, op, a| {
        O::compute::<T>(a, T::get(s, op.src), s.flags)
    })
}

fn mi<O: Alu, A: Address, T: Int, const FLAGS: bool>(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    if !O::WRITES {
        return load::<A, T>(s, op, rest, |s, op, a| {
            apply::<O, T, FLAGS>(s, op, a, op.imm);
        });
    }
    update::<A, T, FLAGS>(s, op, rest, |s, op, a| O::compute::<T>(a, op.imm, s.flags))
}
