//! mul, imul, div, idiv.
//!
//! Multiplications set CF and OF if the product does not fit the lower half;
//! SF, ZF and PF, which the manual leaves open, are the lower half's, AF is 0.
//! Divisions leave the flags alone.

use super::{Form, size_of};
use crate::interp::access::{load, load_then};
use crate::interp::address::{Address, Any, addressed};
use crate::interp::decode::nothing;
use crate::interp::flags::Flags;
use crate::interp::int::{Int, either, sized};
use crate::interp::op::{Flow, Op, Reg, Run, next};
use crate::interp::state::State;
use crate::{Fault, Trap};
use iced_x86::{Instruction, Mnemonic};

pub fn lower(instruction: &Instruction, flags: bool) -> Option<Op> {
    Some(match (instruction.mnemonic(), instruction.op_count()) {
        (Mnemonic::Mul, _) => wide::<false>(instruction),
        (Mnemonic::Imul, 1) => wide::<true>(instruction),
        (Mnemonic::Imul, count) => narrow(instruction, count, flags),
        (Mnemonic::Div, _) => divide::<false>(instruction),
        (Mnemonic::Idiv, _) => divide::<true>(instruction),
        _ => return None,
    })
}

fn is_memory(instruction: &Instruction) -> bool {
    Form::of(instruction) == Form::Mr
}

/// One operand: the product goes to RDX:RAX, or to AX for bytes.
fn wide<const SIGNED: bool>(instruction: &Instruction) -> Op {
    let run = sized!(size_of(instruction, 0), T => match is_memory(instruction) {
        false => wide_register::<T, SIGNED> as Run,
        true => wide_memory::<T, SIGNED>,
    });
    Op::new(instruction, run)
}

fn wide_register<T: Int, const SIGNED: bool>(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    let b = T::get(s, op.dst);
    multiply::<T, SIGNED>(s, b);
    next(s, rest)
}

fn wide_memory<T: Int, const SIGNED: bool>(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    load::<Any, T>(s, op, rest, |s, _, b| multiply::<T, SIGNED>(s, b))
}

#[inline(always)]
fn multiply<T: Int, const SIGNED: bool>(s: &mut State, b: u64) {
    let a = T::get(s, Reg::Rax);
    let product = if SIGNED {
        (signed::<T>(a) * signed::<T>(b)) as u128
    } else {
        u128::from(a) * u128::from(b)
    };
    let low = T::cut(product as u64);
    let high = T::cut((product >> T::BITS) as u64);
    if T::BITS == 8 {
        u16::set(s, Reg::Rax, product as u64);
    } else {
        T::set(s, Reg::Rax, low);
        T::set(s, Reg::Rdx, high);
    }
    let sign = if SIGNED && T::top(low) {
        T::cut(u64::MAX)
    } else {
        0
    };
    s.flags = Flags::new::<T>(low, high != sign, high != sign);
}

#[inline(always)]
fn signed<T: Int>(value: u64) -> i128 {
    i128::from(T::sign_extend(value) as i64)
}

/// Two or three operands: the product's lower half goes to a register.
fn narrow(instruction: &Instruction, count: u32, flags: bool) -> Op {
    let mut op = Op::new(instruction, nothing);
    let by_imm = count == 3;
    op.run = sized!(size_of(instruction, 0), T => either!(flags, FLAGS => either!(by_imm, IMM => {
        match Form::of(instruction) {
            Form::Rr => narrow_register::<T, FLAGS, IMM> as Run,
            _ => addressed!(op, A => narrow_memory::<A, T, FLAGS, IMM>),
        }
    })));
    op
}

fn narrow_register<T: Int, const FLAGS: bool, const IMM: bool>(
    s: &mut State,
    op: &Op,
    rest: &[Op],
) -> Flow {
    let b = T::get(s, op.src);
    product::<T, FLAGS, IMM>(s, op, b);
    next(s, rest)
}

