//! What guests that fill all registers have in common: which registers there
//! are, in which order, and what they are called.
//!
//! What they hold is kept in arrays of 64-bit words: general registers, both
//! halves of the vector registers, flags.

use crate::asm::GENERAL_REGISTERS;

/// Index of the first word for a vector register, its lower half.
pub(crate) const VECTORS: i32 = 16;
/// Index of the word for the flags.
pub(crate) const FLAGS: i32 = VECTORS + 2 * 16;
/// How many words there are.
pub(crate) const WORDS: i32 = FLAGS + 1;

/// Bit numbers in RFLAGS.
pub(crate) const DIRECTION: i8 = 10;
pub(crate) const OVERFLOW: i8 = 11;
/// The user flags: CF, PF, AF, ZF, SF, DF, OF.
pub(crate) const USER_FLAGS: i32 = 0xcd5;
/// Bit 1 of RFLAGS, which is always 1.
pub(crate) const ALWAYS_SET: i32 = 2;

/// Knuth's linear congruential generator (MMIX), by which the words of one
/// round follow from those of the last.
pub(crate) const MULTIPLIER: u64 = 6_364_136_223_846_793_005;
pub(crate) const INCREMENT: u64 = 1_442_695_040_888_963_407;

/// The name of each word: its length in a byte, its letters, zeros up to 16.
pub(crate) fn names() -> Vec<u8> {
    let halves = (0..16).flat_map(|n| [format!("xmm{n} low"), format!("xmm{n} high")]);
    let names = GENERAL_REGISTERS.iter().map(|name| name.to_string());
    names
        .chain(halves)
        .chain(["flags".to_string()])
        .flat_map(|name| {
            let mut entry = vec![name.len() as u8];
            entry.extend(name.bytes());
            entry.resize(16, 0);
            entry
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_has_a_name_of_sixteen_bytes() {
        let names = names();
        assert_eq!(names.len(), 16 * WORDS as usize);
        let last = &names[names.len() - 16..];
        assert_eq!(last[..6], *b"\x05flags");
    }

    #[test]
    fn the_flags_are_the_seven_that_user_code_owns() {
        let bits = [0, 2, 4, 6, 7, DIRECTION, OVERFLOW];
        let mask = bits.iter().fold(0, |mask, bit| mask | 1 << bit);
        assert_eq!(USER_FLAGS, mask);
    }
}
