//! The arithmetic flags, kept as what they are made from.
//!
//! Most flags are overwritten before anybody looks. So an operation leaves only
//! its result and its carries, and a flag is made from them when it is read.

use super::int::Int;
use crate::flags::{AF, CF, OF, PF, SF, ZF};

/// The six arithmetic flags, in the form in which operations leave them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Flags {
    /// The result, sign-extended: its sign, whether it is zero, and the parity
    /// of its low byte are SF, ZF and PF, unless `aux` says otherwise.
    result: u64,
    /// Bit 63 is CF, bit 62 CF ^ OF, bit 3 AF. Bit 16 inverts SF, and bits 8 to
    /// 15 are mixed into the byte whose parity is PF: these are only used for
    /// combinations that no result has.
    aux: u64,
}

const CARRY: u64 = 1 << 63;
const CARRY_XOR_OVERFLOW: u64 = 1 << 62;
const ADJUST: u64 = 1 << 3;
const INVERT_SIGN: u64 = 1 << 16;
const ODD: u64 = 1 << 8;

impl Flags {
    /// After an addition (with or without carry in) of `a` and `b` to `r`.
    #[inline(always)]
    pub fn add<T: Int>(a: u64, b: u64, r: u64) -> Flags {
        Flags::carries::<T>(r, (a & b) | ((a | b) & !r))
    }

    /// After a subtraction (with or without borrow in) of `b` from `a` to `r`.
    #[inline(always)]
    pub fn sub<T: Int>(a: u64, b: u64, r: u64) -> Flags {
        Flags::carries::<T>(r, (!a & b) | (!(a ^ b) & r))
    }

    /// After and, or, xor: carry, overflow and (here) AF are 0.
    #[inline(always)]
    pub fn logic<T: Int>(r: u64) -> Flags {
        Flags {
            result: T::sign_extend(r),
            aux: 0,
        }
    }

    /// After anything else that has a result; AF is 0.
    #[inline(always)]
    pub fn new<T: Int>(r: u64, carry: bool, overflow: bool) -> Flags {
        Flags {
            result: T::sign_extend(r),
            aux: u64::from(carry) << 63 | u64::from(carry ^ overflow) << 62,
        }
    }

    /// `carries` has a bit wherever a carry or borrow goes out of that bit. The
    /// one out of the top bit is CF, and differs from the one into it by OF.
    #[inline(always)]
    fn carries<T: Int>(r: u64, carries: u64) -> Flags {
        let top = match T::BITS {
            64 => carries & (CARRY | CARRY_XOR_OVERFLOW),
            bits => carries << (64 - bits),
        };
        Flags {
            result: T::sign_extend(r),
            aux: top | carries & ADJUST,
        }
    }

    /// The same flags with another carry.
    #[inline(always)]
    pub fn with_carry(self, carry: bool) -> Flags {
        let flip = (self.aux ^ u64::from(carry) << 63) & CARRY;
        Flags {
            aux: self.aux ^ flip ^ flip >> 1,
            ..self
        }
    }

    /// The same flags with another carry and overflow.
    #[inline(always)]
    pub fn with_carry_overflow(self, carry: bool, overflow: bool) -> Flags {
        let kept = self.aux & !(CARRY | CARRY_XOR_OVERFLOW);
        Flags {
            aux: kept | u64::from(carry) << 63 | u64::from(carry ^ overflow) << 62,
            ..self
        }
    }

    /// CF.
    #[inline(always)]
    pub fn carry(self) -> bool {
        self.aux & CARRY != 0
    }

    /// OF.
    #[inline(always)]
    pub fn overflow(self) -> bool {
        (self.aux ^ self.aux << 1) & CARRY != 0
    }

    /// ZF.
    #[inline(always)]
    pub fn zero(self) -> bool {
        self.result == 0
    }

    /// SF.
    #[inline(always)]
    pub fn sign(self) -> bool {
        self.signed() & CARRY != 0
    }

    /// PF.
    #[inline(always)]
    pub fn parity(self) -> bool {
        ((self.result ^ self.aux >> 8) as u8)
            .count_ones()
            .is_multiple_of(2)
    }

    /// AF.
    #[inline(always)]
    pub fn adjust(self) -> bool {
        self.aux & ADJUST != 0
    }

    /// SF in the top bit.
    #[inline(always)]
    fn signed(self) -> u64 {
        self.result ^ self.aux << 47
    }

