//! mov, movzx, movsx, movsxd, lea, cmovcc, setcc, xchg of registers, bswap,
//! xlat.

use super::{Form, size_of};
use crate::interp::access::{fallible, load, store};
use crate::interp::address::{Address, Any, addressed};
use crate::interp::decode::nothing;
use crate::interp::int::{Int, conditional, sized};
use crate::interp::op::{Flow, Op, Reg, Run, next};
use crate::interp::state::State;
use iced_x86::{Instruction, Mnemonic, OpKind};

pub fn lower(instruction: &Instruction, _: bool) -> Option<Op> {
    Some(match instruction.mnemonic() {
        Mnemonic::Mov => return mov(instruction),
        Mnemonic::Movzx => extend::<false>(instruction),
        Mnemonic::Movsx | Mnemonic::Movsxd => extend::<true>(instruction),
        Mnemonic::Lea => lea(instruction),
        Mnemonic::Xchg if Form::of(instruction) == Form::Rr => {
            let run = sized!(size_of(instruction, 0), T => xchg::<T> as Run);
            Op::new(instruction, run)
        }
        Mnemonic::Bswap => bswap(instruction),
        Mnemonic::Xlatb => xlat(instruction),
        _ if is_cmov(instruction) => cmov(instruction),
        _ if is_setcc(instruction) => setcc(instruction),
        _ => return None,
    })
}

/// mov between general registers, memory and immediates; those of segment,
/// control and debug registers belong to the system.
fn mov(instruction: &Instruction) -> Option<Op> {
    let general = |operand| {
        instruction.op_kind(operand) != OpKind::Register
            || instruction.op_register(operand).is_gpr()
    };
    if !general(0) || !general(1) {
        return None;
    }
    let mut op = Op::new(instruction, nothing);
    let size = size_of(instruction, 0);
    op.imm = size.truncate(op.imm);
    op.run = sized!(size, T => match Form::of(instruction) {
        Form::Rr => mov_rr::<T> as Run,
        Form::Ri => mov_ri::<T>,
        Form::Rm => addressed!(op, A => mov_rm::<A, T, T, false>),
        Form::Mr => addressed!(op, A => mov_mr::<A, T>),
        Form::Mi => addressed!(op, A => mov_mi::<A, T>),
    });
    Some(op)
}

fn mov_rr<T: Int>(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    let value = T::get(s, op.src);
    T::set(s, op.dst, value);
    next(s, rest)
}

fn mov_ri<T: Int>(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    T::set(s, op.dst, op.imm);
    next(s, rest)
}

/// Loads `F`, extends it, and writes `T`.
fn mov_rm<A: Address, F: Int, T: Int, const SIGNED: bool>(
    s: &mut State,
    op: &Op,
    rest: &[Op],
) -> Flow {
    load::<A, F>(s, op, rest, |s, op, value| {
        T::set(s, op.dst, extended::<F, SIGNED>(value));
    })
}

fn mov_mr<A: Address, T: Int>(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    let value = T::get(s, op.dst);
    store::<A, T>(s, op, rest, value)
}

fn mov_mi<A: Address, T: Int>(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    store::<A, T>(s, op, rest, op.imm)
}

#[inline(always)]
fn extended<F: Int, const SIGNED: bool>(value: u64) -> u64 {
    if SIGNED { F::sign_extend(value) } else { value }
}

fn extend<const SIGNED: bool>(instruction: &Instruction) -> Op {
    let mut op = Op::new(instruction, nothing);
    let from = size_of(instruction, 1);
    let memory = Form::of(instruction) == Form::Rm;
    op.run = sized!(size_of(instruction, 0), T => sized!(from, F => match memory {
        true => addressed!(op, A => mov_rm::<A, F, T, SIGNED> as Run),
        false => extend_rr::<F, T, SIGNED>,
    }));
    op
}

fn extend_rr<F: Int, T: Int, const SIGNED: bool>(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    let value = F::get(s, op.src);
    T::set(s, op.dst, extended::<F, SIGNED>(value));
    next(s, rest)
}

fn lea(instruction: &Instruction) -> Op {
    let mut op = Op::new(instruction, nothing);
    // lea takes the offset, whatever the segment.
    op.segment = Reg::Zero;
    op.run = sized!(size_of(instruction, 0), T => addressed!(op, A => lea_to::<A, T> as Run));
    op
}