fn narrow_memory<A: Address, T: Int, const FLAGS: bool, const IMM: bool>(
    s: &mut State,
    op: &Op,
    rest: &[Op],
) -> Flow {
    load::<A, T>(s, op, rest, product::<T, FLAGS, IMM>)
}

/// `b` times the immediate, or times the register that takes the product.
#[inline(always)]
fn product<T: Int, const FLAGS: bool, const IMM: bool>(s: &mut State, op: &Op, b: u64) {
    let a = if IMM { op.imm } else { T::get(s, op.dst) };
    let (a, b) = (T::sign_extend(a) as i64, T::sign_extend(b) as i64);
    let (r, overflow) = a.overflowing_mul(b);
    T::set(s, op.dst, r as u64);
    if FLAGS {
        let cut = overflow || T::sign_extend(r as u64) as i64 != r;
        s.flags = Flags::new::<T>(T::cut(r as u64), cut, cut);
    }
}

/// RDX:RAX, or AX for bytes, by the operand: quotient to RAX, rest to RDX, or
/// AL and AH.
fn divide<const SIGNED: bool>(instruction: &Instruction) -> Op {
    let run = sized!(size_of(instruction, 0), T => match is_memory(instruction) {
        false => divide_register::<T, SIGNED> as Run,
        true => divide_memory::<T, SIGNED>,
    });
    Op::new(instruction, run)
}

fn divide_register<T: Int, const SIGNED: bool>(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    let by = T::get(s, op.dst);
    divide_by::<T, SIGNED>(s, rest, by)
}

fn divide_memory<T: Int, const SIGNED: bool>(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    load_then::<Any, T>(s, op, rest, |s, _, rest, by| {
        divide_by::<T, SIGNED>(s, rest, by)
    })
}

#[inline(always)]
fn divide_by<T: Int, const SIGNED: bool>(s: &mut State, rest: &[Op], by: u64) -> Flow {
    let bytes = T::BITS == 8;
    let high = if bytes { Reg::Ah } else { Reg::Rdx };
    let (low, high_half) = (T::get(s, Reg::Rax), T::get(s, high));
    let answer = if SIGNED {
        signed_quotient::<T>(high_half, low, by)
    } else {
        quotient::<T>(high_half, low, by)
    };
    match answer {
        Some((quotient, remainder)) => {
            T::set(s, Reg::Rax, quotient);
            T::set(s, high, remainder);
            next(s, rest)
        }
        None => s.stop(Trap::Fault(Fault::DivideError), rest),
    }
}

/// Quotient and remainder; `None` if there is none or it does not fit.
#[inline(always)]
fn quotient<T: Int>(high: u64, low: u64, by: u64) -> Option<(u64, u64)> {
    if high >= by {
        return None;
    }
    if T::BITS == 64 && high != 0 {
        let value = u128::from(high) << 64 | u128::from(low);
        let by = u128::from(by);
        return Some(((value / by) as u64, (value % by) as u64));
    }
    let value = if T::BITS == 64 {
        low
    } else {
        high << T::BITS | low
    };
    Some((value / by, value % by))
}

