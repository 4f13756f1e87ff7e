//! Counting bits, CRC32, and MOVBE: what x86-64-v2 and -v3 add to the integer
//! instructions, BMI apart.

use super::source::reading;
use crate::Size;
use crate::flags::{CF, ZF};
use crate::interp::access::store;
use crate::interp::address::addressed;
use crate::interp::flags::Flags;
use crate::interp::int::{Int, sized};
use crate::interp::op::{Op, Run};
use crate::interp::state::State;
use iced_x86::{Instruction, Mnemonic, OpKind};

/// The operation of an instruction of this family.
pub fn lower(instruction: &Instruction, _: bool) -> Option<Op> {
    use Mnemonic::*;
    let mnemonic = instruction.mnemonic();
    if !matches!(mnemonic, Popcnt | Lzcnt | Tzcnt | Crc32 | Movbe) {
        return None;
    }
    if mnemonic == Movbe && instruction.op0_kind() == OpKind::Memory {
        return store_reversed(instruction);
    }
    super::source::lower(instruction, 1, |op, size, memory| {
        Some(match mnemonic {
            Popcnt => reading!(op, size, memory, popcnt),
            Lzcnt => reading!(op, size, memory, lzcnt),
            Tzcnt => reading!(op, size, memory, tzcnt),
            Crc32 => reading!(op, size, memory, crc32),
            _ => reading!(op, size, memory, movbe),
        })
    })
}

fn popcnt<T: Int>(s: &mut State, op: &Op, value: u64) {
    T::set(s, op.dst, value.count_ones().into());
    s.flags = Flags::from_bits(if value == 0 { ZF } else { 0 });
}

fn lzcnt<T: Int>(s: &mut State, op: &Op, value: u64) {
    set_count::<T>(s, op, value.leading_zeros() - (64 - T::BITS));
}

fn tzcnt<T: Int>(s: &mut State, op: &Op, value: u64) {
    set_count::<T>(s, op, value.trailing_zeros().min(T::BITS));
}

/// CF says that there was no bit at all, ZF that the count is 0; the other
/// flags are undefined.
fn set_count<T: Int>(s: &mut State, op: &Op, count: u32) {
    T::set(s, op.dst, count.into());
    let carry = if count == T::BITS { CF } else { 0 };
    let zero = if count == 0 { ZF } else { 0 };
    s.flags = Flags::from_bits(carry | zero);
}

/// One step of CRC-32C for each bit, with the reversed polynomial.
fn crc32<T: Int>(s: &mut State, op: &Op, value: u64) {
    let mut remainder = u32::get(s, op.dst);
    for byte in &value.to_le_bytes()[..T::BYTES] {
        remainder ^= u64::from(*byte);
        for _ in 0..8 {
            let divides = remainder & 1 != 0;
            remainder = remainder >> 1 ^ if divides { 0x82f6_3b78 } else { 0 };
        }
    }
    u32::set(s, op.dst, remainder);
}

fn movbe<T: Int>(s: &mut State, op: &Op, value: u64) {
    T::set(s, op.dst, reverse::<T>(value));
}

fn reverse<T: Int>(value: u64) -> u64 {
    value.swap_bytes() >> (64 - T::BITS)
}

fn store_reversed(instruction: &Instruction) -> Option<Op> {
    let size = Size::from_bytes(instruction.memory_size().size() as u64)?;
    let mut op = Op::new(instruction, crate::interp::decode::nothing);
    op.run = sized!(size, T => addressed!(op, A => {
        let run: Run = |s, op, rest| {
            let value = reverse::<T>(T::get(s, op.dst));
            store::<A, T>(s, op, rest, value)
        };
        run
    }));
    Some(op)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Memory;
    use crate::interp::decode::nothing;
    use crate::interp::op::Reg;

    type Finish = fn(&mut State, &Op, u64);

    /// What an operation makes of RAX and the flags.
    fn run(finish: Finish, before: u64, value: u64) -> (u64, u64) {
        let mut s = State::new(Memory::new(4096).unwrap(), 1);
        s.regs[Reg::Rax as usize] = before;
        let mut op = Op::new(&Instruction::default(), nothing);
        op.dst = Reg::Rax;
        finish(&mut s, &op, value);
        (s.regs[Reg::Rax as usize], s.flags.to_bits())
    }

    #[test]
    fn zero_has_as_many_zeros_as_the_operand_has_bits() {
        assert_eq!(run(lzcnt::<u16>, 0, 0), (16, CF));
        assert_eq!(run(tzcnt::<u32>, 0, 0), (32, CF));
        assert_eq!(run(lzcnt::<u32>, 0, 0x8000_0000), (0, ZF));
        assert_eq!(run(tzcnt::<u64>, 0, 1 << 40), (40, 0));
    }

    #[test]
    fn a_word_leaves_the_bits_above_it() {
        assert_eq!(run(popcnt::<u16>, 0xabcd_0000, 0xffff), (0xabcd_0010, 0));
        assert_eq!(run(movbe::<u16>, 0xabcd_0000, 0x1234).0, 0xabcd_3412);
    }

    /// The check value of CRC-32C, as every implementation must give it.
    #[test]
    fn the_crc_of_the_digits_is_the_known_one() {
        let digits = u64::from_le_bytes(*b"12345678");
        let eight = run(crc32::<u64>, 0xffff_ffff, digits).0;
        let nine = run(crc32::<u8>, eight, b'9'.into()).0;
        assert_eq!(!nine as u32, 0xe306_9283);
    }
}