fn lea_to<A: Address, T: Int>(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    let address = A::of(s, op);
    T::set(s, op.dst, address);
    next(s, rest)
}

fn xchg<T: Int>(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    let (a, b) = (T::get(s, op.dst), T::get(s, op.src));
    T::set(s, op.dst, b);
    T::set(s, op.src, a);
    next(s, rest)
}

/// The number of an instruction's condition, as x86 encodes it.
pub fn condition(instruction: &Instruction) -> u8 {
    // The last hex digit of the opcode; iced counts from 1 (none is 0).
    instruction.condition_code() as u8 - 1
}

fn is_cmov(instruction: &Instruction) -> bool {
    use Mnemonic::*;
    matches!(
        instruction.mnemonic(),
        Cmovo
            | Cmovno
            | Cmovb
            | Cmovae
            | Cmove
            | Cmovne
            | Cmovbe
            | Cmova
            | Cmovs
            | Cmovns
            | Cmovp
            | Cmovnp
            | Cmovl
            | Cmovge
            | Cmovle
            | Cmovg
    )
}

fn is_setcc(instruction: &Instruction) -> bool {
    use Mnemonic::*;
    matches!(
        instruction.mnemonic(),
        Seto | Setno
            | Setb
            | Setae
            | Sete
            | Setne
            | Setbe
            | Seta
            | Sets
            | Setns
            | Setp
            | Setnp
            | Setl
            | Setge
            | Setle
            | Setg
    )
}

fn cmov(instruction: &Instruction) -> Op {
    let mut op = Op::new(instruction, nothing);
    let memory = Form::of(instruction) == Form::Rm;
    op.run = conditional!(condition(instruction), C => {
        sized!(size_of(instruction, 0), T => match memory {
            true => cmov_rm::<T, C> as Run,
            false => cmov_rr::<T, C>,
        })
    });
    op
}

/// A 32-bit cmov clears the upper half even if it does not move.
fn cmov_rr<T: Int, const C: u8>(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    let from = if s.flags.holds::<C>() { op.src } else { op.dst };
    let value = T::get(s, from);
    T::set(s, op.dst, value);
    next(s, rest)
}

/// The load is done, and may fault, even if nothing moves.
fn cmov_rm<T: Int, const C: u8>(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    load::<Any, T>(s, op, rest, |s, op, value| {
        let kept = T::get(s, op.dst);
        let value = if s.flags.holds::<C>() { value } else { kept };
        T::set(s, op.dst, value);
    })
}

fn setcc(instruction: &Instruction) -> Op {
    let memory = Form::of(instruction) == Form::Mr;
    let run = conditional!(condition(instruction), C => match memory {
        true => setcc_m::<C> as Run,
        false => setcc_r::<C>,
    });
    Op::new(instruction, run)
}

fn setcc_r<const C: u8>(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    let truth = s.flags.holds::<C>();
    u8::set(s, op.dst, truth.into());
    next(s, rest)
}

fn setcc_m<const C: u8>(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    let truth = s.flags.holds::<C>();
    store::<Any, u8>(s, op, rest, truth.into())
}

fn bswap(instruction: &Instruction) -> Op {
    let run = match instruction.op0_register().size() {
        8 => bswap_64 as Run,
        4 => bswap_32,
        // Undefined by the manual; real CPUs clear the word.
        _ => bswap_16,
    };
    Op::new(instruction, run)
}

fn bswap_64(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    let value = u64::get(s, op.dst);
    u64::set(s, op.dst, value.swap_bytes());
    next(s, rest)
}

fn bswap_32(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    let value = u32::get(s, op.dst) as u32;
    u32::set(s, op.dst, value.swap_bytes().into());
    next(s, rest)
}

fn bswap_16(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    u16::set(s, op.dst, 0);
    next(s, rest)
}

fn xlat(instruction: &Instruction) -> Op {
    let mut op = Op::new(instruction, xlat_al);
    op.base = Reg::Rbx;
    op
}

fn xlat_al(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    fallible(s, op, rest, |s, op| {
        let table = s.regs[op.base as usize].wrapping_add(u8::get(s, Reg::Rax));
        let table = if op.narrow {
            table as u32 as u64
        } else {
            table
        };
        let address = table.wrapping_add(s.regs[op.segment as usize]);
        let value = s.read::<u8>(address, false)?;
        u8::set(s, Reg::Rax, value);
        Ok(())
    })
}
