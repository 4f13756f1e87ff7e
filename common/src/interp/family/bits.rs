//! bt, bts, btr, btc, bsf, bsr.
//!
//! Flags the manual leaves open: bit tests change CF alone; bsf and bsr clear
//! CF, OF, SF and AF, and take PF from the result. Of zero they leave all of the
//! destination, as all CPUs do.

use super::{Form, size_of};
use crate::interp::access::load;
use crate::interp::address::{Address, Any};
use crate::interp::decode::nothing;
use crate::interp::flags::Flags;
use crate::interp::int::{Int, sized};
use crate::interp::op::{Flow, Op, Run, next};
use crate::interp::state::State;
use iced_x86::{Instruction, Mnemonic};

/// What is done to the tested bit.
trait Change: 'static {
    const WRITES: bool = true;
    fn of(value: u64, bit: u64) -> u64;
}

struct Keep;
struct Set;
struct Reset;
struct Complement;

impl Change for Keep {
    const WRITES: bool = false;
    fn of(value: u64, _: u64) -> u64 {
        value
    }
}

impl Change for Set {
    fn of(value: u64, bit: u64) -> u64 {
        value | bit
    }
}

impl Change for Reset {
    fn of(value: u64, bit: u64) -> u64 {
        value & !bit
    }
}

impl Change for Complement {
    fn of(value: u64, bit: u64) -> u64 {
        value ^ bit
    }
}

pub fn lower(instruction: &Instruction, _: bool) -> Option<Op> {
    Some(match instruction.mnemonic() {
        Mnemonic::Bt => pick::<Keep>(instruction),
        Mnemonic::Bts => pick::<Set>(instruction),
        Mnemonic::Btr => pick::<Reset>(instruction),
        Mnemonic::Btc => pick::<Complement>(instruction),
        Mnemonic::Bsf => scan::<false>(instruction),
        Mnemonic::Bsr => scan::<true>(instruction),
        _ => return None,
    })
}

fn pick<C: Change>(instruction: &Instruction) -> Op {
    let mut op = Op::new(instruction, nothing);
    let form = Form::of(instruction);
    if form == Form::Mr {
        op.src = op.dst;
    }
    op.run = sized!(size_of(instruction, 0), T => match form {
        Form::Rr => register::<C, T, false> as Run,
        Form::Ri => register::<C, T, true>,
        Form::Mi => memory::<C, T, true>,
        _ => memory::<C, T, false>,
    });
    op
}

fn register<C: Change, T: Int, const IMM: bool>(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    let value = T::get(s, op.dst);
    let bit = if IMM { op.imm } else { T::get(s, op.src) };
    let bit = 1 << (bit % u64::from(T::BITS));
    if C::WRITES {
        T::set(s, op.dst, C::of(value, bit));
    }
    s.flags = s.flags.with_carry(value & bit != 0);
    next(s, rest)
}

/// An immediate picks a bit of the operand; a register picks a bit of a string
/// of bits that begins there and goes on in both directions.
fn memory<C: Change, T: Int, const IMM: bool>(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    let bits = u64::from(T::BITS);
    let (bit, words) = if IMM {
        (op.imm % bits, 0)
    } else {
        let offset = T::sign_extend(T::get(s, op.src)) as i64;
        (offset as u64 % bits, offset.div_euclid(bits as i64) as u64)
    };
    let distance = words.wrapping_mul(T::SIZE.bytes());
    let moved = Op {
        disp: op.disp.wrapping_add(distance),
        ..*op
    };
    let address = Any::of(s, &moved);
    match test_memory::<C, T>(s, &moved, address, 1 << bit) {
        Ok(()) => s.next_or_leave(rest),
        Err(trap) => s.stop(trap, rest),
    }
}

