//! Instructions that read and write memory in one step that no other CPU can
//! come between: those with `lock`, and XCHG, which never needs the prefix
//! (SDM vol. 3, 8.1.2). CMPXCHG and XADD are here in all their forms.

use super::arithmetic::{self, Alu};
use super::unary::{self, Unary};
use super::{Form, size_of};
use crate::Size;
use crate::flags::ZF;
use crate::interp::access::fallible;
use crate::interp::address::{Address, Any};
use crate::interp::flags::Flags;
use crate::interp::int::{Int, sized};
use crate::interp::op::{Flow, Op, Reg, Run, next};
use crate::interp::state::State;
use iced_x86::{Instruction, Mnemonic};
use std::marker::PhantomData;

/// The operation of an instruction of this family.
pub fn lower(instruction: &Instruction, _: bool) -> Option<Op> {
    let run = match (instruction.mnemonic(), Form::of(instruction)) {
        (Mnemonic::Cmpxchg8b, _) => compare_exchange_pair,
        (Mnemonic::Cmpxchg16b, _) => compare_exchange_wide,
        (mnemonic, Form::Mr | Form::Mi) => {
            let locked = instruction.has_lock_prefix();
            in_memory(mnemonic, size_of(instruction, 0), locked)?
        }
        (mnemonic, _) => in_registers(mnemonic, size_of(instruction, 0))?,
    };
    Some(Op::new(instruction, run))
}

fn in_memory(mnemonic: Mnemonic, size: Size, locked: bool) -> Option<Run> {
    use Mnemonic::*;
    Some(sized!(size, T => match mnemonic {
        Xchg => change::<T, Exchange>,
        Xadd => change::<T, ExchangeAdd>,
        Cmpxchg => compare_exchange::<T>,
        _ if !locked => return None,
        Add => change::<T, Binary<arithmetic::Add>>,
        Adc => change::<T, Binary<arithmetic::Adc>>,
        Sub => change::<T, Binary<arithmetic::Sub>>,
        Sbb => change::<T, Binary<arithmetic::Sbb>>,
        And => change::<T, Binary<arithmetic::And>>,
        Or => change::<T, Binary<arithmetic::Or>>,
        Xor => change::<T, Binary<arithmetic::Xor>>,
        Inc => change::<T, Alone<unary::Inc>>,
        Dec => change::<T, Alone<unary::Dec>>,
        Neg => change::<T, Alone<unary::Neg>>,
        Not => change::<T, Alone<unary::Not>>,
        Bts => change_bit::<T, Bit<SET>>,
        Btr => change_bit::<T, Bit<CLEAR>>,
        Btc => change_bit::<T, Bit<FLIP>>,
        _ => return None,
    }))
}

fn in_registers(mnemonic: Mnemonic, size: Size) -> Option<Run> {
    Some(sized!(size, T => match mnemonic {
        Mnemonic::Xadd => exchange_add_registers::<T>,
        Mnemonic::Cmpxchg => compare_exchange_registers::<T>,
        _ => return None,
    }))
}

/// What an instruction makes of memory and flags.
trait Change {
    /// Whether the register operand gets what was in memory.
    const FETCHES: bool = false;

    /// The new value and the new flags.
    fn of<T: Int>(old: u64, operand: u64, flags: Flags) -> (u64, Flags);
}

/// Changes memory by a register or an immediate.
fn change<T: Int, C: Change>(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    fallible(s, op, rest, |s, op| {
        // One of the two is there; the other is 0.
        let operand = T::cut(T::get(s, op.dst) | op.imm);
        let flags = s.flags;
        let new = |old| C::of::<T>(old, operand, flags);
        let old = s.locked::<T>(Any::of(s, op), op.stack, |old| new(old).0)?;
        s.flags = new(old).1;
        if C::FETCHES {
            T::set(s, op.dst, old);
        }
        Ok(())
    })
}

/// An operation with two operands.
struct Binary<O>(PhantomData<O>);

impl<O: Alu> Change for Binary<O> {
    #[inline(always)]
    fn of<T: Int>(old: u64, operand: u64, flags: Flags) -> (u64, Flags) {
        O::compute::<T>(old, operand, flags)
    }
}

/// An operation on memory alone.
struct Alone<O>(PhantomData<O>);

impl<O: Unary> Change for Alone<O> {
    #[inline(always)]
    fn of<T: Int>(old: u64, _operand: u64, flags: Flags) -> (u64, Flags) {
        O::compute::<T>(old, flags)
    }
}

/// BTS, BTR or BTC: `KIND` is what they make of the bit.
struct Bit<const KIND: u8>;

const SET: u8 = 0;
const CLEAR: u8 = 1;
const FLIP: u8 = 2;

impl<const KIND: u8> Change for Bit<KIND> {
    #[inline(always)]
    fn of<T: Int>(old: u64, number: u64, flags: Flags) -> (u64, Flags) {
        let bit = 1 << number;
        let new = match KIND {
            SET => old | bit,
            CLEAR => old & !bit,
            _ => old ^ bit,
        };
        (new, flags.with_carry(old & bit != 0))
    }
}

