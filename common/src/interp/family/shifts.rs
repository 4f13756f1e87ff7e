//! shl, shr, sar, rol, ror, rcl, rcr, shld, shrd.
//!
//! A count of zero (after it is cut to 5 or 6 bits) changes no flag. Where the
//! manual leaves a flag open: AF is 0, and OF is as after the last of as many
//! single steps; for shl and rotates to the left that is top bit ^ CF.

use super::{Form, size_of};
use crate::interp::access::update;
use crate::interp::address::Any;
use crate::interp::decode::nothing;
use crate::interp::flags::Flags;
use crate::interp::int::{Int, either, sized};
use crate::interp::op::{Flow, Op, Reg, Run, next};
use crate::interp::state::State;
use iced_x86::{Instruction, Mnemonic, OpKind};

/// One of the operations with a value and a count.
trait Shift: 'static {
    /// `count` is not 0, and below 32 or 64.
    fn compute<T: Int>(a: u64, count: u32, before: Flags) -> (u64, Flags);
}

struct Shl;
struct Shr;
struct Sar;
struct Rol;
struct Ror;
struct Rcl;
struct Rcr;

impl Shift for Shl {
    #[inline(always)]
    fn compute<T: Int>(a: u64, count: u32, _: Flags) -> (u64, Flags) {
        let r = T::cut(a << count);
        let carry = count <= T::BITS && a >> (T::BITS - count) & 1 != 0;
        (r, Flags::new::<T>(r, carry, T::top(r) != carry))
    }
}

impl Shift for Shr {
    #[inline(always)]
    fn compute<T: Int>(a: u64, count: u32, _: Flags) -> (u64, Flags) {
        let before_last = a >> (count - 1);
        let r = before_last >> 1;
        (
            r,
            Flags::new::<T>(r, before_last & 1 != 0, T::top(before_last)),
        )
    }
}

impl Shift for Sar {
    #[inline(always)]
    fn compute<T: Int>(a: u64, count: u32, _: Flags) -> (u64, Flags) {
        let before_last = T::sign_extend(a) as i64 >> (count - 1);
        let r = T::cut((before_last >> 1) as u64);
        (r, Flags::new::<T>(r, before_last & 1 != 0, false))
    }
}

impl Shift for Rol {
    #[inline(always)]
    fn compute<T: Int>(a: u64, count: u32, before: Flags) -> (u64, Flags) {
        let r = rotate_left::<T>(a, count % T::BITS);
        let carry = r & 1 != 0;
        (r, before.with_carry_overflow(carry, T::top(r) != carry))
    }
}

impl Shift for Ror {
    #[inline(always)]
    fn compute<T: Int>(a: u64, count: u32, before: Flags) -> (u64, Flags) {
        let r = rotate_left::<T>(a, (T::BITS - count % T::BITS) % T::BITS);
        let carry = T::top(r);
        (
            r,
            before.with_carry_overflow(carry, carry != T::top(r << 1)),
        )
    }
}

impl Shift for Rcl {
    #[inline(always)]
    fn compute<T: Int>(a: u64, count: u32, before: Flags) -> (u64, Flags) {
        let count = count % (T::BITS + 1);
        if count == 0 {
            return (a, before);
        }
        let wide = u128::from(a) | u128::from(before.carry()) << T::BITS;
        let turned = wide << count | wide >> (T::BITS + 1 - count);
        let r = T::cut(turned as u64);
        let carry = turned >> T::BITS & 1 != 0;
        (r, before.with_carry_overflow(carry, T::top(r) != carry))
    }
}

impl Shift for Rcr {
    #[inline(always)]
    fn compute<T: Int>(a: u64, count: u32, before: Flags) -> (u64, Flags) {
        let count = count % (T::BITS + 1);
        if count == 0 {
            return (a, before);
        }
        let wide = u128::from(a) | u128::from(before.carry()) << T::BITS;
        let turned = wide >> count | wide << (T::BITS + 1 - count);
        let r = T::cut(turned as u64);
        let carry = turned >> T::BITS & 1 != 0;
        (
            r,
            before.with_carry_overflow(carry, T::top(r) != T::top(r << 1)),
        )
    }
}

#[inline(always)]
fn rotate_left<T: Int>(a: u64, count: u32) -> u64 {
    match (T::BITS, count) {
        (_, 0) => a,
        (64, _) => a.rotate_left(count),
        _ => T::cut(a << count | a >> (T::BITS - count)),
    }
}

pub fn lower(instruction: &Instruction, flags: bool) -> Option<Op> {
    Some(match instruction.mnemonic() {
        Mnemonic::Shl | Mnemonic::Sal => pick::<Shl>(instruction, flags),
        Mnemonic::Shr => pick::<Shr>(instruction, flags),
        Mnemonic::Sar => pick::<Sar>(instruction, flags),
        Mnemonic::Rol => pick::<Rol>(instruction, flags),
        Mnemonic::Ror => pick::<Ror>(instruction, flags),
        Mnemonic::Rcl => pick::<Rcl>(instruction, true),
        Mnemonic::Rcr => pick::<Rcr>(instruction, true),
        Mnemonic::Shld => double::<true>(instruction),
        Mnemonic::Shrd => double::<false>(instruction),
        _ => return None,
    })
}