fn test_memory<C: Change, T: Int>(
    s: &mut State,
    op: &Op,
    address: u64,
    bit: u64,
) -> Result<(), crate::Trap> {
    if C::WRITES {
        s.check_write(address, T::SIZE.bytes(), op.stack)?;
    }
    let value = s.read::<T>(address, op.stack)?;
    if C::WRITES {
        s.write::<T>(address, C::of(value, bit), op.stack)?;
    }
    s.flags = s.flags.with_carry(value & bit != 0);
    Ok(())
}

fn scan<const REVERSE: bool>(instruction: &Instruction) -> Op {
    let run = sized!(size_of(instruction, 0), T => match Form::of(instruction) {
        Form::Rr => scan_register::<T, REVERSE> as Run,
        _ => scan_memory::<T, REVERSE>,
    });
    Op::new(instruction, run)
}

fn scan_register<T: Int, const REVERSE: bool>(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    let value = T::get(s, op.src);
    find::<T, REVERSE>(s, op, value);
    next(s, rest)
}

fn scan_memory<T: Int, const REVERSE: bool>(s: &mut State, op: &Op, rest: &[Op]) -> Flow {
    load::<Any, T>(s, op, rest, find::<T, REVERSE>)
}

fn find<T: Int, const REVERSE: bool>(s: &mut State, op: &Op, value: u64) {
    if value == 0 {
        s.flags = Flags::logic::<T>(0);
        return;
    }
    let found = if REVERSE {
        63 - value.leading_zeros()
    } else {
        value.trailing_zeros()
    };
    T::set(s, op.dst, found.into());
    let parity = Flags::logic::<u8>(found.into()).to_bits() & crate::flags::PF;
    s.flags = Flags::from_bits(parity);
}

#[cfg(test)]
mod tests {
    use crate::flags::{CF, ZF};
    use crate::interp::testing::*;
    use crate::{Cpu, Gpr, Size};
    use iced_x86::code_asm::*;

    #[test]
    fn a_register_picks_a_bit_of_the_whole_string_in_memory() {
        let mut cpu = cpu(|a| {
            a.mov(rcx, -65i64).unwrap();
            a.bts(qword_ptr(rdi), rcx).unwrap();
            a.mov(ecx, 100).unwrap();
            a.btc(dword_ptr(rdi), ecx).unwrap();
            a.bts(dword_ptr(rdi), 33u32).unwrap();
            a.bt(word_ptr(rdi), cx).unwrap();
        });
        cpu.context().registers[Gpr::Rdi] = DATA;
        assert!(is_hlt(enter(&mut cpu, 9).0));
        let context = cpu.context();
        let read = |address| context.read(address, Size::Qword).unwrap();
        assert_eq!(read(DATA - 16), 1 << 63);
        assert_eq!(read(DATA + 8), 1 << 36);
        assert_eq!(read(DATA), 2);
        assert_eq!(context.flags & CF, CF);
    }

    #[test]
    fn in_registers_the_bit_number_is_cut() {
        let context = run(
            |context| context.registers[Gpr::Rcx] = 33,
            |a| {
                a.bts(eax, ecx).unwrap();
                a.btr(rcx, 0u32).unwrap();
            },
        );
        assert_eq!(context.registers[Gpr::Rax], 2);
        assert_eq!(context.registers[Gpr::Rcx], 32);
        assert_eq!(context.flags & CF, CF);
    }

    #[test]
    fn scans_find_the_first_and_the_last_bit_and_leave_all_for_zero() {
        let context = run(
            |context| {
                context.registers[Gpr::Rax] = 0x00f0_0000;
                context.registers[Gpr::Rdx] = u64::MAX;
            },
            |a| {
                a.bsf(rbx, rax).unwrap();
                a.bsr(ecx, eax).unwrap();
                a.xor(eax, eax).unwrap();
                a.bsf(edx, eax).unwrap();
            },
        );
        assert_eq!(context.registers[Gpr::Rbx], 20);
        assert_eq!(context.registers[Gpr::Rcx], 23);
        assert_eq!(context.registers[Gpr::Rdx], u64::MAX);
        assert_eq!(context.flags & ZF, ZF);
    }
}