struct Exchange;

impl Change for Exchange {
    const FETCHES: bool = true;

    #[inline(always)]
    fn of<T: Int>(_old: u64, operand: u64, flags: Flags) -> (u64, Flags) {
        (operand, flags)
    }
}

struct ExchangeAdd;

impl Change for ExchangeAdd {
    const FETCHES: bool = true;

    #[inline(always)]
    fn of<T: Int>(old: u64, operand: u64, flags: Flags) -> (u64, Flags) {
        arithmetic::Add::compute::<T>(old, operand, flags)
    }
}

/// BTS, BTR, BTC: a register can name a bit outside the operand.
fn change_bit<T: Int, C: Change>(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    fallible(s, op, rest, |s, op| {
        let in_register = op.dst != Reg::Zero;
        let bit = T::cut(T::get(s, op.dst) | op.imm) & u64::from(T::BITS - 1);
        let words = T::sign_extend(T::get(s, op.dst)) as i64 >> T::BITS.trailing_zeros();
        let distance = if in_register {
            words * T::BYTES as i64
        } else {
            0
        };
        let address = bit_address(s, op, distance);
        let flags = s.flags;
        let old = s.locked::<T>(address, op.stack, |old| C::of::<T>(old, bit, flags).0)?;
        s.flags = C::of::<T>(old, bit, flags).1;
        Ok(())
    })
}

fn bit_address(s: &State, op: &Op, distance: i64) -> u64 {
    let offset = Any::offset(s, op).wrapping_add(distance as u64);
    let offset = if op.narrow {
        offset as u32 as u64
    } else {
        offset
    };
    offset.wrapping_add(s.regs[op.segment as usize])
}

/// CMPXCHG with memory, which is written in any case: with what was there, if
/// the accumulator is not equal.
fn compare_exchange<T: Int>(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    fallible(s, op, rest, |s, op| {
        let (expected, new) = (T::get(s, Reg::Rax), T::get(s, op.dst));
        let choose = |old| if old == expected { new } else { old };
        let old = s.locked::<T>(Any::of(s, op), op.stack, choose)?;
        settle::<T>(s, expected, old);
        Ok(())
    })
}

fn compare_exchange_registers<T: Int>(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    let (expected, old) = (T::get(s, Reg::Rax), T::get(s, op.dst));
    if old == expected {
        let new = T::get(s, op.src);
        T::set(s, op.dst, new);
    }
    settle::<T>(s, expected, old);
    next(s, rest)
}

/// Sets the flags of the comparison, and fetches what was not expected.
fn settle<T: Int>(s: &mut State, expected: u64, old: u64) {
    s.flags = Flags::sub::<T>(expected, old, T::cut(expected.wrapping_sub(old)));
    if old != expected {
        T::set(s, Reg::Rax, old);
    }
}

fn exchange_add_registers<T: Int>(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    let (old, operand) = (T::get(s, op.dst), T::get(s, op.src));
    let (new, flags) = arithmetic::Add::compute::<T>(old, operand, s.flags);
    T::set(s, op.src, old);
    T::set(s, op.dst, new);
    s.flags = flags;
    next(s, rest)
}

/// CMPXCHG8B.
fn compare_exchange_pair(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    fallible(s, op, rest, |s, op| {
        let pair = |s: &State, high, low| u32::get(s, high) << 32 | u32::get(s, low);
        let expected = pair(s, Reg::Rdx, Reg::Rax);
        let new = pair(s, Reg::Rcx, Reg::Rbx);
        let choose = |old| if old == expected { new } else { old };
        let old = s.locked::<u64>(Any::of(s, op), op.stack, choose)?;
        if old != expected {
            u32::set(s, Reg::Rax, old);
            u32::set(s, Reg::Rdx, old >> 32);
        }
        set_zero(s, old == expected);
        Ok(())
    })
}

/// CMPXCHG16B.
fn compare_exchange_wide(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    fallible(s, op, rest, |s, op| {
        let pair = |s: &State, high: Reg, low: Reg| {
            u128::from(s.regs[high as usize]) << 64 | u128::from(s.regs[low as usize])
        };
        let expected = pair(s, Reg::Rdx, Reg::Rax);
        let new = pair(s, Reg::Rcx, Reg::Rbx);
        let choose = |old| if old == expected { new } else { old };
        let old = s.locked_wide(Any::of(s, op), op.stack, choose)?;
        if old != expected {
            s.regs[Reg::Rax as usize] = old as u64;
            s.regs[Reg::Rdx as usize] = (old >> 64) as u64;
        }
        set_zero(s, old == expected);
        Ok(())
    })
}

/// Changes ZF alone.
fn set_zero(s: &mut State, zero: bool) {
    let others = s.flags.to_bits() & !ZF;
    s.flags = Flags::from_bits(others | if zero { ZF } else { 0 });
}