#[inline(always)]
fn signed_quotient<T: Int>(high: u64, low: u64, by: u64) -> Option<(u64, u64)> {
    let value = (u128::from(high) << T::BITS | u128::from(low)) as i128;
    let above = 128 - 2 * T::BITS;
    let value = value << above >> above;
    let by = signed::<T>(by);
    let quotient = value.checked_div(by)?;
    let fits = signed::<T>(quotient as u64) == quotient;
    fits.then(|| (T::cut(quotient as u64), T::cut((value % by) as u64)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::{CF, OF};
    use crate::interp::testing::*;
    use crate::{Cpu, Gpr, Registers};
    use iced_x86::code_asm::*;
    use proptest::prelude::*;

    /// Runs one instruction with these in RAX, RDX and RBX.
    fn after(
        [low, high, by]: [u64; 3],
        write: impl FnOnce(&mut CodeAssembler),
    ) -> (Trap, Registers, u64) {
        let mut cpu = cpu(write);
        let registers = &mut cpu.context().registers;
        registers[Gpr::Rax] = low;
        registers[Gpr::Rdx] = high;
        registers[Gpr::Rbx] = by;
        let trap = enter(&mut cpu, 2).0;
        (trap, cpu.context().registers, cpu.context().flags)
    }

    #[test]
    fn products_fill_both_halves() {
        let (_, registers, flags) = after([u64::MAX, 7, u64::MAX], |a| a.mul(rbx).unwrap());
        assert_eq!(registers[Gpr::Rax], 1);
        assert_eq!(registers[Gpr::Rdx], u64::MAX - 1);
        assert_eq!(flags & (CF | OF), CF | OF);
        let (_, registers, flags) = after([u64::MAX, 7, u64::MAX], |a| a.imul(rbx).unwrap());
        assert_eq!([registers[Gpr::Rax], registers[Gpr::Rdx]], [1, 0]);
        assert_eq!(flags & (CF | OF), 0);
        let (_, registers, _) = after([0x1_00ff, 7, 0xff], |a| a.mul(bl).unwrap());
        assert_eq!([registers[Gpr::Rax], registers[Gpr::Rdx]], [0x1_fe01, 7]);
    }

    #[test]
    fn a_division_that_has_no_answer_is_a_fault_and_changes_nothing() {
        let error = Trap::Fault(Fault::DivideError);
        let (trap, registers, _) = after([5, 1, 1], |a| a.div(rbx).unwrap());
        assert_eq!((trap, registers[Gpr::Rax]), (error, 5));
        assert_eq!(after([5, 0, 0], |a| a.div(ebx).unwrap()).0, error);
        assert_eq!(after([5, 0, 0], |a| a.idiv(bx).unwrap()).0, error);
        let least = [1 << 63, u64::MAX, u64::MAX];
        assert_eq!(after(least, |a| a.idiv(rbx).unwrap()).0, error);
        assert_eq!(after([0x8000, 0, 0xff], |a| a.idiv(bl).unwrap()).0, error);
    }

    proptest! {
        #[test]
        fn quotient_and_remainder_make_the_dividend(low: u64, high: u64, by: u64) {
            let (trap, registers, _) = after([low, high, by], |a| a.div(rbx).unwrap());
            let value = u128::from(high) << 64 | u128::from(low);
            if high >= by {
                prop_assert_eq!(trap, Trap::Fault(Fault::DivideError));
            } else {
                let (q, r) = (registers[Gpr::Rax], registers[Gpr::Rdx]);
                prop_assert_eq!(u128::from(q) * u128::from(by) + u128::from(r), value);
                prop_assert!(r < by);
            }
        }

        #[test]
        fn signed_quotients_are_cut_towards_zero(value: i32, by: i32) {
            let high = (value >> 31) as u32;
            let start = [value as u32 as u64, high.into(), by as u32 as u64];
            let (trap, registers, _) = after(start, |a| a.idiv(ebx).unwrap());
            match value.checked_div(by) {
                None => prop_assert_eq!(trap, Trap::Fault(Fault::DivideError)),
                Some(q) => {
                    prop_assert_eq!(registers[Gpr::Rax] as i32, q);
                    prop_assert_eq!(registers[Gpr::Rdx] as i32, value % by);
                }
            }
        }

        #[test]
        fn narrow_products_say_if_they_were_cut(a: i32, b: i32) {
            let start = [a as u32 as u64, 0, b as u32 as u64];
            let (_, registers, flags) = after(start, |x| x.imul_2(eax, ebx).unwrap());
            prop_assert_eq!(registers[Gpr::Rax], u64::from(a.wrapping_mul(b) as u32));
            prop_assert_eq!(flags & OF != 0, a.checked_mul(b).is_none());
        }
    }
}