/// Counts are cut to these bits.
fn count_mask<T: Int>() -> u64 {
    if T::BITS == 64 { 63 } else { 31 }
}

/// `imm` is the count, unless it is in CL.
fn pick<O: Shift>(instruction: &Instruction, flags: bool) -> Op {
    let mut op = Op::new(instruction, nothing);
    let by_cl = instruction.op1_kind() == OpKind::Register;
    let memory = Form::of(instruction);
    let memory = matches!(memory, Form::Mr | Form::Mi);
    let size = size_of(instruction, 0);
    op.imm &= sized!(size, T => count_mask::<T>());
    if !by_cl && op.imm == 0 && !memory {
        // A 32-bit register is cut all the same.
        op.src = op.dst;
    }
    op.run = sized!(size, T => either!(flags, FLAGS => match (memory, by_cl) {
        (false, false) if op.imm == 0 => unchanged::<T> as Run,
        (false, false) => register_by_imm::<O, T, FLAGS>,
        (false, true) => register_by_cl::<O, T, FLAGS>,
        (true, false) => memory_by_imm::<O, T, FLAGS>,
        (true, true) => memory_by_cl::<O, T, FLAGS>,
    }));
    op
}

fn unchanged<T: Int>(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    let a = T::get(s, op.dst);
    T::set(s, op.dst, a);
    next(s, rest)
}

fn register_by_imm<O: Shift, T: Int, const FLAGS: bool>(
    s: &mut State,
    op: &Op,
    rest: &[Op],
) -> Flow {
    let a = T::get(s, op.dst);
    // The decoder has cut it already.
    let (r, flags) = O::compute::<T>(a, (op.imm & count_mask::<T>()) as u32, s.flags);
    T::set(s, op.dst, r);
    if FLAGS {
        s.flags = flags;
    }
    next(s, rest)
}

#[inline(always)]
fn by<O: Shift, T: Int>(a: u64, count: u64, before: Flags) -> (u64, Flags) {
    match (count & count_mask::<T>()) as u32 {
        0 => (a, before),
        count => O::compute::<T>(a, count, before),
    }
}

fn register_by_cl<O: Shift, T: Int, const FLAGS: bool>(
    s: &mut State,
    op: &Op,
    rest: &[Op],
) -> Flow {
    let count = s.regs[Reg::Rcx as usize];
    let (r, flags) = by::<O, T>(T::get(s, op.dst), count, s.flags);
    T::set(s, op.dst, r);
    if FLAGS {
        s.flags = flags;
    }
    next(s, rest)
}

fn memory_by_imm<O: Shift, T: Int, const FLAGS: bool>(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    update::<Any, T, FLAGS>(s, op, rest, |s, op, a| by::<O, T>(a, op.imm, s.flags))
}

fn memory_by_cl<O: Shift, T: Int, const FLAGS: bool>(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    update::<Any, T, FLAGS>(s, op, rest, |s, _, a| {
        by::<O, T>(a, s.regs[Reg::Rcx as usize], s.flags)
    })
}

/// shld and shrd. The register operand is in `src`; the count in `imm`, unless
/// it is in CL.
fn double<const LEFT: bool>(instruction: &Instruction) -> Op {
    let mut op = Op::new(instruction, nothing);
    let by_cl = instruction.op2_kind() == OpKind::Register;
    let memory = instruction.op0_kind() == OpKind::Memory;
    if memory {
        op.src = op.dst;
    }
    op.run = sized!(size_of(instruction, 0), T => either!(by_cl, CL => match memory {
        false => double_register::<T, LEFT, CL> as Run,
        true => double_memory::<T, LEFT, CL>,
    }));
    op
}

fn double_register<T: Int, const LEFT: bool, const CL: bool>(
    s: &mut State,
    op: &Op,
    rest: &[Op],
) -> Flow {
    let (r, flags) = shift_in::<T, LEFT, CL>(s, op, T::get(s, op.dst));
    T::set(s, op.dst, r);
    s.flags = flags;
    next(s, rest)
}

fn double_memory<T: Int, const LEFT: bool, const CL: bool>(
    s: &mut State,
    op: &Op,
    rest: &[Op],
) -> Flow {
    update::<Any, T, true>(s, op, rest, shift_in::<T, LEFT, CL>)
}

