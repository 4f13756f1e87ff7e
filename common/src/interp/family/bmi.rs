//! BMI1 and BMI2 (SDM vol. 1, 5.1.16). An operation gets the value of the
//! operand that may be in memory; `src` names the other source, if there is one.

use super::source::reading;
use crate::interp::flags::Flags;
use crate::interp::int::Int;
use crate::interp::op::{Op, Reg};
use crate::interp::state::State;
use iced_x86::{Instruction, Mnemonic};

/// The operation of an instruction of this family.
pub fn lower(instruction: &Instruction, _: bool) -> Option<Op> {
    use Mnemonic::*;
    let mnemonic = instruction.mnemonic();
    let operand = match mnemonic {
        Andn | Mulx | Pdep | Pext => 2,
        Bextr | Bzhi | Sarx | Shlx | Shrx | Rorx | Blsi | Blsr | Blsmsk => 1,
        _ => return None,
    };
    super::source::lower(instruction, operand, |op, size, memory| {
        Some(match mnemonic {
            Andn => reading!(op, size, memory, andn),
            Bextr => reading!(op, size, memory, bextr),
            Blsi => reading!(op, size, memory, blsi),
            Blsr => reading!(op, size, memory, blsr),
            Blsmsk => reading!(op, size, memory, blsmsk),
            Bzhi => reading!(op, size, memory, bzhi),
            Mulx => reading!(op, size, memory, mulx),
            Pdep => reading!(op, size, memory, pdep),
            Pext => reading!(op, size, memory, pext),
            Rorx => reading!(op, size, memory, rorx),
            Sarx => reading!(op, size, memory, sarx),
            Shlx => reading!(op, size, memory, shlx),
            _ => reading!(op, size, memory, shrx),
        })
    })
}

fn andn<T: Int>(s: &mut State, op: &Op, value: u64) {
    let result = !T::get(s, op.src) & value;
    T::set(s, op.dst, result);
    s.flags = Flags::logic::<T>(result);
}

/// A field of `value`: bits 7:0 of the control are its start, 15:8 its length.
fn bextr<T: Int>(s: &mut State, op: &Op, value: u64) {
    let control = T::get(s, op.src);
    let (start, length) = (control as u8, (control >> 8) as u8);
    let shifted = value.checked_shr(start.into()).unwrap_or(0);
    let result = shifted & low_bits(length.into());
    T::set(s, op.dst, result);
    s.flags = Flags::logic::<T>(result);
}

/// A mask of the lowest `count` bits.
fn low_bits(count: u32) -> u64 {
    1u64.checked_shl(count).unwrap_or(0).wrapping_sub(1)
}

/// The lowest set bit alone.
fn blsi<T: Int>(s: &mut State, op: &Op, value: u64) {
    set_lowest::<T>(s, op, value & value.wrapping_neg(), value != 0);
}

/// All but the lowest set bit.
fn blsr<T: Int>(s: &mut State, op: &Op, value: u64) {
    set_lowest::<T>(s, op, value & value.wrapping_sub(1), value == 0);
}

/// All bits up to and with the lowest set one.
fn blsmsk<T: Int>(s: &mut State, op: &Op, value: u64) {
    set_lowest::<T>(s, op, T::cut(value ^ value.wrapping_sub(1)), value == 0);
}

fn set_lowest<T: Int>(s: &mut State, op: &Op, result: u64, carry: bool) {
    T::set(s, op.dst, result);
    s.flags = Flags::new::<T>(result, carry, false);
}

/// Clears the bits from the one whose number is in the low byte of `src`.
fn bzhi<T: Int>(s: &mut State, op: &Op, value: u64) {
    let from = u32::from(T::get(s, op.src) as u8);
    let result = value & low_bits(from);
    T::set(s, op.dst, result);
    s.flags = Flags::new::<T>(result, from >= T::BITS, false);
}

/// The product with RDX: its low half goes to the second register, then its
/// high half to the first. No flag changes.
fn mulx<T: Int>(s: &mut State, op: &Op, value: u64) {
    let product = u128::from(value) * u128::from(T::get(s, Reg::Rdx));
    T::set(s, op.src, T::cut(product as u64));
    T::set(s, op.dst, T::cut((product >> T::BITS) as u64));
}

/// Spreads the low bits of `src` to the places that the mask has.
fn pdep<T: Int>(s: &mut State, op: &Op, mask: u64) {
    let from = T::get(s, op.src);
    let result = places(mask).enumerate().fold(0, |result, (number, place)| {
        result | (from >> number & 1) << place
    });
    T::set(s, op.dst, result);
}