    /// Whether SF differs from OF.
    #[inline(always)]
    fn less(self) -> bool {
        (self.signed() ^ self.aux ^ self.aux << 1) & CARRY != 0
    }

    /// Whether the condition with x86's number `CONDITION` (0 to 15) holds.
    #[inline(always)]
    pub fn holds<const CONDITION: u8>(self) -> bool {
        let truth = match CONDITION >> 1 {
            0 => self.overflow(),
            1 => self.carry(),
            2 => self.zero(),
            3 => self.carry() || self.zero(),
            4 => self.sign(),
            5 => self.parity(),
            6 => self.less(),
            _ => self.less() || self.zero(),
        };
        truth != (CONDITION & 1 == 1)
    }

    /// As bits of RFLAGS.
    pub fn to_bits(self) -> u64 {
        let bit = |set: bool, mask: u64| if set { mask } else { 0 };
        bit(self.carry(), CF)
            | bit(self.parity(), PF)
            | bit(self.adjust(), AF)
            | bit(self.zero(), ZF)
            | bit(self.sign(), SF)
            | bit(self.overflow(), OF)
    }

    /// From bits of RFLAGS; others are ignored.
    pub fn from_bits(bits: u64) -> Flags {
        let result = u64::from(bits & ZF == 0);
        let has_parity = result == 0;
        let flip = |differs: bool, mask: u64| if differs { mask } else { 0 };
        let carry = bits & CF != 0;
        let aux = flip(carry, CARRY)
            | flip(carry != (bits & OF != 0), CARRY_XOR_OVERFLOW)
            | flip(bits & AF != 0, ADJUST)
            | flip(bits & SF != 0, INVERT_SIGN)
            | flip((bits & PF != 0) != has_parity, ODD);
        Flags { result, aux }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::ARITHMETIC;

    #[test]
    fn every_combination_of_flags_survives() {
        for choice in 0..64 {
            let bits = [CF, PF, AF, ZF, SF, OF]
                .iter()
                .enumerate()
                .filter(|(i, _)| choice >> i & 1 == 1)
                .map(|(_, bit)| bit)
                .sum();
            assert_eq!(Flags::from_bits(bits).to_bits(), bits);
            assert_eq!(Flags::from_bits(bits | !ARITHMETIC).to_bits(), bits);
            let other = Flags::from_bits(bits).with_carry(bits & CF == 0);
            assert_eq!(other.to_bits(), bits ^ CF);
            let other = Flags::from_bits(bits).with_carry_overflow(true, false);
            assert_eq!(other.to_bits(), bits & !OF | CF);
        }
    }

    /// All sums and differences of two bytes with both carries, against the
    /// definition of each flag.
    #[test]
    fn bytes_add_and_subtract_with_the_manuals_flags() {
        for (a, b) in (0..=255u64).flat_map(|a| (0..=255u64).map(move |b| (a, b))) {
            for carry in 0..2 {
                let wide = a + b + carry;
                let signed = i64::from(a as i8) + i64::from(b as i8) + carry as i64;
                let flags = Flags::add::<u8>(a, b, wide & 0xff);
                let expected = [wide > 255, i64::from(signed as i8) != signed];
                assert_eq!([flags.carry(), flags.overflow()], expected);
                assert_eq!(flags.adjust(), (a & 15) + (b & 15) + carry > 15);
                assert_eq!(flags.sign(), wide & 0x80 != 0);
                assert_eq!(flags.zero(), wide & 0xff == 0);

                let wide = a.wrapping_sub(b).wrapping_sub(carry);
                let signed = i64::from(a as i8) - i64::from(b as i8) - carry as i64;
                let flags = Flags::sub::<u8>(a, b, wide & 0xff);
                let expected = [a < b + carry, i64::from(signed as i8) != signed];
                assert_eq!([flags.carry(), flags.overflow()], expected);
                assert_eq!(flags.adjust(), a & 15 < (b & 15) + carry);
            }
        }
    }

    #[test]
    fn wide_sums_carry_and_overflow() {
        let big = 1 << 63;
        let flags = Flags::add::<u64>(big, big, 0);
        assert_eq!(flags.to_bits(), CF | OF | ZF | PF);
        let flags = Flags::sub::<u64>(big, 1, big - 1);
        assert_eq!(flags.to_bits(), OF | AF | PF);
        let flags = Flags::sub::<u32>(0, 1, 0xffff_ffff);
        assert_eq!(flags.to_bits(), CF | SF | AF | PF);
    }
}