/// Shifts `a`, and bits of the register operand into it. (16 bits by more than
/// 16, which the manual leaves open, goes round through both operands.)
fn shift_in<T: Int, const LEFT: bool, const CL: bool>(s: &State, op: &Op, a: u64) -> (u64, Flags) {
    let count = if CL {
        s.regs[Reg::Rcx as usize]
    } else {
        op.imm
    };
    let count = (count & count_mask::<T>()) as u32;
    if count == 0 {
        return (a, s.flags);
    }
    let b = T::get(s, op.src);
    let (a, b) = (u128::from(a), u128::from(b));
    let bits = T::BITS;
    let (r, carry) = if LEFT {
        let wide = if count > bits {
            b << bits | a
        } else {
            a << bits | b
        };
        let count = if count > bits { count - bits } else { count };
        (wide << count >> bits, wide >> (2 * bits - count) & 1)
    } else {
        let wide = if count > bits {
            a << bits | b
        } else {
            b << bits | a
        };
        let count = if count > bits { count - bits } else { count };
        (wide >> count, wide >> (count - 1) & 1)
    };
    let r = T::cut(r as u64);
    let overflow = T::top(r) != T::top(a as u64);
    (r, Flags::new::<T>(r, carry != 0, overflow))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::{CF, OF, PF, SF, ZF};
    use crate::interp::testing::*;
    use crate::{Cpu, Gpr, flags};
    use iced_x86::code_asm::*;

    /// Every operation on bytes for every count, against single steps.
    #[test]
    fn shifting_by_n_is_shifting_by_one_n_times() {
        type Compute = fn(u64, u32, Flags) -> (u64, Flags);
        let operations: [Compute; 7] = [
            Shl::compute::<u8>,
            Shr::compute::<u8>,
            Sar::compute::<u8>,
            Rol::compute::<u8>,
            Ror::compute::<u8>,
            Rcl::compute::<u8>,
            Rcr::compute::<u8>,
        ];
        for (number, compute) in operations.into_iter().enumerate() {
            for (a, count) in (0..256).flat_map(|a| (1..32).map(move |count| (a, count))) {
                for carry in [0, CF] {
                    let start = (a, Flags::from_bits(carry));
                    let stepped = (0..count).fold(start, |(a, flags), _| compute(a, 1, flags));
                    let at_once = compute(a, count, start.1);
                    let bits = |flags: Flags| flags.to_bits() & !if number == 0 { OF } else { 0 };
                    assert_eq!(at_once.0, stepped.0, "{number}: {a:#x} by {count}");
                    // Rotates through 9 bits by 9 do nothing at all.
                    if count % 9 != 0 || number < 5 {
                        assert_eq!(
                            bits(at_once.1),
                            bits(stepped.1),
                            "{number}: {a:#x} by {count}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn single_steps_have_the_manuals_flags() {
        let flags = |compute: (u64, Flags)| compute.1.to_bits();
        let none = Flags::default();
        assert_eq!(flags(Shl::compute::<u8>(0xc0, 1, none)), CF | SF);
        assert_eq!(flags(Shl::compute::<u8>(0x80, 1, none)), CF | OF | ZF | PF);
        assert_eq!(
            flags(Shr::compute::<u32>(0x8000_0001, 1, none)),
            CF | OF | PF
        );
        assert_eq!(flags(Sar::compute::<u64>(1 << 63, 1, none)), SF | PF);
        let before = Flags::from_bits(ZF);
        assert_eq!(flags(Rol::compute::<u16>(0x4000, 1, before)), ZF | OF);
        assert_eq!(flags(Ror::compute::<u16>(1, 1, before)), ZF | OF | CF);
        assert_eq!(flags(Rcr::compute::<u16>(1, 1, before)), ZF | CF);
    }

    #[test]
    fn a_count_of_zero_keeps_the_flags_and_cuts_a_32_bit_register() {
        let context = run(
            |context| {
                context.registers[Gpr::Rax] = u64::MAX;
                context.registers[Gpr::Rcx] = 32;
                context.flags = flags::ALWAYS | CF | ZF;
            },
            |a| a.shl(eax, cl).unwrap(),
        );
        assert_eq!(context.registers[Gpr::Rax], 0xffff_ffff);
        assert_eq!(context.flags, flags::ALWAYS | CF | ZF);
    }

    #[test]
    fn bits_are_shifted_in_from_the_other_operand() {
        let mut cpu = cpu(|a| {
            a.shld(eax, ebx, 8u32).unwrap();
            a.shrd(qword_ptr(rdi), rbx, cl).unwrap();
        });
        let context = cpu.context();
        context.registers[Gpr::Rax] = 0x1122_3344;
        context.registers[Gpr::Rbx] = 0xaabb_ccdd;
        context.registers[Gpr::Rcx] = 4;
        context.registers[Gpr::Rdi] = DATA;
        context.write(DATA, crate::Size::Qword, 0x18).unwrap();
        assert!(is_hlt(enter(&mut cpu, 9).0));
        assert_eq!(cpu.context().registers[Gpr::Rax], 0x2233_44aa);
        let memory = cpu.context().read(DATA, crate::Size::Qword).unwrap();
        assert_eq!(memory, 0xd000_0000_0000_0001);
        assert_eq!(cpu.context().flags & (CF | SF), CF | SF);
    }
}