/// Gathers the bits of `src` from the places that the mask has.
fn pext<T: Int>(s: &mut State, op: &Op, mask: u64) {
    let from = T::get(s, op.src);
    let result = places(mask).enumerate().fold(0, |result, (number, place)| {
        result | (from >> place & 1) << number
    });
    T::set(s, op.dst, result);
}

/// The numbers of the set bits, lowest first.
fn places(mask: u64) -> impl Iterator<Item = u32> {
    (0..64).filter(move |place| mask >> place & 1 != 0)
}

fn rorx<T: Int>(s: &mut State, op: &Op, value: u64) {
    let count = op.imm as u32 & (T::BITS - 1);
    let above = value.checked_shl(T::BITS - count).unwrap_or(0);
    T::set(s, op.dst, T::cut(value >> count | above));
}

fn sarx<T: Int>(s: &mut State, op: &Op, value: u64) {
    let result = (T::sign_extend(value) as i64) >> count::<T>(s, op);
    T::set(s, op.dst, T::cut(result as u64));
}

fn shlx<T: Int>(s: &mut State, op: &Op, value: u64) {
    let result = value << count::<T>(s, op);
    T::set(s, op.dst, T::cut(result));
}

fn shrx<T: Int>(s: &mut State, op: &Op, value: u64) {
    let result = value >> count::<T>(s, op);
    T::set(s, op.dst, result);
}

fn count<T: Int>(s: &State, op: &Op) -> u64 {
    T::get(s, op.src) & u64::from(T::BITS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Memory;
    use crate::flags::{CF, PF, SF, ZF};
    use crate::interp::decode::nothing;

    type Finish = fn(&mut State, &Op, u64);

    /// What an operation leaves in the destination, and the flags.
    fn run(finish: Finish, source: u64, value: u64, immediate: u64) -> (u64, u64) {
        let mut s = State::new(Memory::new(4096).unwrap(), 1);
        s.regs[Reg::Rbx as usize] = source;
        let mut op = Op::new(&Instruction::default(), nothing);
        (op.dst, op.src, op.imm) = (Reg::Rax, Reg::Rbx, immediate);
        finish(&mut s, &op, value);
        (s.regs[Reg::Rax as usize], s.flags.to_bits())
    }

    #[test]
    fn bits_are_spread_and_gathered_by_a_mask() {
        assert_eq!(run(pdep::<u32>, 0b101, 0xf0f0, 0).0, 0x50);
        assert_eq!(run(pext::<u32>, 0x5a5a, 0xf0f0, 0).0, 0x55);
        assert_eq!(run(pdep::<u64>, u64::MAX, 1 << 63, 0).0, 1 << 63);
    }

    #[test]
    fn a_field_may_reach_beyond_the_operand() {
        assert_eq!(run(bextr::<u32>, 0x0804, 0x1234_5678, 0).0, 0x67);
        assert_eq!(run(bextr::<u32>, 0xff10, 0x1234_5678, 0).0, 0x1234);
        assert_eq!(run(bextr::<u64>, 0x0140, u64::MAX, 0), (0, ZF | PF));
    }

    #[test]
    fn a_shift_masks_its_count_and_leaves_the_flags() {
        assert_eq!(run(shlx::<u32>, 33, 3, 0).0, 6);
        assert_eq!(run(sarx::<u32>, 31, 0x8000_0000, 0).0, 0xffff_ffff);
        assert_eq!(run(rorx::<u32>, 0, 1, 32 + 1).0, 0x8000_0000);
        assert_eq!(run(rorx::<u64>, 0, 5, 0).0, 5);
    }

    #[test]
    fn the_lowest_bit_of_zero_is_told_by_carry() {
        assert_eq!(run(blsi::<u32>, 0, 0b1100, 0), (0b100, CF));
        assert_eq!(run(blsi::<u32>, 0, 0, 0), (0, ZF | PF));
        assert_eq!(run(blsr::<u32>, 0, 0, 0), (0, CF | ZF | PF));
        assert_eq!(run(blsmsk::<u32>, 0, 0, 0), (0xffff_ffff, CF | SF | PF));
    }

    #[test]
    fn only_a_number_inside_the_operand_clears_bits() {
        assert_eq!(run(bzhi::<u32>, 8, 0x1ff, 0), (0xff, PF));
        assert_eq!(run(bzhi::<u32>, 0x120, 0x1ff, 0), (0x1ff, CF | PF));
        assert_eq!(run(bzhi::<u64>, 0x40, 0x1ff, 0), (0x1ff, CF | PF));
        assert_eq!(run(bzhi::<u64>, 0x3f, 0x1ff, 0), (0x1ff, PF));
    }
}
